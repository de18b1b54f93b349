#include "broker/core/disclosure.hpp"

#include "broker/base/assert.hpp"
#include "broker/base/ledger_keys.hpp"

namespace carehub::core {

bool nothing_to_show(const Error& error) {
  return error.kind == ErrorKind::not_found || error.kind == ErrorKind::invalid;
}

View::~View() {
  if (held) *held -= event.size();
}

Result<KnownChild> known_child(const StateReader& state, const PersonKey& person, const event::Event& event,
                               Sequence sequence, Sequence mends, Sequence through, Timestamp at) {
  auto facts = state.child_facts(person);
  if (!facts) return tl::unexpected(facts.error());
  auto known = known_through(std::move(*facts), sequence, through);
  const auto facts_of = [&state](const PersonKey& other) { return state.child_facts(other); };
  if (auto added = add_linked(known, person, through, facts_of); !added) return tl::unexpected(added.error());
  return mends == 0 ? std::move(known) : with_own(std::move(known), event, at);
}

Result<Bytes> deliverable(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
                          const storage::SecretKey& pseudonyms, Sequence sequence) {
  auto redacted = redact(event, rule, marks, pseudonyms);
  if (redacted && redacted->size() > limits::kDeliverBytesMax) {
    return fail(ErrorKind::invalid, "the view of entry " + std::to_string(sequence) + " is larger than " +
                                        std::to_string(limits::kDeliverBytesMax) +
                                        " bytes: shorten what its rule replaces");
  }
  return redacted;
}

Disclosure::Disclosure(std::vector<Agency> agencies, const storage::SecretKey& pseudonyms)
    : pseudonyms_(pseudonyms) {
  for (auto& agency : agencies) {
    auto id = agency.id;
    agencies_.emplace(std::move(id), std::move(agency));
  }
}

void Disclosure::add_policy(Policy policy) {
  const auto version = policy.version();
  policies_.insert_or_assign(version, std::move(policy));
}

Result<Policy> Disclosure::parse_policy(const std::string& text, const std::string& file,
                                        std::uint64_t version) {
  std::vector<ConfigFault> faults;
  auto policy = Policy::parse(text, file, version, faults);
  if (!faults.empty()) return fail(ErrorKind::invalid, to_string(faults.front()));
  return policy;
}

const Policy& Disclosure::current() const {
  CAREHUB_ASSERT(!policies_.empty(), "the engine is started before it decides");
  return policies_.rbegin()->second;
}

const Agency& Disclosure::agency(const std::string& id) const {
  static const Agency without_codes;
  const auto found = agencies_.find(id);
  return found == agencies_.end() ? without_codes : found->second;
}

const DisclosureRule* Disclosure::rule(std::uint64_t policy_version, const std::string& role,
                                       const std::string& agency_id, const event::Event& event,
                                       const KnownChild& known, Timestamp at) const {
  const auto policy = policies_.find(policy_version);
  if (policy == policies_.end()) return nullptr;
  return policy->second.rule_for(role, agency(agency_id), event, known, at);
}

Result<std::shared_ptr<const View>> Disclosure::view(const DisclosureRule& rule,
                                                     const RecordedEvent& recorded,
                                                     RestrictionSet marks) const {
  auto redacted = bytes(rule, *recorded.event, recorded.sequence, marks);
  if (!redacted) return tl::unexpected(redacted.error());
  auto view = std::make_shared<View>();
  view->event = std::move(*redacted);
  view->legal_basis = rule.legal_basis;
  view->appended_at = recorded.appended_at;
  view->type = recorded.event->type();
  view->marks = recorded.marks;
  view->held = held_;
  *held_ += view->event.size();
  return std::shared_ptr<const View>(std::move(view));
}

Result<std::shared_ptr<const View>> Disclosure::view(const StateReader& state, const Pending& decided,
                                                     const std::string& role,
                                                     const std::string& agency_id) const {
  const auto sequence = decided.sequence;
  auto stored = state.body(sequence);
  if (!stored) return tl::unexpected(stored.error());
  if (stored->bytes.empty())
    return fail(ErrorKind::not_found, "entry " + std::to_string(sequence) + " has been erased");
  const auto* body = flatbuffers::GetRoot<ledger::Body>(stored->bytes.data());
  const auto* entry = body->entry_as_EventEntry();
  if (entry == nullptr || entry->event() == nullptr) {
    return fail(ErrorKind::corrupt, "entry " + std::to_string(sequence) + " was offered but is no event");
  }
  const Bytes bytes(entry->event()->begin(), entry->event()->end());
  RecordedEvent recorded{sequence, stored->appended_at, {}, verified_event(bytes), {}};
  if (recorded.event == nullptr) {
    return fail(ErrorKind::corrupt,
                "entry " + std::to_string(sequence) + " holds an event that does not verify");
  }
  if (entry->marks() != nullptr) {
    for (const auto mark : *entry->marks()) recorded.marks.push_back(static_cast<ledger::Mark>(mark));
  }
  const auto person = entry->person() == nullptr ? PersonKey() : key_from<PersonKey>(*entry->person());
  const auto known = known_child(state, person, *recorded.event, sequence, entry->mends(), decided.known,
                                 decided.offered_at);
  if (!known) return tl::unexpected(known.error());
  const auto* decides =
      rule(decided.policy_version, role, agency_id, *recorded.event, *known, decided.offered_at);
  if (decides == nullptr) {
    return fail(ErrorKind::not_found, "no rule shows entry " + std::to_string(sequence) + " any more");
  }
  return view(*decides, recorded, marks_of(*recorded.event, *known));
}

}  // namespace carehub::core
