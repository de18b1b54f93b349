#include "broker/core/known_child.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "broker/base/bytes.hpp"
#include "broker/base/fault.hpp"
#include "broker/core/route.hpp"

namespace carehub::core {
namespace {

using event::Event;

/// An official code; a sender's own may look like somebody's.
std::string code_of(const event::Organisation* organisation) {
  if (organisation == nullptr || organisation->code() == nullptr) return {};
  if (organisation->scheme() == event::OrganisationScheme::local) return {};
  auto code = organisation->code()->str();
  return code.size() > limits::kNameBytesMax ? std::string() : code;
}

template <class Time>
std::int64_t us_of(const Time* time, std::int64_t otherwise) {
  return time == nullptr ? otherwise : time->utc_us();
}

/// A sender whose clock is ahead says it from now on.
std::int64_t happened_us(const Event& event, Timestamp appended_at) {
  return std::min(us_of(event.occurred_at(), appended_at.us), appended_at.us);
}

/// The newest of a kind that has begun by then, of one source or (empty) of any.
const ChildFact* newest(const std::vector<ChildFact>& facts, ChildFactKind kind, std::int64_t at_us,
                        std::string_view source = {}) {
  const ChildFact* found = nullptr;
  for (const auto& fact : facts) {
    if (fact.kind != kind || fact.from_us > at_us) continue;
    if (!source.empty() && fact.agency != source) continue;
    if (found == nullptr || fact.from_us >= found->from_us) found = &fact;
  }
  return found;
}

bool has_one_of(const std::vector<std::string>& left, const std::vector<std::string>& right) {
  return std::ranges::find_first_of(left, right) != left.end();
}

bool in_force(const ChildFact& fact, Timestamp at) {
  return fact.from_us <= at.us && (fact.until_us == 0 || at.us < fact.until_us);
}

/// Gathers what one event says.
class Sayings {
 public:
  Sayings(const Event& event, Sequence entry, Timestamp appended_at, const std::vector<ChildFact>& known)
      : event_(event),
        entry_(entry),
        appended_at_(appended_at),
        known_(known),
        happened_us_(happened_us(event, appended_at)) {}

  std::vector<ChildFact> take() {
    const auto* person = event_.person();
    if (person == nullptr) return {};
    where(ChildFactKind::school, person->school());
    where(ChildFactKind::gp_practice, person->gp_practice());
    where(ChildFactKind::home_authority, person->home_authority());
    if (const auto* change = event_.status_change()) key_worker(*change);
    if (const auto* referral = event_.referral()) opened(*referral);
    if (const auto* update = event_.referral_update()) moved_on(*update);
    if (const auto* consent = event_.consent()) said(*consent);
    marked();
    return std::move(facts_);
  }

 private:
  ChildFact fact(ChildFactKind kind, std::int64_t from_us) const {
    ChildFact fact;
    fact.kind = kind;
    fact.entry = entry_;
    fact.at = appended_at_;
    fact.agency = event_.source_agency()->str();
    fact.from_us = from_us;
    return fact;
  }

  /// A source that goes on saying what it said before tells nothing new: else a system that nobody corrects
  /// would take a child back to the school of before with each message.
  void where(ChildFactKind kind, const event::Organisation* organisation) {
    auto code = code_of(organisation);
    if (code.empty()) return;
    auto said = fact(kind, happened_us_);
    said.codes.push_back(std::move(code));
    const auto* before = newest(known_, kind, happened_us_, said.agency);
    if (before != nullptr && before->codes == said.codes) return;
    facts_.push_back(std::move(said));
  }

  void key_worker(const event::StatusChange& change) {
    if (change.kind() != event::StatusKind::key_worker) return;
    auto said = fact(ChildFactKind::key_worker, us_of(change.from_at(), happened_us_));
    if (auto code = code_of(change.authority()); !code.empty()) said.codes.push_back(std::move(code));
    said.until_us = us_of(change.until_at(), 0);
    facts_.push_back(std::move(said));
  }

  void name(ChildFact& said, const flatbuffers::String* text) const {
    if (text != nullptr && text->size() > 0 && text->size() <= limits::kNameBytesMax)
      said.names.push_back(text->str());
  }

