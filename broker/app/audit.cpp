#include "broker/app/audit.hpp"

#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/hub_options.hpp"
#include "broker/app/input_file.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/rotation.hpp"
#include "broker/app/verifier_keys.hpp"
#include "broker/base/clock.hpp"
#include "broker/storage/entry.hpp"
#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/verify_proof.hpp"

namespace carehub::app {
namespace {

namespace verify = storage::verify;
constexpr std::uint64_t kFaultsShown = 100;

void print_fault(Sequence sequence, const std::string& text, bool json, std::ostream& out) {
  if (json) {
    JsonLine line;
    if (sequence != 0) line.add("sequence", sequence);
    out << line.add("fault", text).text() << '\n';
  } else if (sequence != 0) {
    out << "entry " << sequence << ": " << text << '\n';
  } else {
    out << text << '\n';
  }
}

void print_report(const storage::AuditReport& report, bool json, std::ostream& out) {
  if (json) {
    JsonLine line;
    line.add("entries", report.entries).add("root", to_hex(report.root)).add("faults", report.faults);
    if (report.first_bad != 0) line.add("first_bad", report.first_bad);
    if (report.extended)
      line.add("checkpoint_size", report.extended->size).add("origin", report.extended->origin);
    out << line.text() << std::endl;
    return;
  }
  out << report.entries << " entries, root " << to_hex(report.root) << '\n';
  if (report.extended) {
    out << "compared with the checkpoint that " << report.extended->origin << " signed at entry "
        << report.extended->size << '\n';
  }
  if (report.faults == 0) {
    out << "nothing is wrong" << std::endl;
  } else if (report.first_bad != 0) {
    out << report.faults << " faults; the first bad entry is " << report.first_bad << std::endl;
  } else {
    out << report.faults << " faults, of no entry of its own" << std::endl;
  }
}

ExitCode verify_ledger(const AuditOptions& options, Surroundings& surroundings) {
  std::uint64_t shown = 0;
  storage::AuditOptions audit;
  if (!options.keys.empty()) {
    auto keys = read_verifier_keys(options.keys, surroundings);
    if (!keys) return complain(surroundings, keys.error());
    audit.keys = std::move(*keys);
  }
  audit.progress = progress_on(surroundings.err, "verifying the ledger");
  audit.fault = [&](Sequence sequence, const std::string& text) {
    if (++shown <= kFaultsShown) print_fault(sequence, text, options.json, surroundings.out);
    if (shown == kFaultsShown + 1) surroundings.err << "more faults follow; they are counted\n";
  };
  audit.notice = [&](const std::string& text) {
    if (options.json) {
      surroundings.out << JsonLine().add("notice", text).text() << '\n';
    } else {
      surroundings.out << "to note: " << text << '\n';
    }
  };
  const auto report = storage::audit_ledger(options.ledger, audit);
  if (!report && report.error().kind == ErrorKind::unavailable) {
    return complain(surroundings, ExitCode::storage, report.error().text);
  }
  if (!report) return complain(surroundings, report.error());
  print_report(*report, options.json, surroundings.out);
  return report->faults == 0 ? ExitCode::ok : ExitCode::corrupt;
}

void print_proven(const verify::ProvenEntry& proven, bool json, std::ostream& out) {
  const std::string kind = storage::to_string(static_cast<storage::EntryKind>(proven.kind));
  const std::string at = to_rfc3339({proven.appended_at_us});
  if (json) {
    JsonList witnesses;
    for (const auto& witness : proven.cosigned) witnesses.add(witness.name);
    out << JsonLine()
               .add("sequence", proven.sequence)
               .add("kind", kind)
               .add("appended_at", at)
               .add("leaf", to_hex(proven.leaf))
               .add("tree_size", proven.tree_size)
               .add("signed_by", proven.signer.name)
               .add_json("cosigned_by", witnesses.text())
               .text()
        << std::endl;
    return;
  }
  out << "the proof holds: entry " << proven.sequence << " (" << kind << ", written down " << at
      << ")\nis one of the " << proven.tree_size << " entries that " << proven.signer.name << " signed for\n"
      << "leaf " << to_hex(proven.leaf) << '\n';
  for (const auto& witness : proven.cosigned) {
    constexpr std::int64_t kUs = 1'000'000;
    out << "seen by " << witness.name << " at "
        << to_rfc3339({static_cast<std::int64_t>(witness.at_s % (INT64_MAX / kUs)) * kUs}) << '\n';
  }
  out << std::flush;
}

ExitCode verify_proof(const AuditOptions& options, Surroundings& surroundings) {
  if (options.keys.empty()) {
    return complain(surroundings, ExitCode::usage,
                    "a proof proves nothing without the hub's public key: --keys FILE, with the "
                    "checkpoint.keys that the hub's people gave you");
  }
  const auto keys = read_verifier_keys(options.keys, surroundings);
  if (!keys) return complain(surroundings, keys.error());
  const auto text = read_input(options.subject, surroundings);
  if (!text) return complain(surroundings, text.error());
  const auto proof = verify::parse_proof(*text);
  if (!proof) return complain(surroundings, proof.error());
  const auto proven = verify::proven_entry(*proof, *keys);
  if (!proven) return complain(surroundings, proven.error());
  print_proven(*proven, options.json, surroundings.out);
  return ExitCode::ok;
}

ExitCode rotate_key(const AuditOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.subject, surroundings);
  if (!config) return ExitCode::wrong_input;
  server::RotateSigningOptions rotate;
  describe_rotation(rotate, *config, options.by, options.reason, surroundings);
  rotate.signing_key_file = config->signing_key_file;
  rotate.origin = config->origin;
  rotate.hub_name = config->name;
  return tell_rotated(server::rotate_signing_key(rotate), "the ledger's checkpoints have a new signing key",
                      "Give everybody who checks the new checkpoint.keys; the old keys stay in it",
                      options.json, surroundings);
}

}  // namespace

ExitCode audit(const AuditOptions& options, Surroundings& surroundings) {
  if (options.action == AuditOptions::Action::rotate_key) return rotate_key(options, surroundings);
  return options.ledger.empty() ? verify_proof(options, surroundings) : verify_ledger(options, surroundings);
}

}  // namespace carehub::app
