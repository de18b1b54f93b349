#include "broker/care/as_of.hpp"

#include <algorithm>
#include <set>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/filing.hpp"
#include "broker/care/subscriptions_fold.hpp"
#include "broker/core/agencies_text.hpp"
#include "broker/core/asked_text.hpp"
#include "broker/core/delivery.hpp"
#include "broker/core/disclosure.hpp"

namespace carehub::care {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

/// The subscription that a replay went into; any other name as it is.
std::string_view target_of(std::string_view name) {
  return core::is_replay_name(name) ? name.substr(0, name.find('/')) : name;
}

void add_text(std::string& text, const std::string& more) { text += (text.empty() ? "" : "; ") + more; }

}  // namespace

AsOf::AsOf(const PastReader& past, wire::QueryT query)
    : past_(past), query_(std::move(query)), chains_(past) {}

bool AsOf::of_every_agency() const { return query_.agency == core::kEveryAgency; }

Result<bool> AsOf::advance() {
  if (phase_ == Phase::begins) {
    auto begun = begin();
    if (!begun) return tl::unexpected(begun.error());
    phase_ = Phase::walks;
    return !page_.rows.empty();  // that it has been erased
  }
  return phase_ == Phase::walks ? walk() : scan();
}

wire::PageT AsOf::take() {
  if (records_) records_->add_remark(page_.text);
  if (const auto ended = chains_.take_remark(); !ended.empty()) add_text(page_.text, ended);
  return std::move(page_);
}

Result<void> AsOf::begin() {
  auto person = past_.person_of(query_.person);
  if (!person) {
    auto erased = past_.erased_row(query_.person);
    if (!erased) return tl::unexpected(erased.error());
    if (!*erased) return tl::unexpected(person.error());
    page_.rows.push_back(std::move(*erased));
    return {};
  }
  records_.emplace(past_, *person);
  if (auto found = records_->find(); !found) return found;
  if (auto begun = chains_.begin(records_->people(), query_.after); !begun) return begun;
  auto subscribed = subscription_rows(past_.rows());
  if (!subscribed) return tl::unexpected(subscribed.error());
  for (auto& one : *subscribed) owners_[one.name] = one.agency;
  // A name belongs to one agency for ever, so that whose it was then is whose it is.
  auto former = former_subscription_rows(past_.rows());
  if (!former) return tl::unexpected(former.error());
  for (auto& one : *former) owners_.emplace(one.name, one.agency);
  auto configs = config_rows(past_.rows());
  if (!configs) return tl::unexpected(configs.error());
  configs_ = std::move(*configs);
  if (of_every_agency()) return {};
  const bool known = past_.knows_agency(query_.agency) || std::ranges::any_of(owners_, [&](const auto& one) {
                       return one.second == query_.agency;
                     });
  if (!known && !was_configured())
    return fail(ErrorKind::not_found, "no agency of this id was ever configured: see `carehub check`");
  return {};
}

/// Also one that has left, and had no subscription but watched.
bool AsOf::was_configured() {
  return std::ranges::any_of(configs_, [&](const auto& config) {
    const auto agency = agency_in(query_.agency, config);
    return agency && (*agency)->id == query_.agency;
  });
}

Result<const core::Agency*> AsOf::agency_in(const std::string& id,
                                            const core::EngineState::KnownPolicy& config) {
  const std::pair key{config.version, id};
  if (const auto known = agencies_.find(key); known != agencies_.end()) return &known->second;
  auto agencies = core::agencies_from(config.text);
  if (!agencies) return tl::unexpected(agencies.error());
  const auto own = std::ranges::find(*agencies, id, &core::Agency::id);
  return &agencies_.emplace(key, own != agencies->end() ? std::move(*own) : core::Agency()).first->second;
}

Result<const core::Agency*> AsOf::agency_then(const std::string& id, Sequence entry) {
  const auto behind = std::ranges::upper_bound(configs_, entry, {}, &core::EngineState::KnownPolicy::version);
  if (behind == configs_.begin()) return &past_.agency_of(id);
  return agency_in(id, *std::prev(behind));
}