  void opened(const event::Referral& referral) {
    const bool over = referral.status() == event::ReferralStatus::closed ||
                      referral.status() == event::ReferralStatus::rejected;
    auto said = fact(over ? ChildFactKind::referral_closed : ChildFactKind::referral, happened_us_);
    said.until_us = us_of(referral.expires_at(), 0);
    name(said, referral.number());
    name(said, referral.receiver_number());
    name(said, event_.id());
    if (said.names.size() == 1) name(said, event_.journey());
    for (const auto* one : {referral.recipient_organisation(), referral.referrer_organisation()}) {
      if (auto code = code_of(one); !code.empty()) said.codes.push_back(std::move(code));
    }
    facts_.push_back(std::move(said));
  }

  void moved_on(const event::ReferralUpdate& update) {
    const bool over = update.status() == event::ReferralStatus::closed ||
                      update.status() == event::ReferralStatus::rejected;
    const auto add = [&](ChildFactKind kind) -> ChildFact& {
      auto said = fact(kind, happened_us_);
      name(said, update.number());
      name(said, update.receiver_number());
      name(said, event_.caused_by());
      if (said.names.empty()) name(said, event_.journey());
      return facts_.emplace_back(std::move(said));
    };
    auto onward = code_of(update.onward_organisation());
    if (over) add(ChildFactKind::referral_closed).for_some = !onward.empty();
    if (onward.empty()) return;
    auto& next = add(ChildFactKind::referral);
    next.agency.clear();
    next.codes.push_back(std::move(onward));
  }

  void said(const event::Consent& consent) {
    if (consent.decision() == event::ConsentDecision::unknown) return;
    auto said = fact(ChildFactKind::consent, us_of(consent.from_at(), happened_us_));
    said.until_us = us_of(consent.until_at(), 0);
    said.given = consent.decision() == event::ConsentDecision::given;
    said.by_young_person = consent.by_young_person() == event::Answer::yes;
    if (const auto* scope = consent.scope()) name(said, scope->code());
    if (const auto* organisations = consent.organisations()) {
      said.for_some = organisations->size() > 0;
      for (const auto* one : *organisations) {
        if (said.codes.size() == kChildFactTextsMax) break;
        if (auto code = code_of(one); !code.empty()) said.codes.push_back(std::move(code));
      }
      // What cannot be told whole is told so that nobody is shown more by it.
      if (said.codes.size() < organisations->size() && !said.given) said.for_some = false;
    }
    facts_.push_back(std::move(said));
  }

  void marked() {
    const auto marks = static_cast<RestrictionSet>(restrictions_of(event_) & ~marks_known(known_));
    if (marks == 0) return;
    auto said = fact(ChildFactKind::marks, happened_us_);
    said.marks = marks;
    facts_.push_back(std::move(said));
  }

