#include "broker/care/trail.hpp"

#include <algorithm>
#include <charconv>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/links_fold.hpp"
#include "broker/core/asked_text.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/identity.hpp"
#include "broker/core/repeats.hpp"

namespace carehub::care {
namespace {

constexpr std::string_view kBySequence = "sequence:";
constexpr const char* kMayHaveShown = "may_have_shown";

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

bool of_trail(storage::EntryKind kind) {
  using storage::EntryKind;
  switch (kind) {
    case EntryKind::access:
    case EntryKind::operator_action:
    case EntryKind::subscription_changed:
    case EntryKind::policy_changed:
    case EntryKind::config_changed:
    case EntryKind::erasure:
    case EntryKind::report: return true;
    default: return false;
  }
}

/// That a subscription has looked at more of the ledger, or that messages came again, is nobody's act.
bool of_hub_alone(const ledger::Body& body) {
  if (const auto* action = body.entry_as_OperatorAction())
    return text_of(action->action()) == core::kRepeatsAction && text_of(action->by()) == core::kByHub;
  const auto* change = body.entry_as_SubscriptionChanged();
  return change != nullptr && change->change() == ledger::SubscriptionChange::advanced;
}

Sequence entry_asked_for(const ledger::Access& access) {
  const auto what = access.what() == nullptr ? std::string_view() : access.what()->string_view();
  if (!what.starts_with(kBySequence)) return 0;
  Sequence sequence = 0;
  std::from_chars(what.data() + kBySequence.size(), what.data() + what.size(), sequence);
  return sequence;
}

/// `state` says what was done, `text` to what.
void tell(const ledger::Access& access, wire::RowT& row) {
  row.state = text_of(access.verb());
  row.by = text_of(access.by());
  row.agency = text_of(access.agency());
  row.role = text_of(access.role());
  row.reason = text_of(access.reason());
  row.text = text_of(access.what());
  row.text.erase(0, row.text.find_first_not_of(' '));
  if (access.person() != nullptr && row.text.find("about one person") == std::string::npos)
    row.text += row.text.empty() ? "one person" : " of one person";
  if (access.until() != 0) row.text += " until " + to_rfc3339({access.until()});
}

void tell(const ledger::OperatorAction& action, wire::RowT& row) {
  row.state = text_of(action.action());
  row.by = text_of(action.by());
  row.reason = text_of(action.reason());
  row.subscription = text_of(action.subscription());
  if (action.sequence() != 0) row.text = "entry " + std::to_string(action.sequence());
  if (const auto detail = text_of(action.detail()); !detail.empty())
    row.text += (row.text.empty() ? "" : ", ") + detail;
  if (const auto* others = action.others())
    row.text +=
        ", " + std::to_string(others->size()) + (others->size() == 1 ? " other record" : " other records");
  if (action.restrictions() == nullptr) return;
  for (const auto mark : *action.restrictions()) {
    row.text += row.text.empty() ? "" : ", ";
    row.text += event::EnumNameRestriction(static_cast<event::Restriction>(mark));
  }
}

void tell(const ledger::SubscriptionChanged& change, wire::RowT& row) {
  row.state = ledger::EnumNameSubscriptionChange(change.change());
  row.by = text_of(change.by());
  row.reason = text_of(change.reason());
  row.agency = text_of(change.agency());
  row.role = text_of(change.role());
  row.subscription = text_of(change.name());
  if (const auto into = text_of(change.replay_of()); !into.empty())
    row.text = "a replay into " + into + " of entries " + std::to_string(change.start()) + " to " +
               std::to_string(change.last());
  else if (change.start() != 0)
    row.text = "from entry " + std::to_string(change.start()) +
               (change.through() == 0 ? "" : " through " + std::to_string(change.through()));
}

void tell(const ledger::Erasure& erasure, wire::RowT& row) {
  row.state = erasure.complete() ? "erase, complete" : "erase";
  row.by = text_of(erasure.by());
  row.reason = text_of(erasure.reason());
  row.text = std::to_string(erasure.keys() == nullptr ? 0 : erasure.keys()->size()) + " keys";
}

void tell_text(const char* what, std::uint64_t version, const flatbuffers::String* by,
               const flatbuffers::String* reason, wire::RowT& row) {
  row.state = std::string("change ") + what;
  row.by = text_of(by);
  row.reason = text_of(reason);
  row.text = "version " + std::to_string(version);
}

void tell(const ledger::Body& body, wire::RowT& row) {
  if (const auto* access = body.entry_as_Access()) tell(*access, row);
  if (const auto* action = body.entry_as_OperatorAction()) tell(*action, row);
  if (const auto* change = body.entry_as_SubscriptionChanged()) tell(*change, row);
  if (const auto* erasure = body.entry_as_Erasure()) tell(*erasure, row);
  if (const auto* policy = body.entry_as_PolicyChanged()) {
    tell_text("policy", policy->version() == 0 ? row.sequence : policy->version(), policy->by(),
              policy->reason(), row);
  }
  if (const auto* config = body.entry_as_ConfigChanged()) {
    tell_text("configuration", config->version() == 0 ? row.sequence : config->version(), config->by(),
              config->reason(), row);
  }
  if (const auto* report = body.entry_as_Report()) {
    row.state = "report";
    row.by = text_of(report->by());
    row.reason = text_of(report->reason());
    row.text = text_of(report->name());
  }
}

void add_text(wire::RowT& row, const std::string& more) { row.text += (row.text.empty() ? "" : ", ") + more; }

std::size_t size_of(const wire::RowT& row) {
  return sizeof(row) + row.state.size() + row.by.size() + row.reason.size() + row.agency.size() +
         row.role.size() + row.subscription.size() + row.text.size();
}

}  // namespace

Trail::Trail(const PastReader& past, wire::QueryT query)
    : past_(past),
      query_(std::move(query)),
      rows_max_(query_.rows_max == 0 ? limits::kQueryRowsMax
                                     : std::min<std::size_t>(query_.rows_max, limits::kQueryRowsMax)),
      chains_(past) {}

Result<void> Trail::begin() {
  phase_ = Phase::walks;
  if (!query_.person.empty()) {
    auto person = past_.person_of(query_.person);
    if (person) {
      records_.emplace(past_, *person);
      if (auto found = records_->find(); !found) return found;
      if (auto begun = chains_.begin(records_->people(), 0); !begun) return begun;
      for (const auto& record : records_->people()) {
        const auto names = names_of(past_.rows(), record, LinkedRecords::kNamesMax);
        if (!names) return tl::unexpected(names.error());
        for (const auto& name : *names) unknown_.push_back({name.bytes});
      }
    } else if (person.error().kind != ErrorKind::not_found) {
      return tl::unexpected(person.error());
    }
    // A question about somebody whom the hub did not know yet was written down under the identifier's hash.
    const auto canonical = core::canonical_identifier(query_.person);
    if (canonical)
      unknown_.push_back({core::identifier_hash(past_.index_key(), *canonical).bytes});
    else if (!records_)
      return tl::unexpected(person.error());
  }
  next_ = query_.after + 1;
  if (query_.first_at == 0) return {};
  auto first = past_.first_since({query_.first_at});
  if (!first) return tl::unexpected(first.error());
  next_ = std::max(next_, *first);
  return {};
}

wire::PageT Trail::take() {
  if (records_) records_->add_remark(page_.text);
  if (const auto ended = chains_.take_remark(); !ended.empty())
    page_.text += (page_.text.empty() ? "" : "; ") + ended;
  return std::move(page_);
}

/// The person's events, a part at a time: by them it is told which questions of many cannot have shown one.
Result<void> Trail::walk() {
  for (std::size_t looked = 0; looked < kScanEntries && !chains_.over(); ++looked) {
    if (events_.size() == kEventsMax) all_events_ = false;
    auto event = all_events_ ? chains_.step() : std::optional<PastEvent>();
    if (!event) return tl::unexpected(event.error());
    if (!*event) {
      all_events_ = false;
      break;
    }
    records_->take(**event);
    const auto& journey = (*event)->journey;
    events_.push_back({(*event)->sequence, (*event)->agency,
                       journey.empty()
                           ? std::string()
                           : to_hex(storage::keyed_hash(past_.index_key(), "journey:" + journey).bytes)});
  }
  if (chains_.over() || !all_events_) phase_ = Phase::scans;
  return {};
}

/// A timeline of a journey or an agency, or a replay of a span, that one of the person's events falls under.
bool Trail::may_have_shown(const ledger::Access& access, Sequence entry) const {
  const auto what = text_of(access.what());
  if (!records_ || access.person() != nullptr || what.starts_with(kBySequence)) return false;
  const auto verb = text_of(access.verb());
  const auto span = core::asked_span(what);
  const bool of_many = verb == "replay" || (verb == "timeline" && !(span.journey + span.agency).empty());
  if (!of_many) return false;
  if (!all_events_) return true;
  return std::ranges::any_of(events_, [&](const Event& event) {
    if (event.sequence > entry) return false;
    if (span.entries && (event.sequence < span.entries->first || event.sequence > span.entries->second))
      return false;
    if (!span.journey.empty() && event.journey != span.journey) return false;
    return verb == "replay" || span.agency.empty() || event.agency == span.agency;
  });
}

/// `asked_in`: an operator's question, which is answered from all records that are one child then.
Result<Trail::About> Trail::about_person(const ledger::Key* key, std::uint64_t event, Sequence asked_in) {
  std::optional<PersonKey> of;
  if (key != nullptr) {
    of = key_from<PersonKey>(*key);
    if (std::ranges::find(unknown_, *of) != unknown_.end()) return About{true};
  } else if (event != 0 && records_) {
    auto found = past_.event_at(event);
    if (!found) return tl::unexpected(found.error());
    if (*found) of = (*found)->person;
  }
  if (!of || !records_) return About();
  const auto& people = records_->people();
  if (std::ranges::find(people, *of) != people.end()) return About{true, false, records_->number_of(*of)};
  if (asked_in == 0) return About();
  auto linked = records_->was_linked(*of, asked_in);
  if (!linked) return tl::unexpected(linked.error());
  return About{*linked, *linked};
}

Result<Trail::About> Trail::wanted(const ledger::Body& body, Sequence entry) {
  if (of_hub_alone(body)) return About();
  if (query_.person.empty()) return About{true};
  if (const auto* access = body.entry_as_Access()) {
    const bool of_operator = access->agency() == nullptr || access->agency()->size() == 0;
    return about_person(access->person(), entry_asked_for(*access), of_operator ? entry : 0);
  }
  if (const auto* erasure = body.entry_as_Erasure()) return about_person(erasure->person(), 0, 0);
  if (const auto* action = body.entry_as_OperatorAction())
    return about_person(action->person(), action->sequence(), 0);
  if (const auto* change = body.entry_as_SubscriptionChanged()) return about_person(change->person(), 0, 0);
  return About();
}

Result<bool> Trail::advance() {
  if (phase_ != Phase::scans) {
    auto done = phase_ == Phase::begins ? begin() : walk();
    if (!done) return tl::unexpected(done.error());
    return false;
  }
  auto entries = past_.ledger().read(next_, kScanEntries, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  if (entries->empty()) return true;
  for (const auto& sealed : *entries) {
    const auto& header = sealed.header;
    if (query_.last_at != 0 && header.appended_at.us > query_.last_at) return true;
    next_ = header.sequence + 1;
    if (!of_trail(header.kind)) continue;
    auto bytes = past_.body(sealed);
    if (!bytes) return tl::unexpected(bytes.error());
    auto row = std::make_unique<wire::RowT>();
    row->sequence = header.sequence;
    row->appended_at = header.appended_at.us;
    row->kind = storage::to_string(header.kind);
    if (bytes->empty()) {
      if (!query_.person.empty()) continue;
      row->text = kErasedText;
    } else {
      const auto& body = *flatbuffers::GetRoot<ledger::Body>(bytes->data());
      auto about = wanted(body, header.sequence);
      if (!about) return tl::unexpected(about.error());
      const auto* access = body.entry_as_Access();
      const bool of_many = !about->is && access != nullptr && may_have_shown(*access, header.sequence);
      if (!about->is && !of_many) continue;
      tell(body, *row);
      if (about->record != 0) add_text(*row, "record " + std::to_string(about->record));
      if (about->linked_then) add_text(*row, "by a record that a link, taken back since, made this child's");
      if (of_many) row->kind = kMayHaveShown;
    }
    bytes_ += size_of(*row);
    page_.rows.push_back(std::move(row));
    if (page_.rows.size() < rows_max_ && bytes_ < kPageBytes) continue;
    page_.more = true;
    page_.next_after = header.sequence;
    return true;
  }
  return false;
}

}  // namespace carehub::care
