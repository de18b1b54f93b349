#include "tests/fakes/engine_harness.hpp"

#include "broker/base/assert.hpp"
#include "broker/base/identifiers.hpp"
#include "broker/care/erasure_search.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::fakes {
namespace {

constexpr Timestamp kStart{1'772'355'600'000'000};  // 2026-03-01T09:00Z

constexpr const char* kPolicy = R"(
[[rule]]
name = "duty desk"
role = "social-care-duty"
types = ["admission", "discharge", "correction", "referral", "safeguarding_flag"]
show = ["source_agency", "occurred_at", "person.nhs_number", "admission", "discharge", "correction"]
legal_basis = "Children Act 2004 s.10"

[[rule]]
name = "school"
role = "school-pastoral"
types = ["admission", "discharge"]
relationship = "pupil"
show = ["person.upn", "person.names"]
legal_basis = "Children Act 2004 s.10"

[[rule]]
name = "tier 4"
role = "tier4-case-manager"
types = ["admission", "discharge", "correction"]
tiers = [4]
show = ["person.nhs_number", "admission.tier"]
legal_basis = "NHS Act 2006 s.3B"

[[rule]]
name = "auditor"
role = "auditor"
types = ["*"]
show = ["*"]
consent = "overridden"
legal_basis = "Children Act 2004 s.11"
)";

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "the harness: %s\n", what);
    std::abort();
  }
}

}  // namespace

core::HubRules EngineHarness::county() {
  using event::EventType;
  core::HubRules rules;
  const std::vector<EventType> care = {
      EventType::admission,     EventType::discharge,         EventType::correction, EventType::referral,
      EventType::movement,      EventType::safeguarding_flag, EventType::attendance, EventType::capacity,
      EventType::identity_link, EventType::identity_merge};
  rules.agencies = {
      {"elwick-hospital", "Elwick", "hospital", {"RZX01"}, care, {}},
      {"fenbrook-camhs", "Fenbrook", "mental_health_trust", {"RZY02"}, care, {}},
      {"northmarch-council",
       "Northmarch",
       "council",
       {"E10000099"},
       {EventType::safeguarding_flag},
       {"social-care-duty"}},
      {"holm-school", "Holm Lane", "school", {"900101"}, {EventType::referral}, {"school-pastoral"}},
      {"priory-school", "Priory Road", "school", {"900202"}, {}, {"school-pastoral"}},
      {"march-commissioner", "March", "commissioner", {"QZZ"}, {}, {"tier4-case-manager"}},
  };
  core::Scope under_18;
  under_18.age_max_years = 17;
  rules.inbound = {{"elwick-adt", "elwick-hospital", under_18}, {"fenbrook-adt", "fenbrook-camhs", under_18}};
  const auto subscription = [&](const char* name, const char* agency, const char* role) {
    core::Subscription made;
    made.name = name;
    made.agency = agency;
    made.role = role;
    made.configured = true;
    rules.subscriptions.push_back(made);
  };
  subscription("council-duty-desk", "northmarch-council", "social-care-duty");
  subscription("holm-notices", "holm-school", "school-pastoral");
  subscription("tier4-notice", "march-commissioner", "tier4-case-manager");
  rules.subscriptions[1].filter.schools = {"900101"};
  rules.subscriptions[2].filter.tiers = {4};
  rules.policy_text = kPolicy;
  rules.policy_file = "policy.toml";
  return rules;
}

EngineHarness::EngineHarness(core::HubRules rules_in, std::uint64_t seed)
    : rules(std::move(rules_in)), clock(kStart), random(seed), vault(random) {
  const auto started = start();
  if (!started) std::fprintf(stderr, "%s\n", started.error().text.c_str());
  require(started.has_value(), "the engine starts");
}
EngineHarness::~EngineHarness() = default;

Result<void> EngineHarness::start() {
  engine.reset();
  sealer = std::make_unique<storage::Sealer>(vault, random);
  note = std::make_unique<core::WorkNote>(note_page);
  state = std::make_unique<care::State>(store, ledger, *sealer);
  if (auto caught_up = state->catch_up({}, note.get()); !caught_up) return caught_up;
  auto known = state->engine_state();
  if (!known) return tl::unexpected(known.error());
  engine = std::make_unique<core::Engine>(*state, *state, vault, random, note.get());
  core::Decision decision;
  if (auto started = engine->start(rules, std::move(*known), clock.now(), decision); !started) return started;
  commit(std::move(decision));
  return {};
}