/// The child's events that were there by then, from one to the one before.
Result<bool> AsOf::walk() {
  for (std::size_t looked = 0; looked < kScanEntries; ++looked) {
    if (chains_.over() || events_.size() == kEventsMax) {
      if (events_.empty()) return true;
      page_.more = !chains_.over();
      page_.next_after = chains_.next();
      restart();
      return false;
    }
    auto event = chains_.step();
    if (!event) return tl::unexpected(event.error());
    if (!*event) continue;
    records_->take(**event);
    if ((*event)->appended_at.us <= query_.at)
      events_.push_back({(*event)->sequence, records_->number_of((*event)->person)});
  }
  return false;
}

void AsOf::restart() {
  answers_.clear();
  held_ = 0;
  for (const auto& event : events_) answers_[event.sequence];
  next_ = events_.back().sequence;
  phase_ = Phase::scans;
}

/// An event that very many were shown has a page with fewer others, or for itself.
bool AsOf::narrow() {
  if (events_.size() == 1) return false;
  page_.text.clear();
  page_.more = true;
  page_.next_after = events_[events_.size() / 2].sequence;
  events_.resize(events_.size() / 2);
  restart();
  return true;
}

Result<bool> AsOf::scan() {
  auto entries = past_.ledger().read(next_, kScanEntries, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& sealed : *entries) {
    if (sealed.header.appended_at.us > query_.at) {
      entries->clear();
      break;
    }
    if (auto done = read(sealed); !done) return tl::unexpected(done.error());
    if (held_ > kAnswersMax) {
      if (narrow()) return false;
      return fail(ErrorKind::overloaded, "entry " + std::to_string(events_.front().sequence) +
                                             " was offered more than " + std::to_string(kAnswersMax) +
                                             " times: too often for one answer");
    }
    next_ = sealed.header.sequence + 1;
  }
  if (!entries->empty()) return false;
  if (auto done = finish(); !done) return tl::unexpected(done.error());
  return true;
}

Result<void> AsOf::read(const storage::SealedEntry& sealed) {
  using storage::EntryKind;
  const auto kind = sealed.header.kind;
  if (kind != EntryKind::offered && kind != EntryKind::acked && kind != EntryKind::withheld &&
      kind != EntryKind::dead_letter)
    return {};
  auto body = past_.body(sealed);
  if (!body) return tl::unexpected(body.error());
  if (body->empty()) return {};
  const auto* stored = flatbuffers::GetRoot<ledger::Body>(body->data());
  if (const auto* entry = stored->entry_as_Offered()) return offered(*entry, sealed.header);
  if (const auto* entry = stored->entry_as_Withheld()) return withheld(*entry, sealed.header);
  if (const auto* entry = stored->entry_as_Acked()) acked(*entry, sealed.header);
  if (const auto* entry = stored->entry_as_DeadLetter()) given_up(*entry, sealed.header.sequence);
  return {};
}

Result<std::optional<std::string>> AsOf::agency_of(std::string_view subscription, std::string_view role,
                                                   Sequence entry) {
  using Whose = std::optional<std::string>;
  const auto asked_for = [this](std::string id) {
    return of_every_agency() || id == query_.agency ? Whose(std::move(id)) : std::nullopt;
  };
  if (const auto watching = core::agency_of_watch(subscription)) return asked_for(std::string(*watching));
  if (!subscription.empty() && subscription.front() == core::kWatchMark) {
    if (of_every_agency()) return Whose(std::string());
    auto agency = agency_then(query_.agency, entry);
    if (!agency) return tl::unexpected(agency.error());
    const auto& roles = (*agency)->roles;
    return std::ranges::find(roles, role) != roles.end() ? Whose(query_.agency) : std::nullopt;
  }
  const auto owner = owners_.find(target_of(subscription));
  return owner != owners_.end() ? asked_for(owner->second) : std::nullopt;
}

AsOf::Answer& AsOf::add(Sequence event) {
  ++held_;
  return answers_[event].emplace_back();
}

