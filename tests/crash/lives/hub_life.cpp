#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "broker/care/people_fold.hpp"
#include "broker/client/hub_client.hpp"
#include "broker/core/domain_checks.hpp"
#include "broker/core/policy.hpp"
#include "broker/core/route.hpp"
#include "broker/server/hub.hpp"
#include "tests/fakes/awaited.hpp"
#include "tests/fakes/engine_harness.hpp"

// One life of a whole hub that falls over one event in one of the functions that do something to it. The
// linker puts what is below in their places, so that the hub itself has no switch for it.
//
//     hub_life DATA FUNCTION EVENT SIGNAL SUBSCRIPTION DELIVERIES EVENT...
//
// publishes the events that are named, waits for so many deliveries, says what became of all, and stops. An
// event is named `child-N-...` by whoever is in it. Exit code 0; else one line says why.

using namespace carehub;

namespace {

struct Fall {
  std::string function;
  std::string event;
  int signal = 0;
};

Fall& fall() {
  static Fall planned;
  return planned;
}

void go(const char* function, const event::Event& event) {
  if (fall().function != function || event.id() == nullptr || event.id()->str() != fall().event) return;
  static_cast<void>(std::raise(fall().signal));
}

}  // namespace

#define CAREHUB_REAL(name) __asm__("__real_" name)
#define CAREHUB_WRAP(name) __asm__("__wrap_" name)
#define CAREHUB_REDACT \
  "_ZN7carehub4core6redactERKNS_5event5EventERKNS0_14DisclosureRuleEhRKNS_7storage9SecretKeyE"
#define CAREHUB_MATCHES                                                                              \
  "_ZN7carehub4core7matchesERKNS_6ledger7FilterTERKNS_5event5EventESt17basic_string_viewIcSt11char_" \
  "traitsIcEE"
#define CAREHUB_CHECK_EVENT "_ZN7carehub4core11check_eventERKNS_5event5EventENS_9TimestampE"
#define CAREHUB_FOLD_PEOPLE \
  "_ZN7carehub4care11fold_peopleERKNS0_9FoldEntryERKNS_6ledger10EventEntryERNS0_4RowsE"

namespace carehub::core {

Result<Bytes> real_redact(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
                          const storage::SecretKey& pseudonyms) CAREHUB_REAL(CAREHUB_REDACT);
Result<Bytes> wrap_redact(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
                          const storage::SecretKey& pseudonyms) CAREHUB_WRAP(CAREHUB_REDACT);
Result<Bytes> wrap_redact(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
                          const storage::SecretKey& pseudonyms) {
  go("redact", event);
  return real_redact(event, rule, marks, pseudonyms);
}

bool real_matches(const ledger::FilterT& filter, const event::Event& event, std::string_view channel)
    CAREHUB_REAL(CAREHUB_MATCHES);
bool wrap_matches(const ledger::FilterT& filter, const event::Event& event, std::string_view channel)
    CAREHUB_WRAP(CAREHUB_MATCHES);
bool wrap_matches(const ledger::FilterT& filter, const event::Event& event, std::string_view channel) {
  go("matches", event);
  return real_matches(filter, event, channel);
}

std::vector<EventFault> real_check(const event::Event& event, Timestamp now)
    CAREHUB_REAL(CAREHUB_CHECK_EVENT);
std::vector<EventFault> wrap_check(const event::Event& event, Timestamp now)
    CAREHUB_WRAP(CAREHUB_CHECK_EVENT);
std::vector<EventFault> wrap_check(const event::Event& event, Timestamp now) {
  go("check_event", event);
  return real_check(event, now);
}

}  // namespace carehub::core

namespace carehub::care {

Result<void> real_fold(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows)
    CAREHUB_REAL(CAREHUB_FOLD_PEOPLE);
Result<void> wrap_fold(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows)
    CAREHUB_WRAP(CAREHUB_FOLD_PEOPLE);
Result<void> wrap_fold(const FoldEntry& entry, const ledger::EventEntry& event, Rows& rows) {
  if (const auto* folded = event.event_nested_root()) go("fold_people", *folded);
  return real_fold(entry, event, rows);
}

}  // namespace carehub::care

