#include "broker/core/waiting_alarm.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
constexpr const char* kDesk = "council-duty-desk";
constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;
constexpr std::int64_t kDayMs = 24 * kHourMs;

/// The hub with one configured subscription that nobody has connected for yet.
struct Hub : EngineHarness {
  Hub() : EngineHarness(one_desk()) {}
  static core::HubRules one_desk() {
    auto rules = county();
    rules.subscriptions.resize(1);
    rules.subscriptions[0].retry.ack_wait_ms = 100 * static_cast<std::uint32_t>(kDayMs / 1000);
    return rules;
  }
  Sequence publish_for(int child) {
    EventSpec spec;
    spec.child = child;
    return publish_one(kHospital, item_of(spec)).sequence;
  }
  std::size_t told(const std::string& code = "deliveries_waiting") const {
    return static_cast<std::size_t>(
        std::ranges::count_if(alarms, [&](const auto& alarm) { return alarm.code == code; }));
  }
};

/// How often rows were read through it.
class CountingState final : public core::StateReader {
 public:
  explicit CountingState(const core::StateReader& state) : state_(state) {}
  mutable int looks = 0;
  mutable std::size_t rows = 0;

  Sequence head() const override { return state_.head(); }
  Result<core::KnownPublication> publication(const Fingerprint& fingerprint,
                                             const KeyedHash& identity) const override {
    return state_.publication(fingerprint, identity);
  }
  Result<std::vector<std::optional<PersonKey>>> linked(
      const std::vector<KeyedHash>& identifiers) const override {
    return state_.linked(identifiers);
  }
  Result<std::vector<Sequence>> links_naming(const KeyedHash& identifier,
                                             std::size_t rows_max) const override {
    return state_.links_naming(identifier, rows_max);
  }
  Result<std::optional<core::PersonRecord>> person(const PersonKey& key) const override {
    return state_.person(key);
  }
  Result<std::vector<core::ChildFact>> child_facts(const PersonKey& key) const override {
    return state_.child_facts(key);
  }
  Result<std::vector<core::Pending>> pending(const std::string& subscription, Sequence after,
                                             std::size_t rows_max) const override {
    auto found = state_.pending(subscription, after, rows_max);
    ++looks;
    if (found) rows += found->size();
    return found;
  }
  Result<std::vector<core::Pending>> pending_of(const std::string& subscription, const PersonKey& person,
                                                Sequence after, std::size_t rows_max) const override {
    return state_.pending_of(subscription, person, after, rows_max);
  }
  Result<std::optional<core::Pending>> dead_letter(const std::string& subscription,
                                                   Sequence sequence) const override {
    return state_.dead_letter(subscription, sequence);
  }
  Result<std::optional<KeyId>> day_key(const std::string& purpose, std::int64_t day) const override {
    return state_.day_key(purpose, day);
  }
  Result<core::ReplayCounts> replay_counts(const std::string& replay) const override {
    return state_.replay_counts(replay);
  }
  Result<core::StoredBody> body(Sequence sequence) const override { return state_.body(sequence); }
  Result<bool> was_offered(const std::string& subscription, Sequence sequence) const override {
    return state_.was_offered(subscription, sequence);
  }
  Result<bool> has_gaps(const std::string& subscription) const override {
    return state_.has_gaps(subscription);
  }

 private:
  const core::StateReader& state_;
};

}  // namespace

TEST_CASE("deliveries that nobody fetches raise an alarm once for each step of their age") {
  Hub hub;
  hub.publish_for(1);
  hub.pass_ms(14 * kMinuteMs);
  CHECK(hub.told() == 0);
  hub.pass_ms(2 * kMinuteMs);
  CHECK(hub.told() == 1);
  CHECK(hub.alarms.back().text.find("nobody is connected") != std::string::npos);
  hub.publish_for(2);
  hub.pass_ms(kHourMs);
  CHECK(hub.told() == 2);
  hub.pass_ms(kDayMs - kHourMs - 17 * kMinuteMs);
  CHECK(hub.told() == 3);
  hub.pass_ms(3 * kDayMs);
  CHECK(hub.told() == 6);
}

