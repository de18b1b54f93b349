#pragma once

#include <string>

#include "broker/storage/ledger.hpp"

namespace carehub::storage {

/// Verifies a ledger that is in use, a tile at a time: each entry's bytes against its hash, the hashes
/// against the stored tile, each tile against the one above it, and at the end of a pass the root against the
/// newest signed checkpoint. What is wrong is told, and it goes on. For one thread.
class Scrub {
 public:
  /// Goes on at that entry's tile. A pass ends where the ledger ended when it began: one that grows has
  /// passes, too. From behind the ledger's end it begins anew.
  explicit Scrub(const Ledger& ledger, Sequence next = 1) : ledger_(ledger), next_(next == 0 ? 1 : next) {}

  struct Step {
    std::uint64_t faults = 0;
    Sequence first_bad = 0;   // the first bad entry, or the first below the first bad tile; 0: none
    std::string first_fault;  // what is wrong there
    bool ended = false;       // the pass has come to its end; the next step begins another
  };
  /// Looks at the next part. Errors: `unavailable` (the ledger is closed, or its disk does not read); the
  /// next step looks at the same part.
  Result<Step> step();

  /// The next entry that is looked at.
  Sequence next() const { return next_; }

 private:
  Result<void> look_at_entries(Sequence first, const Tile& tile, std::size_t width, Step& step) const;
  Result<void> look_at_each(Sequence first, const Tile& tile, std::size_t width, Step& step) const;
  Result<void> look_above(const Tile& tile, std::uint64_t index, Step& step) const;
  Result<void> look_at_checkpoint(Step& step) const;

  const Ledger& ledger_;
  Sequence next_;
  Sequence end_ = 0;  // of the pass; 0: it has not begun
};

}  // namespace carehub::storage