Result<void> AsOf::offered(const ledger::Offered& entry, const storage::EntryHeader& header) {
  if (entry.subscription() == nullptr || entry.runs() == nullptr) return {};
  const auto name = entry.subscription()->string_view();
  const auto role = text_of(entry.role());
  const auto agency = agency_of(name, role, header.sequence);
  if (!agency) return tl::unexpected(agency.error());
  if (!*agency) return {};
  auto now = agency_then(**agency, header.sequence);
  if (!now) return tl::unexpected(now.error());
  for (const auto* run : *entry.runs()) {
    if (run->range() == nullptr) continue;
    const auto last = run->range()->last();
    for (auto found = answers_.lower_bound(run->range()->first());
         found != answers_.end() && found->first <= last; ++found) {
      auto& answers = found->second;
      const auto before = std::find_if(answers.rbegin(), answers.rend(), [&](const Answer& answer) {
        return answer.subscription == name && !answer.withheld;
      });
      // A further attempt is the same decision, unless the agency has other codes by now.
      auto decided_at = header.appended_at;
      if (run->attempt() > 1 && before != answers.rend() &&
          before->policy_version == entry.policy_version()) {
        decided_at = before->decided_at;
        auto then = agency_then(**agency, before->entry);
        if (!then) return tl::unexpected(then.error());
        if ((*then)->codes == (*now)->codes) {
          before->attempts = run->attempt();
          continue;
        }
      }
      auto& answer = add(found->first);
      answer.agency = **agency;
      answer.subscription = name;
      answer.role = role;
      answer.policy_version = entry.policy_version();
      answer.legal_basis = text_of(entry.legal_basis());
      answer.late = entry.late();
      answer.decided_at = decided_at;
      answer.known = entry.known();
      answer.attempts = run->attempt();
      answer.entry = header.sequence;
      answer.at = header.appended_at;
    }
  }
  return {};
}

/// The newest offer is the one that was answered.
template <class Visit>
void AsOf::each_offer(std::string_view subscription, Sequence first, Sequence last, Visit visit) {
  for (auto found = answers_.lower_bound(first); found != answers_.end() && found->first <= last; ++found) {
    auto& answers = found->second;
    const auto offer = std::find_if(answers.rbegin(), answers.rend(), [&](const Answer& answer) {
      return answer.subscription == subscription && !answer.withheld;
    });
    if (offer != answers.rend()) visit(*offer);
  }
}

void AsOf::acked(const ledger::Acked& entry, const storage::EntryHeader& header) {
  if (entry.subscription() == nullptr || entry.ranges() == nullptr) return;
  for (const auto* range : *entry.ranges()) {
    each_offer(entry.subscription()->string_view(), range->first(), range->last(), [&](Answer& offer) {
      if (offer.acked_at) return;
      offer.acked_at = header.appended_at;
      offer.acked_in = header.sequence;
    });
  }
}

void AsOf::given_up(const ledger::DeadLetter& entry, Sequence in) {
  if (entry.subscription() == nullptr) return;
  each_offer(entry.subscription()->string_view(), entry.sequence(), entry.sequence(),
             [&](Answer& offer) { offer.given_up_in = in; });
}

Result<void> AsOf::withheld(const ledger::Withheld& entry, const storage::EntryHeader& header) {
  if (entry.subscription() == nullptr || entry.ranges() == nullptr) return {};
  const auto role = text_of(entry.role());
  const auto agency = agency_of(entry.subscription()->string_view(), role, header.sequence);
  if (!agency) return tl::unexpected(agency.error());
  if (!*agency) return {};
  for (const auto* range : *entry.ranges()) {
    for (auto found = answers_.lower_bound(range->first());
         found != answers_.end() && found->first <= range->last(); ++found) {
      auto& answer = add(found->first);
      answer.agency = **agency;
      answer.subscription = entry.subscription()->str();
      answer.role = role;
      answer.policy_version = entry.policy_version();
      answer.rule = text_of(entry.rule());
      answer.withheld = true;
      answer.entry = header.sequence;
      answer.at = header.appended_at;
    }
  }
  return {};
}

