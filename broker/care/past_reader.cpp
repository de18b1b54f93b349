#include "broker/care/past_reader.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/care/child_facts_rows.hpp"
#include "broker/care/people_fold.hpp"
#include "broker/care/subscriptions_fold.hpp"
#include "broker/core/identity.hpp"

namespace carehub::care {
namespace {

constexpr std::string_view kBySequence = "sequence:";

std::optional<Sequence> number_of(std::string_view text) {
  Sequence number = 0;
  if (text.empty() || text.size() > 18) return std::nullopt;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + static_cast<Sequence>(digit - '0');
  }
  return number;
}

}  // namespace

std::unique_ptr<wire::RowT> erased_row(const storage::EntryHeader& header) {
  auto row = std::make_unique<wire::RowT>();
  row->sequence = header.sequence;
  row->appended_at = header.appended_at.us;
  row->kind = "erased";
  row->text = kErasedText;
  return row;
}

std::string erased_before(Sequence entry) {
  return "entry " + std::to_string(entry) + ": " + kErasedText + ", and with it what came before";
}

PastReader::PastReader(const storage::Ledger& ledger, const storage::Sealer& sealer,
                       const storage::StateStore& store, const storage::Vault& vault,
                       std::vector<core::Agency> agencies)
    : ledger_(ledger), sealer_(sealer), store_(store), vault_(vault) {
  for (auto& agency : agencies) {
    auto id = agency.id;
    agencies_.emplace(std::move(id), std::move(agency));
  }
}

Result<core::KnownChild> PastReader::known_child(const PastEvent& event, Timestamp at,
                                                 Sequence through) const {
  auto facts = stored_child_facts(store_, sealer_, event.person);
  if (!facts) return tl::unexpected(facts.error());
  auto known = core::known_through(std::move(*facts), event.sequence, through);
  const auto facts_of = [this](const PersonKey& other) { return stored_child_facts(store_, sealer_, other); };
  if (auto added = core::add_linked(known, event.person, through, facts_of); !added)
    return tl::unexpected(added.error());
  return event.mends == 0 ? std::move(known) : core::with_own(std::move(known), *event.event, at);
}

const core::Policy& PastReader::policy() const {
  CAREHUB_ASSERT(policy_.has_value(), "use_policy() comes before the first question");
  return *policy_;
}

std::vector<const core::Agency*> PastReader::agencies_with(const std::string& role) const {
  std::vector<const core::Agency*> having;
  for (const auto& [id, agency] : agencies_) {
    if (std::ranges::find(agency.roles, role) != agency.roles.end()) having.push_back(&agency);
  }
  std::ranges::sort(having, {}, &core::Agency::id);
  return having;
}

const core::Agency& PastReader::agency_of(const std::string& id) const {
  static const core::Agency without_codes;
  const auto found = agencies_.find(id);
  return found == agencies_.end() ? without_codes : found->second;
}

Result<std::vector<core::Subscription>> PastReader::visible(const core::Peer& peer) const {
  auto all = subscription_rows(rows());
  if (!all || peer.is_operator) return all;
  std::erase_if(*all, [&](const auto& one) { return one.agency != peer.agency; });
  return all;
}

Result<Bytes> PastReader::body(const storage::SealedEntry& sealed) const {
  auto body = sealer_.open(sealed);
  if (!body && body.error().kind == ErrorKind::not_found) return Bytes();
  if (!body) return body;
  flatbuffers::Verifier verifier(body->data(), body->size());
  if (!verifier.VerifyBuffer<ledger::Body>(nullptr)) {
    return fail(ErrorKind::corrupt,
                "entry " + std::to_string(sealed.header.sequence) + " opens but does not verify");
  }
  return body;
}

Result<Sequence> first_since(const storage::Ledger& ledger, Timestamp at) {
  Sequence first = 1;
  Sequence behind = ledger.head() + 1;
  // The time of appending never goes back.
  while (first < behind) {
    const Sequence middle = first + (behind - first) / 2;
    auto entries = ledger.read(middle, 1, 1);
    if (!entries) return tl::unexpected(entries.error());
    if (entries->empty() || entries->front().header.appended_at >= at) {
      behind = middle;
    } else {
      first = middle + 1;
    }
  }
  return first;
}

Result<std::optional<PastEvent>> PastReader::event_at(Sequence sequence) const {
  auto entries = ledger_.read(sequence, 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty()) return std::optional<PastEvent>();
  return open(entries->front());
}

Result<std::unique_ptr<wire::RowT>> PastReader::erased_row(const std::string& identifier) const {
  std::unique_ptr<wire::RowT> none;
  if (!std::string_view(identifier).starts_with(kBySequence)) return none;
  const auto sequence = number_of(std::string_view(identifier).substr(kBySequence.size()));
  if (!sequence || *sequence == 0) return none;
  auto entries = ledger_.read(*sequence, 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty() || entries->front().header.kind != storage::EntryKind::event) return none;
  auto event = open(entries->front());
  if (!event) return tl::unexpected(event.error());
  return *event ? std::move(none) : care::erased_row(entries->front().header);
}

Result<PersonKey> PastReader::person_of(const std::string& identifier) const {
  const auto nobody = fail(ErrorKind::not_found, "the hub knows nobody by this identifier");
  if (std::string_view(identifier).starts_with(kBySequence)) {
    const auto sequence = number_of(std::string_view(identifier).substr(kBySequence.size()));
    if (!sequence || *sequence == 0)
      return fail(ErrorKind::invalid, "sequence: is followed by an entry's number");
    auto event = event_at(*sequence);
    if (!event) return tl::unexpected(event.error());
    if (!*event) return nobody;
    return (*event)->person;
  }
  auto canonical = core::canonical_identifier(identifier);
  if (!canonical) return tl::unexpected(canonical.error());
  auto linked = person_linked(rows(), core::identifier_hash(vault_.index_key(), *canonical));
  if (!linked) return tl::unexpected(linked.error());
  if (!*linked) return nobody;
  return **linked;
}

}  // namespace carehub::care