namespace {

constexpr const char* kCouncil = "northmarch-council";

int failed(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

client::ClientOptions connected(const server::Hub& hub, const std::string& agency) {
  client::ClientOptions options;
  options.endpoint = server::kInprocEndpoint;
  options.zmq_context = hub.zmq_context();
  options.client = "test";
  options.agency = agency;
  return options;
}

client::Publication message(const std::string& id) {
  fakes::EventSpec spec;
  spec.id = id;
  spec.child = std::atoi(id.c_str() + std::string("child-").size());
  const auto item = fakes::item_of(spec);
  client::Publication made;
  made.channel = item.channel;
  made.event = item.event;
  made.identity = item.identity;
  std::copy_n(item.content_hash.begin(), std::min<std::size_t>(item.content_hash.size(), 32),
              made.content_hash.begin());
  return made;
}

Result<void> publish(const server::Hub& hub, const std::string& id) {
  auto hospital = client::HubClient::open(connected(hub, "elwick-hospital"));
  if (!hospital) return tl::unexpected(hospital.error());
  const fakes::Awaited<client::PublishResult> results;
  if (auto sent = (*hospital)->publish(message(id), fakes::into(results)); !sent) return sent;
  const auto result = results.get();
  if (const auto* receipt = std::get_if<client::Receipt>(&result)) {
    std::printf("receipt %s %llu\n", id.c_str(), static_cast<unsigned long long>(receipt->sequence));
  } else if (const auto* refused = std::get_if<client::Refused>(&result)) {
    std::printf("refused %s %s\n", id.c_str(), refused->code.c_str());
  } else {
    std::printf("unanswered %s\n", id.c_str());
  }
  (*hospital)->close();
  return {};
}

Result<void> take_deliveries(const server::Hub& hub, const std::string& name, std::size_t count) {
  auto council = client::HubClient::open(connected(hub, kCouncil));
  if (!council) return tl::unexpected(council.error());
  const fakes::Awaited<wire::DeliveryT> deliveries;
  client::SubscribeOptions wanted;
  wanted.name = name;
  wanted.role = "social-care-duty";
  wanted.credit = 256;
  auto subscribed = (*council)->subscribe(
      wanted,
      [&](std::vector<wire::DeliveryT> batch) {
        std::vector<client::Answer> answers;
        for (auto& each : batch) {
          answers.push_back({each.sequence, {}, {}, 0});
          deliveries.give(std::move(each));
        }
        (*council)->answer(name, std::move(answers));
      },
      [](const Error& error) { std::fprintf(stderr, "%s\n", error.text.c_str()); });
  if (!subscribed) return subscribed;
  for (std::size_t each = 0; each < count; ++each) {
    const auto delivery = deliveries.get(each);
    std::printf("delivered %llu%s\n", static_cast<unsigned long long>(delivery.sequence),
                delivery.after_gap ? " after a gap" : "");
  }
  (*council)->close();
  return {};
}

core::HubRules rules_with(const std::string& subscription) {
  auto rules = fakes::EngineHarness::county();
  const auto known = std::ranges::find(rules.subscriptions, subscription, &core::Subscription::name);
  if (subscription.empty() || known != rules.subscriptions.end()) return rules;
  auto added = rules.subscriptions.front();
  added.name = subscription;
  added.start.kind = core::StartAt::Kind::beginning;
  rules.subscriptions.push_back(added);
  return rules;
}

}  // namespace

int main(int count, char** given) {
  const std::vector<std::string> arguments(given + 1, given + count);
  if (arguments.size() < 6)
    return failed("hub_life DATA FUNCTION EVENT SIGNAL SUBSCRIPTION DELIVERIES EVENT...");
  constexpr rlimit kNoCore{0, 0};
  ::setrlimit(RLIMIT_CORE, &kNoCore);
  fall() = {arguments[1], arguments[2], std::atoi(arguments[3].c_str())};
  server::HubOptions options;
  options.name = "Northmarch";
  options.data = arguments[0];
  options.rules = rules_with(arguments[4]);
  auto hub = server::Hub::start(std::move(options));
  if (!hub) return failed(hub.error().text);
  for (std::size_t at = 6; at < arguments.size(); ++at) {
    if (auto published = publish(**hub, arguments[at]); !published) return failed(published.error().text);
  }
  const auto deliveries = static_cast<std::size_t>(std::atoi(arguments[5].c_str()));
  if (deliveries > 0) {
    if (auto taken = take_deliveries(**hub, arguments[4], deliveries); !taken)
      return failed(taken.error().text);
  }
  if (auto stopped = (*hub)->stop(); !stopped) return failed(stopped.error().text);
  return 0;
}