  const Event& event_;
  const Sequence entry_;
  const Timestamp appended_at_;
  const std::vector<ChildFact>& known_;
  const std::int64_t happened_us_;
  std::vector<ChildFact> facts_;
};

/// A referral of one of the agency's is open: nothing known closed it, but for the event itself.
bool has_open_referral(const Agency& agency, const KnownChild& known, Timestamp at) {
  for (auto opened = known.facts.begin(); opened != known.facts.end(); ++opened) {
    if (opened->kind != ChildFactKind::referral || !in_force(*opened, at)) continue;
    const bool its_own = !agency.id.empty() && opened->agency == agency.id;
    if (!its_own && !has_one_of(opened->codes, agency.codes)) continue;
    const bool closed = std::any_of(opened, known.facts.end(), [&](const ChildFact& fact) {
      return fact.kind == ChildFactKind::referral_closed && fact.entry != known.event &&
             fact.entry > opened->entry && (!fact.for_some || fact.agency == agency.id) &&
             has_one_of(fact.names, opened->names);
    });
    if (!closed) return true;
  }
  return false;
}

/// Whether the newest word on where the child belongs names the agency.
bool belongs(ChildFactKind kind, const Agency& agency, const KnownChild& known, Timestamp at) {
  const auto* said = newest(known.facts, kind, at.us);
  return said != nullptr && in_force(*said, at) && has_one_of(said->codes, agency.codes);
}

bool is_for(const ChildFact& consent, const std::vector<std::string>& scopes, const Agency& agency) {
  const bool in_scope = scopes.empty() || consent.names.empty() || has_one_of(consent.names, scopes);
  return in_scope && (!consent.for_some || has_one_of(consent.codes, agency.codes));
}

bool is_link(const ChildFact& fact) {
  return fact.kind == ChildFactKind::linked || fact.kind == ChildFactKind::unlinked;
}

bool is_mark(const ChildFact& fact) {
  return fact.kind == ChildFactKind::marks || fact.kind == ChildFactKind::marks_lifted;
}

std::string name_of(const PersonKey& record) { return std::string(text_of(record.bytes)); }

/// The other records, by the newest word on each.
std::set<std::string> linked_names(const std::vector<ChildFact>& facts) {
  std::map<std::string, const ChildFact*> newest_word;
  for (const auto& fact : facts) {
    if (!is_link(fact) || fact.names.empty()) continue;
    const auto*& newest = newest_word[fact.names.front()];
    if (newest == nullptr || fact.entry >= newest->entry) newest = &fact;
  }
  std::set<std::string> names;
  for (const auto& [name, word] : newest_word) {
    if (word->kind == ChildFactKind::linked) names.insert(name);
  }
  return names;
}

}  // namespace

const ChildFact* link_known(const std::vector<ChildFact>& facts, const PersonKey& other) {
  const auto name = name_of(other);
  const ChildFact* newest = nullptr;
  for (const auto& fact : facts) {
    const bool says = is_link(fact) && !fact.names.empty() && fact.names.front() == name;
    if (says && (newest == nullptr || fact.entry >= newest->entry)) newest = &fact;
  }
  return newest;
}

Result<void> add_linked(KnownChild& known, const PersonKey& person, Sequence through,
                        const std::function<Result<std::vector<ChildFact>>(const PersonKey&)>& facts_of) {
  if (std::ranges::none_of(known.facts, is_link) || kFault == Fault::shows_what_a_link_protects) return {};
  std::set<std::string> seen{name_of(person)};
  std::vector<std::string> to_read;
  const auto follow = [&](const std::vector<ChildFact>& facts) {
    for (const auto& name : linked_names(facts)) {
      if (seen.size() <= kLinkedRecordsMax && seen.insert(name).second) to_read.push_back(name);
    }
  };
  follow(known.facts);
  for (std::size_t next = 0; next < to_read.size(); ++next) {
    PersonKey other;
    std::copy_n(to_read[next].begin(), std::min(to_read[next].size(), other.bytes.size()),
                other.bytes.begin());
    auto facts = facts_of(other);
    if (!facts) return tl::unexpected(facts.error());
    auto said = known_through(std::move(*facts), known.event, through).facts;
    follow(said);
    std::erase_if(
        said, [](const ChildFact& fact) { return !is_mark(fact) && fact.kind != ChildFactKind::consent; });
    if (!said.empty()) known.linked.push_back(std::move(said));
  }
  return {};
}

RestrictionSet marks_known(const std::vector<ChildFact>& facts) {
  RestrictionSet marks = 0;
  for (const auto& fact : facts) {
    if (fact.kind == ChildFactKind::marks) marks = static_cast<RestrictionSet>(marks | fact.marks);
    if (fact.kind == ChildFactKind::marks_lifted) marks = static_cast<RestrictionSet>(marks & ~fact.marks);
  }
  return marks;
}

std::vector<ChildFact> facts_said(const Event& event, Sequence entry, Timestamp appended_at,
                                  const std::vector<ChildFact>& known) {
  return Sayings(event, entry, appended_at, known).take();
}

void add_fact(std::vector<ChildFact>& facts, ChildFact fact) {
  facts.push_back(std::move(fact));
  if (facts.size() <= kChildFactsMax) return;
  const auto oldest_of = [&](auto goes) { return std::find_if(facts.begin(), facts.end() - 1, goes); };
  const auto none = facts.end() - 1;
  auto goes = oldest_of([](const ChildFact& one) {
    return one.kind != ChildFactKind::consent && !is_mark(one) && !is_link(one);
  });
  if (goes == none) goes = oldest_of([](const ChildFact& one) { return one.kind == ChildFactKind::consent; });
  if (goes == none) {
    goes = oldest_of([&](const ChildFact& one) {
      return is_link(one) && std::ranges::any_of(facts, [&one](const ChildFact& later) {
               return &later > &one && is_link(later) && later.names == one.names && later.entry >= one.entry;
             });
    });
  }
  if (goes == none)
    goes = oldest_of([](const ChildFact& one) { return one.kind == ChildFactKind::unlinked; });
  if (goes == none) {
    goes = std::find_if(facts.begin(), facts.end(), is_mark);
    const auto next = goes == facts.end() ? goes : std::find_if(goes + 1, facts.end(), is_mark);
    if (next == facts.end()) {
      goes = std::find_if(facts.begin(), facts.end(), is_link);
    } else {
      next->marks = marks_known({*goes, *next});
      next->kind = ChildFactKind::marks;
    }
  }
  facts.erase(goes);
}

KnownChild known_through(std::vector<ChildFact> facts, Sequence event, Sequence through) {
  const auto last = std::max(event, through);
  std::erase_if(facts, [last](const ChildFact& fact) { return fact.entry > last; });
  return {event, std::move(facts)};
}

KnownChild with_own(KnownChild known, const Event& event, Timestamp at) {
  for (auto& fact : facts_said(event, known.event, at, known.facts)) known.facts.push_back(std::move(fact));
  return known;
}

RestrictionSet marks_of(const Event& event, const KnownChild& known) {
  auto marks = static_cast<RestrictionSet>(restrictions_of(event) | marks_known(known.facts));
  for (const auto& record : known.linked) marks = static_cast<RestrictionSet>(marks | marks_known(record));
  return marks;
}

bool is_related(Relationship relationship, const Agency& agency, const Event& event, const KnownChild& known,
                Timestamp at) {
  switch (relationship) {
    case Relationship::pupil: return belongs(ChildFactKind::school, agency, known, at);
    case Relationship::resident: return belongs(ChildFactKind::home_authority, agency, known, at);
    case Relationship::patient:
      if (belongs(ChildFactKind::gp_practice, agency, known, at)) return true;
      return std::ranges::any_of(locations_of(event), [&agency](const event::Location* location) {
        return has_code(location->site(), agency.codes);
      });
    case Relationship::referral: return has_open_referral(agency, known, at);
    case Relationship::key_worker: return belongs(ChildFactKind::key_worker, agency, known, at);
  }
  return false;
}

bool has_broken_glass(const std::string& role, const Agency& agency, const KnownChild& known, Timestamp at) {
  return std::ranges::any_of(known.facts, [&](const ChildFact& fact) {
    return fact.kind == ChildFactKind::broken_glass && fact.agency == agency.id && in_force(fact, at) &&
           std::ranges::find(fact.names, role) != fact.names.end();
  });
}

namespace {

ConsentState consent_in(const std::vector<ChildFact>& facts, const std::vector<std::string>& scopes,
                        bool young_person_decides, const Agency& agency, Timestamp at) {
  std::vector<const ChildFact*> said;
  for (const auto& fact : facts) {
    if (fact.kind == ChildFactKind::consent && in_force(fact, at) && is_for(fact, scopes, agency))
      said.push_back(&fact);
  }
  const auto theirs = [](const ChildFact* fact) { return fact->by_young_person; };
  if (young_person_decides && std::ranges::any_of(said, theirs))
    std::erase_if(said, [&](const ChildFact* fact) { return !theirs(fact); });
  std::ranges::stable_sort(said, {}, [](const ChildFact* fact) { return fact->from_us; });
  std::map<std::string, bool> newest_word;  // by scope
  for (const auto* fact : said) {
    if (fact->names.empty()) newest_word.clear();
    newest_word[fact->names.empty() ? std::string() : fact->names.front()] = fact->given;
  }
  if (newest_word.empty() || kFault == Fault::shares_against_a_refusal) return ConsentState::none;
  const bool all_given = std::ranges::all_of(newest_word, [](const auto& word) { return word.second; });
  return all_given ? ConsentState::given : ConsentState::refused;
}

}  // namespace

ConsentState consent_of(const std::vector<std::string>& scopes, bool young_person_decides,
                        const Agency& agency, const KnownChild& known, Timestamp at) {
  const auto refuses = [&](const std::vector<ChildFact>& record) {
    return consent_in(record, scopes, young_person_decides, agency, at) == ConsentState::refused;
  };
  if (std::ranges::any_of(known.linked, refuses)) return ConsentState::refused;
  return consent_in(known.facts, scopes, young_person_decides, agency, at);
}

}  // namespace carehub::core