Result<void> AsOf::finish() {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const auto& answers = answers_[events_[i].sequence];
    if (answers.empty()) continue;
    auto event = past_.event_at(events_[i].sequence);
    if (!event) return tl::unexpected(event.error());
    if (!*event) continue;  // erased while this was looked for
    const auto rows = page_.rows.size();
    auto added = add_rows(**event, events_[i].record, answers);
    if (!added) return tl::unexpected(added.error());
    bytes += *added;
    const bool full = bytes > kPageBytes || page_.rows.size() > limits::kQueryRowsMax;
    if (!full || rows == 0) continue;
    page_.rows.resize(rows);
    page_.text.clear();
    page_.more = true;
    page_.next_after = events_[i].sequence;
    return {};
  }
  return {};
}

/// The bytes of the views that were added: of each event, one for every rule of a policy.
Result<std::size_t> AsOf::add_rows(const PastEvent& event, std::size_t record,
                                   const std::vector<Answer>& answers) {
  std::size_t bytes = 0;
  std::set<std::pair<std::string, std::uint64_t>> seen;
  for (const auto& answer : answers) {
    auto row = std::make_unique<wire::RowT>();
    row->sequence = event.sequence;
    row->appended_at = answer.at.us;
    row->kind = answer.withheld ? "withheld" : answer.acked_at ? "acknowledged" : "offered";
    row->type = event.event->type();
    row->agency = answer.agency;
    row->subscription = answer.subscription;
    row->role = answer.role;
    row->policy_version = answer.policy_version;
    row->rule = answer.rule;
    row->legal_basis = answer.legal_basis;
    row->attempts = answer.attempts;
    if (answer.acked_at) row->since = answer.acked_at->us;
    row->state = to_text(Filing{record, answer.entry, answer.acked_in, answer.given_up_in});
    if (answer.given_up_in != 0) add_text(row->text, "given up");
    if (answer.late) add_text(row->text, "offered again");
    if (core::is_replay_name(answer.subscription)) add_text(row->text, "by a replay");
    if (core::agency_of_watch(answer.subscription)) {
      add_text(row->text, "watched");
    } else if (answer.subscription.starts_with(core::kWatchMark)) {
      row->agency.clear();
      add_text(row->text, "watched in a role that the agency has; by whom is not written down");
    }
    if (!answer.withheld) {
      auto shown = show(event, answer, *row);
      if (!shown) return tl::unexpected(shown.error());
      if (!shown->empty()) add_text(row->text, *shown);
      if (row->view.empty() || seen.emplace(row->rule, answer.policy_version).second) {
        bytes += row->view.size();
      } else {
        row->view.clear();
      }
    }
    page_.rows.push_back(std::move(row));
  }
  return bytes;
}

/// Puts the view into the row, or says why there is none.
Result<std::string> AsOf::show(const PastEvent& event, const Answer& answer, wire::RowT& row) {
  auto decided = policy(answer.policy_version);
  if (!decided) return tl::unexpected(decided.error());
  auto agency = agency_then(answer.agency, answer.entry);
  if (!agency) return tl::unexpected(agency.error());
  const auto known = past_.known_child(event, answer.decided_at, answer.known);
  if (!known) return tl::unexpected(known.error());
  const auto* rule = *decided == nullptr ? nullptr
                                         : (*decided)->rule_for(answer.role, **agency, *event.event, *known,
                                                                answer.decided_at);
  if (rule == nullptr || rule->legal_basis != answer.legal_basis)
    return std::string("what was seen cannot be shown again: the agency's codes of then are not on record");
  row.rule = rule->name;
  auto view = past_.view(event, *rule, *known);
  if (view) {
    row.view = std::move(*view);
    return std::string();
  }
  if (view.error().kind == ErrorKind::invalid) return view.error().text;
  return tl::unexpected(view.error());
}

/// nullptr: no policy of this version is known.
Result<const core::Policy*> AsOf::policy(std::uint64_t version) {
  if (!policies_.contains(version)) {
    auto known = policy_rows(past_.rows());
    if (!known) return tl::unexpected(known.error());
    for (const auto& one : *known) {
      if (one.version != version) continue;
      auto parsed =
          core::Disclosure::parse_policy(one.text, "policy " + std::to_string(one.version), one.version);
      if (!parsed) return tl::unexpected(parsed.error());
      policies_.emplace(one.version, std::move(*parsed));
    }
  }
  const auto found = policies_.find(version);
  return found == policies_.end() ? nullptr : &found->second;
}

}  // namespace carehub::care
