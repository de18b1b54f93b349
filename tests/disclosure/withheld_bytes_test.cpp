#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>

#include "tests/disclosure/policy_maker.hpp"
#include "tests/disclosure/watched_hub.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::disclosure;

namespace {

constexpr std::uint64_t kUsualSeed = 20'260'301;
constexpr int kRounds = 6;
constexpr std::size_t kEventsOfHalf = 40;
constexpr std::size_t kReturning = 4;  // children of whom more than one event comes
constexpr std::int64_t kFarAheadUs = 4'000'000'000'000'000;
const std::vector<std::string> kRoles{"desk", "pastoral", "ward", "bench", "visitor"};
const std::vector<std::string> kSources{"east-hospital", "west-hospital"};
const std::vector<std::string> kReaders{"north-council", "south-school", "high-practice", "low-trust"};
const std::vector<std::string> kCodes{"900101", "E10000099", "A81001"};  // a school, an authority, a practice
const std::vector<std::string> kOtherCodes{"900202", "E10000088", "A81002"};

/// What one seed makes of a hub: a policy that another one follows, and events under each of them.
class Round {
 public:
  Round(std::uint64_t seed, Way way)
      : maker_(seed), before_(policy()), after_(policy()), hub_(agencies(), before_), way_(way) {}

  void run();
  std::size_t shown() const { return shown_; }
  std::size_t withheld() const { return withheld_; }
  std::size_t compared() const { return compared_; }

 private:
  struct Event {
    MarkedEvent event;
    Sequence sequence = 0;
    const PolicyModel* policy = nullptr;  // when it came
    std::size_t child = 0;
  };
  struct Reader {
    std::string agency;
    std::vector<std::string> roles;
    WirePeer peer;
    std::map<std::string, std::set<Sequence>> came = {};  // by subscription
  };
  /// By what was said and what the policy was when the event came, or by what is now.
  enum class When { then, now };

  fakes::SeededRandom& random() { return maker_.random(); }
  PolicyModel policy();
  std::vector<core::Agency> agencies();
  Event event();
  const PolicyModel& policy_of(When when, const Event& of) const {
    return when == When::now ? after_ : *of.policy;
  }
  Said said_of(When when, std::size_t number) const;
  void subscribe();
  void publish(const PolicyModel& policy);
  void change_policy();
  void read_deliveries();
  void ask_timelines();
  void ask_operators();
  void compare_policies();
  void replay();
  Arrived ask(Reader& reader, wire::QueryT frame);
  const ModelRule* rule(When when, const std::string& role, const std::string& agency,
                        std::size_t number) const;
  std::size_t count_shown(When when, const std::string& role, const std::string& agency) const;
  /// Of the event's values that are like no others, those that the rule shows as they are.
  const std::set<std::string>& shown_by(When when, const ModelRule& rule, std::size_t number);
  /// Fails where the bytes hold a value that none of these roles is shown.
  void check(const Bytes& bytes, const std::vector<std::string>& roles, const std::string& agency, When when);
  /// The same of one event's view: and what is shown is there.
  void check_view(const Bytes& view, const std::string& role, const std::string& agency, Sequence sequence,
                  When when);