void EngineHarness::restart(std::size_t state_kept) {
  ledger.crash();
  store.crash(state_kept);
  require(start().has_value(), "the engine starts again");
}

void EngineHarness::restart_without_state() {
  ledger.crash();
  require(store
              .apply(
                  [&] {
                    std::vector<storage::RowChange> removals;
                    for (const auto& row : rows(store)) removals.push_back({row.key, std::nullopt});
                    return removals;
                  }(),
                  0)
              .has_value(),
          "the state can be removed");
  require(start().has_value(), "the engine starts again");
}

core::Peer EngineHarness::peer(ConnectionId connection, const std::string& agency) {
  return {connection, "client-of-" + agency, agency, false};
}
core::Peer EngineHarness::operator_peer(ConnectionId connection) {
  return {connection, "operator", "", true};
}

std::vector<Received> EngineHarness::commit(core::Decision decision) {
  auto batch = state->take_batch();
  if (!batch.empty()) {
    sealer->begin_batch();
    std::vector<storage::SealedEntry> sealed;
    for (const auto& drafted : batch) {
      auto entry = sealer->seal(drafted.entry.kind, drafted.entry.key_id, drafted.sequence, drafted.at,
                                drafted.entry.body);
      require(entry.has_value(), "every entry seals");
      sealed.push_back(std::move(*entry));
    }
    bool done = false;
    ledger.append(std::move(sealed), [&](Result<Sequence> head) {
      require(head.has_value() && state->durable(*head).has_value(), "every batch becomes durable");
      done = true;
    });
    require(done, "the memory ledger is not held");
  }
  for (auto& alarm : decision.alarms) alarms.push_back(std::move(alarm));
  for (auto& ask : decision.asks) asks.push_back(std::move(ask));
  for (auto& replay : decision.replays) replays.push_back(std::move(replay));
  for (auto& erasure : decision.erasures) erasures.push_back(std::move(erasure));
  for (auto& destruction : decision.destructions) destructions.push_back(std::move(destruction));
  std::vector<Received> received;
  for (const auto& sent : decision.sends) {
    flatbuffers::Verifier verifier(sent.frame.data(), sent.frame.size());
    require(wire::VerifyFrameBuffer(verifier), "every frame verifies");
    Received one;
    one.to = sent.to;
    wire::GetFrame(sent.frame.data())->UnPackTo(&one.frame);
    received.push_back(std::move(one));
  }
  return received;
}

std::vector<Received> EngineHarness::send(const core::Peer& peer, wire::MessageUnion message) {
  wire::FrameT frame;
  frame.message = std::move(message);
  flatbuffers::FlatBufferBuilder builder;
  wire::FinishFrameBuffer(builder, wire::Frame::Pack(builder, &frame));
  flatbuffers::Verifier verifier(builder.GetBufferPointer(), builder.GetSize());
  require(wire::VerifyFrameBuffer(verifier), "a test's frame verifies");
  core::Decision decision;
  const auto handled =
      engine->handle(peer, *wire::GetFrame(builder.GetBufferPointer()), clock.now(), decision);
  require(handled.has_value(), "a frame is handled");
  auto next = engine->advance(clock.now(), decision);
  require(next.has_value(), "the engine advances");
  due = *next;
  return commit(std::move(decision));
}

std::vector<Received> EngineHarness::step() {
  core::Decision decision;
  auto next = engine->advance(clock.now(), decision);
  require(next.has_value(), "the engine advances");
  due = *next;
  return commit(std::move(decision));
}

std::vector<Received> EngineHarness::pass_ms(std::int64_t ms) {
  const Timestamp until{clock.now().us + ms * kMillisecondUs};
  std::vector<Received> all;
  do {
    if (due < until) {
      if (due > clock.now()) clock.set(due);
    } else {
      clock.set(until);
    }
    for (auto& one : step()) all.push_back(std::move(one));
  } while (clock.now() < until || due <= until);
  return all;
}

