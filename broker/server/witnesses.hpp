#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/config_reader.hpp"
#include "broker/core/engine.hpp"
#include "broker/server/metrics.hpp"
#include "broker/server/worker.hpp"
#include "broker/storage/ledger.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::server {

/// Who may cosign this hub's checkpoints, and how soon one of them must.
struct WitnessRules {
  struct Known {
    std::string name;  // as the hub's people call it
    storage::verify::Key key;
  };
  std::vector<Known> known;
  std::uint32_t within_s = 0;  // 0: none is required
};

/// [[witness]] and witness_within_s of [hub].
WitnessRules read_witnesses(ConfigTable& root);

/// A file in the data directory: the newest checkpoint that a witness has cosigned.
constexpr const char* kCosignedFile = "checkpoint.cosigned";

/// Takes in what witnesses hand in: a checkpoint that this hub signed itself, over the tree that it has,
/// under the cosignature of a known witness. Keeps the newest of them, and tells operators when none comes. A
/// cosignature is no fact about a person, so the ledger does not have it: after a crash the witness hands in
/// another. For one thread.
class Witnesses {
 public:
  struct Parts {
    WitnessRules rules;
    std::vector<storage::verify::Key> own_keys;  // all that ever signed this ledger's checkpoints
    const storage::Ledger& ledger;
    std::filesystem::path file;
  };

  /// Reads what was kept before. One that does not belong to this ledger is told of and left where it is.
  explicit Witnesses(Parts parts);
  /// Writes what is still to be written.
  ~Witnesses();

  /// The answer for who has handed it in.
  wire::HandledT take(const wire::Cosign& frame, Timestamp now);
  /// Alarms when entries up to `head` have waited too long for a witness, and when that is over.
  void watch(Sequence head, Timestamp now, core::Decision& out);

  /// The page that answers a question for the checkpoint: cosignatures of that very tree are added to it. Of
  /// `path` cosigned it becomes the newest cosigned checkpoint, `not_found` where there is none.
  void complete(const wire::QueryT& query, wire::PageT& page) const;
  void count(Statistics& to, Timestamp now) const;

 private:
  struct Kept {
    storage::verify::Checkpoint checkpoint;  // with its known signatures alone
    std::string text;
  };

  Result<storage::verify::Checkpoint> check(std::string_view text);
  Result<void> check_root(const storage::verify::Checkpoint& checkpoint);
  bool says_anything_new(const storage::verify::Checkpoint& checkpoint);
  bool is_known(const storage::verify::Signature& signature) const;
  void keep(storage::verify::Checkpoint checkpoint);
  void read_back();
  void write();
  void write_newest();

  Parts parts_;
  std::vector<storage::verify::Key> keys_;
  std::optional<Kept> newest_;
  std::optional<Timestamp> accepted_at_;  // of the newest cosignature, by this hub's clock or the witness's
  std::map<std::string, std::uint64_t> cosigned_at_s_;  // the newest of each witness
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::optional<Timestamp> uncovered_since_;
  std::int64_t told_ = 0;                    // the step of the wait that was told last; steps count from 1
  bool back_ = false;                        // to be told
  std::optional<std::string> disagreement_;  // to be told
  bool disagreed_ = false;                   // since the last cosignature, and that was told
  bool unwritten_ = false;
  std::atomic<bool> writing_ = false;
  std::atomic<bool> failing_ = false;
  std::unique_ptr<Worker>
      writer_;  // none while no witness is known; last, so that it is done before all goes
};

}  // namespace carehub::server