  EventMaker maker_;
  PolicyModel before_;
  PolicyModel after_;
  WatchedHub hub_;
  Way way_;
  std::vector<Reader> readers_;
  std::vector<Event> events_;
  Traces traces_;
  std::map<std::tuple<When, const ModelRule*, std::size_t>, std::set<std::string>> shown_by_;
  std::vector<std::string> returning_;  // the numbers of children of whom more comes
  std::size_t children_ = 0;
  std::size_t shown_ = 0;
  std::size_t withheld_ = 0;
  std::size_t compared_ = 0;
};

PolicyModel Round::policy() {
  auto parties = kReaders;
  parties.insert(parties.end(), kSources.begin(), kSources.end());
  return PolicyMaker(random(), kRoles, parties).make();
}

std::vector<core::Agency> Round::agencies() {
  std::vector<event::EventType> types(
      event::EnumValuesEventType() + 1,
      event::EnumValuesEventType() + static_cast<int>(event::EventType::MAX) + 1);
  std::vector<core::Agency> made;
  for (const auto& source : kSources) made.push_back({source, source, "hospital", {}, types, {}});
  for (std::size_t at = 0; at < kReaders.size(); ++at) {
    core::Agency reader{kReaders[at], kReaders[at], "council", {}, {}, {}};
    if (at < kCodes.size()) reader.codes.push_back(kCodes[at]);
    for (const auto& role : kRoles) {
      if (random().below(2) == 0) reader.roles.push_back(role);
    }
    if (reader.roles.empty()) reader.roles.push_back(kRoles.front());
    made.push_back(std::move(reader));
  }
  return made;
}

/// Of a child of its own, or of one of whom there has been an event.
Round::Event Round::event() {
  Values given;
  for (const auto mark : event::EnumValuesRestriction()) {
    if (mark != event::Restriction::unknown && random().below(12) == 0)
      given["restrictions[" + std::to_string(given.size()) + "]"] = event::EnumNameRestriction(mark);
  }
  const std::pair<const char*, const char*> places[] = {
      {"person.school", "urn"}, {"person.home_authority", "gss"}, {"person.gp_practice", "ods"}};
  for (std::size_t at = 0; at < std::size(places); ++at) {
    if (random().below(3) == 0) continue;
    const bool another = random().below(4) == 0;
    given[std::string(places[at].first) + ".code"] = another ? kOtherCodes[at] : kCodes[at];
    given[std::string(places[at].first) + ".scheme"] = random().below(5) == 0 ? "local" : places[at].second;
  }
  const auto born = std::to_string(2009 + random().below(12));
  if (random().below(3) == 0) given["person.birth_date"] = random().below(2) == 0 ? "" : born;
  if (random().below(2) == 0) given["consent.until_at"] = "";
  given["consent.scope.code"] = random().below(3) == 0 ? "" : random().below(2) == 0 ? "care" : "photos";
  const auto type =
      static_cast<event::EventType>(1 + random().below(static_cast<std::uint64_t>(event::EventType::MAX)));
  if (type != event::EventType::consent)
    std::erase_if(given, [](const auto& each) { return each.first.starts_with("consent."); });
  Event made;
  made.child = kReturning + children_++;
  // A cancel is put right by what it cancels, and a unit's report is no child's.
  const bool alone = type == event::EventType::correction || type == event::EventType::capacity;
  const bool returns = !alone && random().below(2) == 0;
  if (returns) {
    if (returning_.size() < kReturning)
      returning_.push_back(fakes::test_nhs_number(800'000 + static_cast<int>(returning_.size())));
    made.child = random().below(returning_.size());
    given["person.nhs_number"] = returning_[made.child];
    given["person.nhs_number_status"] = "verified";
  }
  made.event = maker_.some(type, kSources[random().below(kSources.size())], given);
  made.event.shares_number = returns;
  return made;
}

Said Round::said_of(When when, std::size_t number) const {
  Said said;
  const auto end = when == When::now ? events_.size() : number + 1;
  for (std::size_t at = 0; at < end; ++at) {
    if (events_[at].child == events_[number].child) said.push_back(&events_[at].event);
  }
  return said;
}

const ModelRule* Round::rule(When when, const std::string& role, const std::string& agency,
                             std::size_t number) const {
  const auto& of = events_.at(number);
  return policy_of(when, of).decides(role, hub_.agency(agency), of.event, today(), said_of(when, number));
}

std::size_t Round::count_shown(When when, const std::string& role, const std::string& agency) const {
  std::size_t count = 0;
  for (std::size_t number = 0; number < events_.size(); ++number)
    count += rule(when, role, agency, number) == nullptr ? 0 : 1;
  return count;
}

const std::set<std::string>& Round::shown_by(When when, const ModelRule& rule, std::size_t number) {
  const auto [known, fresh] = shown_by_.try_emplace({when, &rule, number});
  if (!fresh) return known->second;
  for (const auto& path : traces_.paths_of(number)) {
    if (fate_of(rule, events_.at(number).event, path, said_of(when, number)) == Fate::shown)
      known->second.insert(path);
  }
  return known->second;
}

void Round::check(const Bytes& bytes, const std::vector<std::string>& roles, const std::string& agency,
                  When when) {
  for (const auto* trace : traces_.in(bytes)) {
    const bool is_shown = std::ranges::any_of(roles, [&](const std::string& role) {
      const auto* decides = rule(when, role, agency, trace->event);
      return decides != nullptr && shown_by(when, *decides, trace->event).contains(trace->path);
    });
    if (!is_shown) {
      FAIL("what " << agency << " gets holds " << trace->path << " of a "
                   << events_.at(trace->event).event.type);
    }
  }
}

void Round::check_view(const Bytes& view, const std::string& role, const std::string& agency,
                       Sequence sequence, When when) {
  const auto of = std::ranges::find(events_, sequence, &Event::sequence);
  REQUIRE(of != events_.end());
  const auto number = static_cast<std::size_t>(of - events_.begin());
  const auto* decides = rule(when, role, agency, number);
  INFO(agency << " as " << role << " gets entry " << sequence << ", a " << of->event.type);
  REQUIRE(decides != nullptr);
  std::set<std::string> there;
  for (const auto* trace : traces_.in(view)) {
    if (trace->event == number) there.insert(trace->path);
  }
  for (const auto& path : traces_.paths_of(number)) {
    const bool is_shown = shown_by(when, *decides, number).contains(path);
    ++(is_shown ? shown_ : withheld_);
    if (is_shown != there.contains(path)) FAIL(path << (is_shown ? " is missing" : " has come along"));
  }
}

void Round::subscribe() {
  for (const auto& agency : hub_.agencies()) {
    if (!agency.roles.empty()) readers_.push_back({agency.id, agency.roles, hub_.peer(way_, agency.id)});
  }
  readers_.push_back({"", kRoles, hub_.peer(way_, "")});
  for (auto& reader : readers_) {
    for (const auto& role : reader.roles) {
      for (const auto* how : {"durable", "watch", "filtered"}) {
        wire::SubscribeT frame;
        frame.name =
            std::string(how) + "." + role + "." + (reader.agency.empty() ? "operators" : reader.agency);
        frame.role = role;
        frame.durable = how != std::string("watch");
        frame.credit = 1024;
        if (how == std::string("filtered")) {
          frame.filter = std::make_unique<ledger::FilterT>();
          frame.filter->schools = {kCodes.front()};
        }
        reader.peer.send(std::move(frame));
        REQUIRE(reader.peer.answer().as<wire::SubscribedT>() != nullptr);
      }
    }
  }
}

void Round::publish(const PolicyModel& policy) {
  for (const auto& source : kSources) {
    auto peer = hub_.peer(way_, source);
    wire::PublishT frame;
    const auto first = events_.size();
    for (std::size_t each = 0; each < kEventsOfHalf; ++each) {
      auto made = event();
      if (made.event.at("source_agency") != source) continue;
      made.policy = &policy;
      auto item = std::make_unique<wire::PublishItemT>();
      item->number = events_.size();
      item->event = made.event.bytes;
      frame.items.push_back(std::move(item));
      traces_.add(events_.size(), made.event);
      events_.push_back(std::move(made));
    }
    peer.send(std::move(frame));
    const auto answer = peer.answer();
    check(answer.bytes, {}, source, When::then);
    for (const auto& outcome : answer.as<wire::PublishedT>()->outcomes) {
      INFO(events_.at(outcome->number).event.type << ": " << outcome->place << ": " << outcome->text);
      REQUIRE(outcome->outcome == wire::Outcome::receipt);
      events_.at(outcome->number).sequence = outcome->sequence;
    }
    REQUIRE(events_.size() > first);
  }
}

Arrived Round::ask(Reader& reader, wire::QueryT frame) {
  frame.by = "A Tester";
  frame.reason = "a round";
  reader.peer.send(std::move(frame));
  return reader.peer.answer();
}

void Round::change_policy() {
  auto& operators = readers_.back();
  wire::QueryT asked;
  asked.kind = wire::QueryKind::policy;
  const auto now = ask(operators, std::move(asked));
  wire::ChangePolicyT frame;
  frame.text = after_.text();
  frame.expected_version = now.as<wire::PageT>()->rows.at(0)->sequence;
  frame.by = "A Tester";
  frame.reason = "a round";
  operators.peer.send(std::move(frame));
  const auto changed = operators.peer.answer();
  INFO(changed.as<wire::HandledT>()->text);
  REQUIRE(changed.as<wire::HandledT>()->error == wire::ErrorKind::unknown);
}

/// What was decided when the event came holds, whatever decides now.
void Round::read_deliveries() {
  const auto then = When::then;
  for (auto& reader : readers_) {
    std::size_t due = 0;
    for (const auto& role : reader.roles) {
      due += 2 * count_shown(then, role, reader.agency);
    }
    std::size_t came = 0;
    for (int tries = 0; tries < 1'000; ++tries) {
      const bool all = came >= due;
      wire::QueryT status;
      status.kind = wire::QueryKind::status;
      check(ask(reader, std::move(status)).bytes, {}, reader.agency, then);
      for (const auto& arrived : reader.peer.take_deliveries()) {
        const auto& deliver = *arrived.as<wire::DeliverT>();
        const auto begins = deliver.subscription.find('.') + 1;
        const auto role =
            deliver.subscription.substr(begins, deliver.subscription.find('.', begins) - begins);
        check(arrived.bytes, {role}, reader.agency, then);
        for (const auto& each : deliver.deliveries) {
          check_view(each->view, role, reader.agency, each->sequence, then);
          CHECK(reader.came[deliver.subscription].insert(each->sequence).second);
          if (!deliver.subscription.starts_with("filtered")) ++came;
        }
      }
      if (all) break;
    }
    INFO(reader.agency);
    CHECK(came == due);
  }
}

void Round::ask_timelines() {
  const auto now = When::now;
  for (std::size_t number = 0; number < events_.size(); ++number) {
    auto& reader = readers_[random().below(readers_.size())];
    const auto& role = reader.roles[random().below(reader.roles.size())];
    wire::QueryT frame;
    frame.kind = wire::QueryKind::timeline;
    frame.role = role;
    frame.person = "sequence:" + std::to_string(events_[number].sequence);
    const auto answer = ask(reader, std::move(frame));
    check(answer.bytes, {role}, reader.agency, now);
    std::size_t due = 0;
    for (std::size_t at = 0; at < events_.size(); ++at) {
      const bool same = events_[at].child == events_[number].child;
      due += same && rule(now, role, reader.agency, at) != nullptr ? 1 : 0;
    }
    std::size_t rows = 0;
    for (const auto& row : answer.as<wire::PageT>()->rows) {
      if (row->kind != "event") continue;
      ++rows;
      check_view(row->view, role, reader.agency, row->sequence, now);
    }
    CHECK(rows == due);
  }
}

void Round::ask_operators() {
  auto& operators = readers_.back();
  for (const auto& of : events_) {
    wire::QueryT explain;
    explain.kind = wire::QueryKind::explain;
    explain.role = kRoles[random().below(kRoles.size())];
    explain.sequence = of.sequence;
    check(ask(operators, std::move(explain)).bytes, {}, "", When::now);
    const auto& holder = hub_.agency(kReaders[random().below(kReaders.size())]);
    wire::QueryT as_of;
    as_of.kind = wire::QueryKind::as_of;
    as_of.person = "sequence:" + std::to_string(of.sequence);
    as_of.agency = holder.id;
    as_of.at = kFarAheadUs;
    check(ask(operators, std::move(as_of)).bytes, holder.roles, holder.id, When::then);
  }
}

/// Which events each role would newly see, or see no more, under the second policy, by the model.
void Round::compare_policies() {
  auto& operators = readers_.back();
  wire::QueryT diff;
  diff.kind = wire::QueryKind::policy_diff;
  diff.first_at = 1;
  diff.old_policy = before_.text();
  const auto answer = ask(operators, std::move(diff));
  check(answer.bytes, {}, "", When::now);
  const auto& page = *answer.as<wire::PageT>();
  INFO(page.text);
  REQUIRE(page.error == wire::ErrorKind::unknown);
  CHECK(page.rows.at(0)->pending == events_.size());
  CHECK(std::ranges::none_of(page.rows,
                             [](const auto& row) { return row->kind == "cut" && row->text != "fields"; }));
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> told;
  for (const auto& row : page.rows) {
    if (row->kind == "change" && row->path.empty() && !row->agency.empty())
      told[{row->role, row->agency, row->text}] += row->pending;
  }
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> meant;
  for (const auto& agency : hub_.agencies()) {
    for (const auto& role : agency.roles) {
      for (std::size_t number = 0; number < events_.size(); ++number) {
        const auto sees = [&](const PolicyModel& policy) {
          return policy.decides(role, agency, events_[number].event, today(), said_of(When::now, number)) !=
                 nullptr;
        };
        if (sees(before_) != sees(after_)) ++meant[{role, agency.id, sees(after_) ? "more" : "less"}];
      }
    }
  }
  CHECK(told == meant);
  for (const auto& [whose, count] : meant) compared_ += count;
}

void Round::replay() {
  const auto now = When::now;
  for (auto& reader : readers_) {
    for (const auto& role : reader.roles) {
      wire::ReplayT frame;
      frame.role = role;
      frame.by = "A Tester";
      frame.reason = "a round";
      reader.peer.send(std::move(frame));
      std::size_t came = 0;
      for (bool last = false; !last;) {
        const auto answer = reader.peer.answer();
        check(answer.bytes, {role}, reader.agency, now);
        const auto* replayed = answer.as<wire::ReplayedT>();
        REQUIRE(replayed != nullptr);
        REQUIRE(replayed->error == wire::ErrorKind::unknown);
        last = replayed->last;
        for (const auto& each : replayed->deliveries) {
          ++came;
          check_view(each->view, role, reader.agency, each->sequence, now);
        }
      }
      CHECK(came == count_shown(now, role, reader.agency));
    }
  }
}

void Round::run() {
  subscribe();
  publish(before_);
  change_policy();
  publish(after_);
  read_deliveries();
  ask_timelines();
  ask_operators();
  compare_policies();
  replay();
}

}  // namespace

TEST_CASE("no withheld value leaves a hub anywhere in its bytes, for random policies and events") {
  const auto seed = Catch::rngSeed() != 0 ? std::uint64_t{Catch::rngSeed()} : kUsualSeed;
  INFO("seed " << seed << "; run again with --rng-seed " << seed);
  std::size_t shown = 0;
  std::size_t withheld = 0;
  std::size_t compared = 0;
  for (int each = 0; each < kRounds; ++each) {
    INFO("round " << each);
    Round round(seed + static_cast<std::uint64_t>(each), static_cast<Way>(each % 3));
    round.run();
    shown += round.shown();
    withheld += round.withheld();
    compared += round.compared();
  }
  std::cout << "values that were shown: " << shown << ", that were withheld of views that left: " << withheld
            << '\n';
  CHECK(shown > 10'000);
  CHECK(withheld > 10'000);
  CHECK(compared > 100);
}
