#include "broker/app/audit_export.hpp"

#include <limits>
#include <ostream>
#include <set>

#include "broker/app/as_of_rows.hpp"
#include "broker/app/export_events.hpp"
#include "broker/app/export_folder.hpp"
#include "broker/app/export_texts.hpp"
#include "broker/app/hub_tree.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/sealed_rows.hpp"
#include "broker/app/timeline_rows.hpp"
#include "broker/app/trail_rows.hpp"
#include "broker/app/verifier_keys.hpp"
#include "broker/base/clock.hpp"
#include "broker/care/filing.hpp"
#include "broker/core/asked_text.hpp"

namespace carehub::app {
namespace {

namespace verify = storage::verify;

constexpr const char* kTooMany =
    "an export holds at most 100000 entries, each with its proof: choose a smaller span";
/// Entries of others between two of a person's that are fetched along, and not kept, rather than asked for
/// in another question, which is another line in the trail.
constexpr Sequence kGapMax = 64;
/// The hub's clock may be ahead of this machine's.
constexpr std::int64_t kEndOfTimeUs = 253'402'300'799'000'000;  // 9999-12-31T23:59:59Z

/// Of a person these are told by the entries that say so.
bool is_disclosure(const wire::RowT& row) {
  return row.kind == "offered" || row.kind == "acked" || row.kind == "dead_letter";
}

/// One export, from the first question to the last file.
class Export {
 public:
  Export(const ExportOptions& options, client::HubClient& hub, ExportFolder& folder,
         Surroundings& surroundings)
      : options_(options),
        hub_(hub),
        folder_(folder),
        surroundings_(surroundings),
        tree_(hub, surroundings) {}

  Result<void> of_person(const std::string& person, const ExportSpan& span);
  Result<void> of_span(const ExportSpan& span);
  Result<void> write_rest(const std::string& hub_name, const HubKeys& keys);

  ExportFacts facts;

 private:
  wire::QueryT question() const {
    wire::QueryT query;
    query.by = options_.by;
    query.reason = (options_.every_view ? "export with every view: " : "export: ") + options_.reason;
    query.role = options_.role;
    return query;
  }
  Result<void> begin();
  Result<void> take_event(const wire::RowT& row);
  Result<void> take_act(const wire::RowT& row);
  Result<void> take_entry(const storage::SealedEntry& entry);
  Result<void> add_entries(Sequence first, Sequence last);
  Result<void> take_disclosure(wire::RowT& row);
  Result<void> add_disclosures(const std::string& person, const ExportSpan& span);
  Result<void> add_trail(const std::string& person, const ExportSpan& span);