TEST_CASE("a reader that is connected and does not answer is told of, too") {
  Hub hub;
  hub.subscribe(kCouncil, kDesk, "social-care-duty");
  hub.publish_for(1);
  hub.pass_ms(kHourMs + kMinuteMs);
  CHECK(hub.told() == 2);
  CHECK(hub.alarms.back().text.find("is connected but") != std::string::npos);
}

TEST_CASE("the alarm ends when what waited has been taken, and begins anew for the next") {
  Hub hub;
  const auto waiting = hub.publish_for(1);
  hub.pass_ms(kHourMs + kMinuteMs);
  hub.subscribe(kCouncil, kDesk, "social-care-duty");
  hub.ack(kCouncil, kDesk, waiting);
  CHECK(hub.told("deliveries_caught_up") == 0);
  hub.pass_ms(2 * kMinuteMs);
  CHECK(hub.told("deliveries_caught_up") == 1);
  hub.disconnect(kCouncil.connection);
  hub.pass_ms(kDayMs);
  CHECK(hub.told() == 2);
  hub.publish_for(2);
  hub.pass_ms(16 * kMinuteMs);
  CHECK(hub.told() == 3);
  CHECK(hub.told("deliveries_caught_up") == 1);
}

TEST_CASE("who takes what comes is never told of") {
  Hub hub;
  hub.subscribe(kCouncil, kDesk, "social-care-duty");
  for (int child = 1; child <= 40; ++child) {
    hub.ack(kCouncil, kDesk, hub.publish_for(child));
    hub.pass_ms(kHourMs);
  }
  CHECK(hub.told() == 0);
  CHECK(hub.told("deliveries_caught_up") == 0);
}

TEST_CASE("a restart tells of what has waited since before, with its whole age, and goes on from there") {
  Hub hub;
  hub.publish_for(1);
  hub.pass_ms(5 * kHourMs);
  CHECK(hub.told() == 3);
  hub.restart();
  hub.alarms.clear();
  hub.step();
  CHECK(hub.told() == 1);
  hub.pass_ms(10 * kHourMs);
  CHECK(hub.told() == 1);
  hub.restart_without_state();
  hub.alarms.clear();
  hub.step();
  CHECK(hub.told() == 1);
  hub.pass_ms(10 * kHourMs);
  CHECK(hub.told() == 2);
}

TEST_CASE("a client's own subscription and a watch are nobody's duty: no alarm") {
  Hub hub;
  hub.subscribe(kCouncil, "own-desk", "social-care-duty");
  hub.disconnect(kCouncil.connection);
  hub.publish_for(1);
  hub.pass_ms(2 * kHourMs);
  for (const auto& alarm : hub.alarms) CHECK(alarm.text.find("own-desk") == std::string::npos);
}

TEST_CASE("a dead letter that is sent again hides nothing older that waits behind it") {
  Hub hub;
  hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto dead = hub.publish_for(1);
  hub.nak(kCouncil, kDesk, dead, ledger::NakKind::rejected);
  hub.disconnect(kCouncil.connection);
  hub.publish_for(2);
  hub.pass_ms(50 * kMinuteMs);
  wire::HandleDeadLetterT again;
  again.action = wire::DeadLetterAction::send_again;
  again.subscription = kDesk;
  again.sequence = dead;
  again.by = "A Reader";
  again.reason = "mended";
  hub.send(EngineHarness::operator_peer(9), std::move(again));
  hub.pass_ms(20 * kMinuteMs);
  CHECK(hub.told() == 2);
}

TEST_CASE("a step reads nothing between two steps of age, however much waits") {
  Hub hub;
  for (int batch = 0; batch < 10; ++batch) {
    std::vector<wire::PublishItemT> items;
    for (int child = 1; child <= 100; ++child) {
      EventSpec spec;
      spec.child = batch * 100 + child;
      items.push_back(item_of(spec));
    }
    hub.publish(kHospital, std::move(items));
  }
  const CountingState state(*hub.state);
  core::WaitingAlarm alarm(true);
  core::Decision out;
  const auto start = hub.clock.now();
  alarm.offered();
  for (std::int64_t second = 0; second < 24 * 3'600; ++second) {
    REQUIRE(alarm.look(state, kDesk, "", {start.us + second * kSecondUs}, out));
    if (second % 7 == 0) alarm.offered();
  }
  CHECK(out.alarms.size() == 3);
  CHECK(state.looks == 4);
  CHECK(state.rows <= 4 * 64);
}
