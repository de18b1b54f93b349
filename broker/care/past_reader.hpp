#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/care/past_event.hpp"
#include "broker/care/rows.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/policy.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::care {

constexpr std::size_t kScanEntries = 512;  // looked at for one page or part: the hub waits meanwhile
constexpr std::size_t kScanBytes = 4U << 20U;
constexpr std::size_t kPageBytes = limits::kDeliverBytesMax;  // of views on one page or part

/// The first durable entry that was appended then or later; one behind the head where there is none.
Result<Sequence> first_since(const storage::Ledger& ledger, Timestamp at);

/// Stands where an event was; whose it was, and by whom, nobody can tell any more.
std::unique_ptr<wire::RowT> erased_row(const storage::EntryHeader& header);
/// Where a child's events end, though there were more.
std::string erased_before(Sequence entry);

/// What every answer about the past reads: the durable ledger, the folded rows, and the policy that decides
/// what of it is shown. Thread-safe apart from use_policy().
class PastReader {
 public:
  PastReader(const storage::Ledger& ledger, const storage::Sealer& sealer, const storage::StateStore& store,
             const storage::Vault& vault, std::vector<core::Agency> agencies);

  void use_policy(core::Policy policy) { policy_ = std::move(policy); }
  const core::Policy& policy() const;
  const storage::Ledger& ledger() const { return ledger_; }
  const storage::StateStore& store() const { return store_; }
  StoredRows rows() const { return StoredRows(store_); }
  const storage::SecretKey& index_key() const { return vault_.index_key(); }

  bool knows_agency(const std::string& id) const { return agencies_.contains(id); }
  /// The agencies whose connections may ask and subscribe in this role, by id.
  std::vector<const core::Agency*> agencies_with(const std::string& role) const;
  /// One without codes when no agency has this id.
  const core::Agency& agency_of(const std::string& id) const;
  /// The subscriptions that this peer may know of.
  Result<std::vector<core::Subscription>> visible(const core::Peer& peer) const;
  Result<std::optional<PastEvent>> open(const storage::SealedEntry& sealed) const {
    return open_event(sealed, sealer_);
  }
  /// What the entry holds. Error `not_found`: its key is gone, or an Erasure names it.
  Result<Bytes> opened(const storage::SealedEntry& sealed) const { return sealer_.open(sealed); }
  /// Whether an Erasure names its key by now.
  bool is_withdrawn(const storage::EntryHeader& header) const { return sealer_.withdrawn(header.key_id); }
  /// A verified ledger::Body; no bytes where its key is gone.
  Result<Bytes> body(const storage::SealedEntry& sealed) const;
  Result<Sequence> first_since(Timestamp at) const { return care::first_since(ledger_, at); }
  /// nullopt: there is no such entry, it is no event, or its key is gone.
  Result<std::optional<PastEvent>> event_at(Sequence sequence) const;
  /// What is known of the event's child when it is decided about at that time, by entries up to `through`.
  Result<core::KnownChild> known_child(const PastEvent& event, Timestamp at,
                                       Sequence through = core::kAllKnown) const;
  /// The event as the rule shows it; `invalid`: too large to be delivered.
  Result<Bytes> view(const PastEvent& event, const core::DisclosureRule& rule,
                     const core::KnownChild& known) const {
    return core::deliverable(*event.event, rule, core::marks_of(*event.event, known), index_key(),
                             event.sequence);
  }
  /// Where `sequence:N` names an event whose key is gone: what is told in its place.
  Result<std::unique_ptr<wire::RowT>> erased_row(const std::string& identifier) const;
  /// Of an identifier, or of `sequence:N`. Error `not_found`: the hub knows nobody by it.
  Result<PersonKey> person_of(const std::string& identifier) const;

 private:
  const storage::Ledger& ledger_;
  const storage::Sealer& sealer_;
  const storage::StateStore& store_;
  const storage::Vault& vault_;
  std::unordered_map<std::string, core::Agency> agencies_;
  std::optional<core::Policy> policy_;
};

}  // namespace carehub::care
