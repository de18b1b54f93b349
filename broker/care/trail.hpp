#pragma once

#include <optional>
#include <string>

#include "broker/care/past_reader.hpp"
#include "broker/care/past_search.hpp"

namespace carehub::care {

/// The audit trail, oldest first: who asked, exported, replayed or changed what, from the Access,
/// OperatorAction, SubscriptionChanged, PolicyChanged, ConfigChanged, Erasure and Report entries. Of a
/// person: questions about them, what was done about one of their events, and their erasure.
class Trail final : public PastSearch {
 public:
  /// `past` outlives it.
  Trail(const PastReader& past, wire::QueryT query);

  Result<bool> advance() override;
  wire::PageT take() override { return std::move(page_); }

 private:
  Result<void> begin();
  Result<bool> wanted(const ledger::Body& body) const;
  Result<bool> about_person(const ledger::Key* key, std::uint64_t event) const;

  const PastReader& past_;
  wire::QueryT query_;
  std::size_t rows_max_;
  bool begun_ = false;
  std::optional<PersonKey> person_;
  std::optional<PersonKey> unknown_;  // what is written where the hub knows nobody by the identifier
  Sequence next_ = 0;
  std::size_t bytes_ = 0;
  wire::PageT page_;
};

}  // namespace carehub::care