std::vector<Received> EngineHarness::disconnect(ConnectionId connection, core::Parting parting) {
  engine->disconnected(connection, clock.now(), parting);
  return step();
}

std::vector<Received> EngineHarness::publish(const core::Peer& peer, std::vector<wire::PublishItemT> items) {
  wire::PublishT publish;
  std::uint64_t number = 0;
  for (auto& item : items) {
    item.number = ++number;
    publish.items.push_back(std::make_unique<wire::PublishItemT>(std::move(item)));
  }
  return send(peer, std::move(publish));
}

wire::PublishOutcomeT EngineHarness::publish_one(const core::Peer& peer, wire::PublishItemT item) {
  std::vector<wire::PublishItemT> items;
  items.push_back(std::move(item));
  auto received = publish(peer, std::move(items));
  auto published = frames_of<wire::PublishedT>(received);
  require(published.size() == 1 && published.front().outcomes.size() == 1, "one item has one outcome");
  return *published.front().outcomes.front();
}

std::vector<Received> EngineHarness::subscribe(const core::Peer& peer, const std::string& name,
                                               const std::string& role, std::uint32_t credit, bool durable) {
  wire::SubscribeT subscribe;
  subscribe.name = name;
  subscribe.role = role;
  subscribe.credit = credit;
  subscribe.durable = durable;
  return send(peer, std::move(subscribe));
}

std::vector<Received> EngineHarness::ack(const core::Peer& peer, const std::string& subscription,
                                         Sequence sequence) {
  wire::AckT ack;
  ack.subscription = subscription;
  ack.ranges = {ledger::Range(sequence, sequence)};
  return send(peer, std::move(ack));
}

std::vector<Received> EngineHarness::nak(const core::Peer& peer, const std::string& subscription,
                                         Sequence sequence, ledger::NakKind kind,
                                         std::uint32_t retry_after_ms) {
  wire::NakT nak;
  nak.subscription = subscription;
  auto item = std::make_unique<wire::NakItemT>();
  item->sequence = sequence;
  item->kind = kind;
  item->code = "test";
  item->retry_after_ms = retry_after_ms;
  nak.items.push_back(std::move(item));
  return send(peer, std::move(nak));
}

wire::ErasedT EngineHarness::erase(const core::Peer& peer, wire::EraseT frame, bool destroy) {
  auto received = send(peer, std::move(frame));
  if (erasures.empty()) return std::move(frames_of<wire::ErasedT>(received).at(0));
  const auto ask = std::move(erasures.front());
  erasures.clear();
  require(state->flush().has_value(), "the rows are written");
  care::ErasureSearch search(ledger, *sealer, store, vault, ask.erase.person);
  auto done = search.advance();
  while (done && !*done) done = search.advance();
  core::Decision decision;
  if (!done) {
    wire::ErasedT failed;
    failed.error = core::to_wire(done.error().kind);
    failed.text = done.error().text;
    return failed;
  }
  require(engine->erase(ask, search.take(), clock.now(), decision).has_value(), "the engine decides");
  received = commit(std::move(decision));
  if (destructions.empty()) return std::move(frames_of<wire::ErasedT>(received).at(0));
  auto destruction = std::move(destructions.front());
  destructions.clear();
  if (!destroy) return destruction.answer;
  require(engine->destroy(destruction.keys).has_value(), "the keys are destroyed");
  const auto copies = engine->copies_with(destruction.keys);
  core::Decision last;
  require(engine->conclude(std::move(destruction), copies, clock.now(), last).has_value(), "it is concluded");
  received = commit(std::move(last));
  return std::move(frames_of<wire::ErasedT>(received).at(0));
}

std::vector<std::pair<Sequence, ledger::BodyT>> EngineHarness::entries(storage::EntryKind kind) const {
  std::vector<std::pair<Sequence, ledger::BodyT>> found;
  const auto all = ledger.read(1, 1'000'000, 1U << 30U);
  require(all.has_value(), "the ledger reads");
  for (const auto& sealed : *all) {
    if (sealed.header.kind != kind) continue;
    const auto body = sealer->open(sealed);
    if (!body && body.error().kind == ErrorKind::not_found) continue;  // erased
    require(body.has_value(), "every entry opens");
    found.emplace_back(sealed.header.sequence, ledger::BodyT());
    ledger::GetBody(body->data())->UnPackTo(&found.back().second);
  }
  return found;
}

