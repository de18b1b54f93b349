#include "broker/app/audit_prove.hpp"

#include <ostream>

#include "broker/app/hub_tree.hpp"
#include "broker/app/verifier_keys.hpp"
#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/signing_key.hpp"
#include "broker/storage/verify_proof.hpp"

namespace carehub::app {
namespace {

namespace verify = storage::verify;

/// The keys of the command line, or those in the hub's data where this user may read them.
Result<std::vector<verify::Key>> keys_for(const ProveOptions& options, const server::HubConfig& config,
                                          Surroundings& surroundings) {
  if (!options.keys.empty()) return read_verifier_keys(options.keys, surroundings);
  const auto own = config.data / storage::kCheckpointKeysFile;
  std::error_code error;
  if (std::filesystem::exists(own, error)) return read_verifier_keys(own, surroundings);
  surroundings.err << "the checkpoint's signature is not checked here: --keys names the hub's public keys"
                   << std::endl;
  return std::vector<verify::Key>();
}

Result<std::string> prove_of(HubTree& tree, const ProveOptions& options, Sequence sequence) {
  wire::QueryT question;
  question.sequence = sequence;
  question.size = sequence;
  question.by = options.by;
  question.reason = options.reason;
  storage::SealedEntry entry;
  const auto found = tree.each_entry(std::move(question), [&](const storage::SealedEntry& one) {
    entry = one;
    return Result<void>();
  });
  if (!found) return tl::unexpected(found.error());
  if (*found == 0) return fail(ErrorKind::not_found, "the hub has no entry " + std::to_string(sequence));
  const auto signed_tree = tree.signed_tree(sequence);
  if (!signed_tree) return tl::unexpected(signed_tree.error());
  return tree.prove(entry, *signed_tree);
}

/// The proof as whoever receives it will check it.
Result<void> check(const std::string& proof, const std::vector<verify::Key>& keys) {
  if (keys.empty()) return {};
  const auto parsed = verify::parse_proof(proof);
  if (!parsed) return tl::unexpected(parsed.error());
  const auto proven = verify::proven_entry(*parsed, keys);
  if (!proven) return tl::unexpected(proven.error());
  return {};
}

ExitCode prove_of_running(const ProveOptions& options, Sequence sequence, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  const auto keys = keys_for(options, *config, surroundings);
  if (!keys) return complain(surroundings, keys.error());
  auto hub = connect(*config, "carehub audit", {});
  if (!hub) return complain(surroundings, hub.error());
  HubTree tree(**hub, surroundings);
  const auto proof = prove_of(tree, options, sequence);
  if (!proof) return complain(surroundings, proof.error());
  if (auto held = check(*proof, *keys); !held) return complain(surroundings, held.error());
  surroundings.out << *proof << std::flush;
  return ExitCode::ok;
}

}  // namespace

ExitCode audit_prove(const ProveOptions& options, Surroundings& surroundings) {
  const auto sequence = verify::from_decimal(options.sequence);
  if (!sequence || *sequence == 0)
    return complain(surroundings, ExitCode::usage, "prove needs an entry's number");
  if (options.ledger.empty()) return prove_of_running(options, *sequence, surroundings);
  const auto proof = storage::prove_entry(options.ledger, *sequence);
  if (!proof && proof.error().kind == ErrorKind::unavailable)
    return complain(surroundings, ExitCode::storage, proof.error().text);
  if (!proof) return complain(surroundings, proof.error());
  surroundings.out << *proof << std::flush;
  return ExitCode::ok;
}

}  // namespace carehub::app