  const ExportOptions& options_;
  client::HubClient& hub_;
  ExportFolder& folder_;
  Surroundings& surroundings_;
  HubTree tree_;
  SignedTree signed_;
  std::set<Sequence> wanted_;  // of a person; what is told of is proven
  bool only_wanted_ = false;
  std::int64_t last_at_ = 0;  // of the last entry
  Sequence first_ = 0;
  Sequence last_ = 0;
  std::set<Sequence> events_;  // of a person
  AsOfViews views_;
};

/// Every file is there, be it without a row.
Result<void> Export::begin() {
  auto begun = folder_.append("events.jsonl", "");
  if (begun) begun = folder_.append("events.csv", timeline_csv_header() + "\n");
  if (begun) begun = folder_.append("trail.jsonl", "");
  if (begun) begun = folder_.append("trail.csv", trail_csv_header() + "\n");
  if (begun) begun = folder_.append("entries.jsonl", "");
  if (begun) begun = folder_.append("entries.csv", sealed_csv_header() + "\n");
  return begun;
}

Result<void> Export::take_event(const wire::RowT& row) {
  if (only_wanted_) {
    if (is_disclosure(row)) return {};
    wanted_.insert(row.sequence);
    events_.insert(row.sequence);
  }
  ++facts.rows;
  auto added = folder_.append("events.jsonl", timeline_json(row) + "\n");
  return added ? folder_.append("events.csv", timeline_csv(row) + "\n") : added;
}

Result<void> Export::take_act(const wire::RowT& row) {
  ++facts.acts;
  if (only_wanted_) wanted_.insert(row.sequence);
  auto added = folder_.append("trail.jsonl", trail_json(row) + "\n");
  return added ? folder_.append("trail.csv", trail_csv(row) + "\n") : added;
}

Result<void> Export::take_entry(const storage::SealedEntry& entry) {
  const Sequence sequence = entry.header.sequence;
  if (only_wanted_ && !wanted_.contains(sequence)) return {};
  if (++facts.entries > kExportEntriesMax) return fail(ErrorKind::invalid, kTooMany);
  const auto proof = tree_.prove(entry, signed_);
  if (!proof) return tl::unexpected(proof.error());
  const auto name = "proofs/" + std::to_string(sequence) + ".tlog-proof";
  auto added = folder_.append(name, *proof);
  if (added) added = folder_.finish(name);
  if (added) added = folder_.append("entries.jsonl", sealed_json(entry) + "\n");
  if (added) added = folder_.append("entries.csv", sealed_csv(entry) + "\n");
  if (!added) return added;
  if (first_ == 0) first_ = sequence;
  last_ = sequence;
  last_at_ = entry.header.appended_at.us;
  return {};
}

Result<void> Export::add_entries(Sequence first, Sequence last) {
  auto asked = question();
  asked.sequence = first;
  asked.size = last;
  const auto found =
      tree_.each_entry(std::move(asked), [this](const storage::SealedEntry& one) { return take_entry(one); });
  if (!found) return tl::unexpected(found.error());
  return {};
}

Result<void> Export::take_disclosure(wire::RowT& row) {
  views_.fill(row);
  if (is_erased(row)) return {};  // its line is in events
  if (!events_.contains(row.sequence)) return {};
  ++facts.disclosures;
  const auto filing = care::filing_from(row.state);
  for (const auto entry : {filing.decided_in, filing.acknowledged_in, filing.given_up_in}) {
    if (entry != 0) wanted_.insert(entry);
  }
  // What another role saw may be more than this one is shown.
  if (!options_.every_view && row.role != options_.role) row.view.clear();
  auto added = folder_.append("disclosures.jsonl", as_of_json(row) + "\n");
  return added ? folder_.append("disclosures.csv", as_of_csv(row) + "\n") : added;
}

/// To whom the events were offered and from whom they were withheld, by the entries that say so.
Result<void> Export::add_disclosures(const std::string& person, const ExportSpan& span) {
  auto begun = folder_.append("disclosures.jsonl", "");
  if (begun) begun = folder_.append("disclosures.csv", as_of_csv_header() + "\n");
  if (!begun) return begun;
  auto asked = question();
  asked.kind = wire::QueryKind::as_of;
  asked.person = person;
  asked.agency = core::kEveryAgency;
  asked.at = span.last_at != 0 ? span.last_at : kEndOfTimeUs;
  Result<void> added;
  const auto rows = each_row(
      hub_, std::move(asked),
      [&](wire::RowT& row) {
        if (added) added = take_disclosure(row);
      },
      [this](const std::string& remark) { add_remark(facts, remark); });
  if (!rows) return tl::unexpected(rows.error());
  return added;
}

Result<void> Export::add_trail(const std::string& person, const ExportSpan& span) {
  auto asked = question();
  asked.kind = wire::QueryKind::trail;
  asked.person = person;
  asked.first_at = span.first_at;
  asked.last_at = span.last_at;
  asked.after = span.first - 1;
  Result<void> added;
  const auto rows = each_row(
      hub_, std::move(asked),
      [&](const wire::RowT& row) {
        if (added && span.holds(row.sequence)) added = take_act(row);
      },
      [this](const std::string& remark) { add_remark(facts, remark); });
  if (!rows) return tl::unexpected(rows.error());
  return added;
}

Result<void> Export::of_person(const std::string& person, const ExportSpan& span) {
  only_wanted_ = true;
  facts.about = "one person";
  if (auto begun = begin(); !begun) return begun;
  auto events = person_events(
      hub_, question(), person, span, [this](const wire::RowT& row) { return take_event(row); },
      [this](const std::string& remark) {
        surroundings_.err << remark << std::endl;
        add_remark(facts, remark);
      });
  if (!events) return events;
  if (auto shown = add_disclosures(person, span); !shown) return shown;
  if (auto trail = add_trail(person, span); !trail) return trail;
  if (wanted_.empty()) return fail(ErrorKind::not_found, "nothing of this span is about this person");
  if (wanted_.size() > kExportEntriesMax) return fail(ErrorKind::invalid, kTooMany);
  auto covering = tree_.signed_tree(*wanted_.rbegin());
  if (!covering) return tl::unexpected(covering.error());
  signed_ = *std::move(covering);
  for (auto from = wanted_.begin(); from != wanted_.end();) {
    auto to = from;
    auto next = std::next(from);
    for (; next != wanted_.end() && *next - *to <= kGapMax; ++next) to = next;
    if (auto added = add_entries(*from, *to); !added) return added;
    from = next;
  }
  if (facts.entries != wanted_.size())
    return fail(ErrorKind::corrupt, "the hub told of entries that it did not hand over");
  return {};
}

Result<void> Export::of_span(const ExportSpan& span) {
  if (auto begun = begin(); !begun) return begun;
  const auto head = tree_.head();
  if (!head) return tl::unexpected(head.error());
  auto covering = tree_.signed_tree(std::min(span.last, *head));
  if (!covering) return tl::unexpected(covering.error());
  signed_ = *std::move(covering);
  // Without an end it is all that is signed for, so that the leaves alone give the root.
  const Sequence last = std::min(span.last, signed_.checkpoint.size);
  if (span.first > last) return fail(ErrorKind::not_found, "the ledger does not reach that far");
  if (span.first_at == 0 && span.last_at == 0 && last - span.first >= kExportEntriesMax)
    return fail(ErrorKind::invalid, kTooMany);
  auto asked = question();
  asked.sequence = span.first;
  asked.size = last;
  asked.first_at = span.first_at;
  asked.last_at = span.last_at;
  const auto found =
      tree_.each_entry(std::move(asked), [this](const storage::SealedEntry& one) { return take_entry(one); });
  if (!found) return tl::unexpected(found.error());
  if (*found == 0) return fail(ErrorKind::not_found, "no entry was written down in this span");
  facts.about = "entries " + std::to_string(first_) + " to " + std::to_string(last_);
  const ExportSpan found_span{first_, last_, 0, last_at_};
  const auto withheld = span_events(hub_, question(), found_span, surroundings_,
                                    [this](const wire::RowT& row) { return take_event(row); });
  if (!withheld) return tl::unexpected(withheld.error());
  facts.withheld = *withheld;
  return add_trail({}, found_span);
}

Result<void> Export::write_rest(const std::string& hub_name, const HubKeys& keys) {
  const auto signer = verify::signer_of(signed_.checkpoint, keys.keys);
  if (!signer) return tl::unexpected(signer.error());
  facts.hub = hub_name;
  facts.origin = signed_.checkpoint.origin;
  facts.at = to_rfc3339(SystemClock().now());
  facts.by = options_.by;
  facts.reason = options_.reason;
  facts.role = options_.role;
  facts.every_view = options_.every_view;
  facts.tree_size = signed_.checkpoint.size;
  auto added = folder_.append("checkpoint", signed_.text);
  if (added) added = folder_.append("checkpoint.keys", keys.text);
  if (added) added = folder_.append("README.txt", export_readme(facts));
  if (added) added = folder_.append("export.json", export_json(facts));
  if (added) added = folder_.append("verify.py", export_verifier());
  return added;
}

void print_done(const ExportOptions& options, const ExportFacts& facts, const std::string& manifest,
                std::ostream& out) {
  if (options.json) {
    out << JsonLine()
               .add("into", options.into.string())
               .add("entries", facts.entries)
               .add("event_rows", facts.rows)
               .add("disclosure_rows", facts.disclosures)
               .add("trail_rows", facts.acts)
               .add("withheld", facts.withheld)
               .add("tree_size", facts.tree_size)
               .add("manifest_sha256", manifest)
               .text()
        << std::endl;
    return;
  }
  out << facts.entries << " entries with their proofs are in " << options.into.string() << "\n"
      << "SHA-256 of MANIFEST.sha256: " << manifest
      << "\nWrite that number down where the folder does not lie. "
      << "README.txt says how to check it; it holds personal data" << std::endl;
}

}  // namespace

ExitCode audit_export(const ExportOptions& options, Surroundings& surroundings) {
  const auto span = read_span(options.from, options.to);
  if (!span) return complain(surroundings, ExitCode::usage, span.error().text);
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  const auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, person.error());
  if (const auto known = acting_agency(*config, options.role, {});
      !known && !config->policy.has_role(options.role))
    return complain(surroundings, known.error());
  const auto keys = read_hub_keys(options.keys, config->data, surroundings);
  if (!keys) return complain(surroundings, keys.error());
  auto hub = connect(*config, "carehub audit", {});
  if (!hub) return complain(surroundings, hub.error());
  auto folder = ExportFolder::create(options.into);
  if (!folder && folder.error().kind == ErrorKind::unavailable)
    return complain(surroundings, ExitCode::storage, folder.error().text);
  if (!folder) return complain(surroundings, folder.error());
  Export made(options, **hub, *folder, surroundings);
  auto done = person->empty() ? made.of_span(*span) : made.of_person(*person, *span);
  if (done) done = made.write_rest(config->name, *keys);
  if (!done) return complain(surroundings, done.error());
  const auto manifest = folder->complete();
  if (!manifest) return complain(surroundings, ExitCode::storage, manifest.error().text);
  print_done(options, made.facts, *manifest, surroundings.out);
  return ExitCode::ok;
}

}  // namespace carehub::app