bool EngineHarness::alarmed(const std::string& code) const {
  for (const auto& alarm : alarms) {
    if (alarm.code == code) return true;
  }
  return false;
}

std::vector<storage::Row> EngineHarness::rows(const storage::StateStore& store) {
  auto all = store.scan("", "", 10'000'000);
  require(all.has_value(), "the state reads");
  return *all;
}

std::string test_nhs_number(int child) {
  for (int candidate = child * 10, tried = 0; tried < 200; ++tried, ++candidate) {
    char text[16];
    std::snprintf(text, sizeof text, "999%07d", candidate);
    auto number = NhsNumber::parse(text);
    if (number) return number->text();
  }
  require(false, "a valid NHS number is near");
  return {};
}

event::EventT make_event(const EventSpec& spec) {
  static int counter = 0;
  event::EventT event;
  event.id = spec.id.empty() ? "event-" + std::to_string(++counter) : spec.id;
  event.type = spec.type;
  event.source_agency = spec.agency;
  event.received_at = kStart.us;
  if (spec.occurred_at_us != 0) {
    event.occurred_at = std::make_unique<event::Time>(spec.occurred_at_us, 0, event::TimePrecision::second);
  }
  if (spec.type == event::EventType::capacity) {
    event.capacity = std::make_unique<event::CapacityT>();
    event.capacity->unit_code = "T4-01";
    return event;
  }
  event.person = std::make_unique<event::PersonT>();
  if (spec.child > 0) event.person->nhs_number = test_nhs_number(spec.child);
  event.person->birth_date = std::make_unique<event::Date>(static_cast<std::int16_t>(spec.birth_year), 5, 3);
  event.person->school = std::make_unique<event::OrganisationT>();
  event.person->school->code = spec.school_urn;
  event.person->school->scheme = event::OrganisationScheme::urn;
  switch (spec.type) {
    case event::EventType::admission:
      event.admission = std::make_unique<event::AdmissionT>();
      event.admission->tier = static_cast<std::uint8_t>(spec.tier);
      break;
    case event::EventType::discharge:
      event.discharge = std::make_unique<event::DischargeT>();
      event.discharge->tier = static_cast<std::uint8_t>(spec.tier);
      break;
    case event::EventType::correction:
      event.correction = std::make_unique<event::CorrectionT>();
      event.correction->corrects = spec.corrects;
      event.correction->tier = static_cast<std::uint8_t>(spec.tier);
      break;
    case event::EventType::safeguarding_flag:
      event.safeguarding_flag = std::make_unique<event::SafeguardingFlagT>();
      break;
    case event::EventType::referral: event.referral = std::make_unique<event::ReferralT>(); break;
    case event::EventType::movement: event.movement = std::make_unique<event::MovementT>(); break;
    case event::EventType::attendance: event.attendance = std::make_unique<event::AttendanceT>(); break;
    default: break;
  }
  return event;
}

Bytes pack_event(const event::EventT& event) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(event::Event::Pack(builder, &event), event::EventIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

wire::PublishItemT item_of(const event::EventT& event, const std::string& channel) {
  wire::PublishItemT item;
  item.channel = channel;
  item.event = pack_event(event);
  return item;
}

wire::PublishItemT item_of(const EventSpec& spec, const std::string& channel) {
  return item_of(make_event(spec), channel);
}

std::vector<wire::DeliveryT> deliveries_of(std::vector<Received>& received, const std::string& subscription) {
  std::vector<wire::DeliveryT> found;
  for (auto& one : received) {
    auto* deliver = one.frame.message.AsDeliver();
    if (deliver == nullptr || deliver->subscription != subscription) continue;
    for (auto& delivery : deliver->deliveries) {
      if (delivery) found.push_back(std::move(*delivery));
    }
  }
  return found;
}

}  // namespace carehub::fakes
