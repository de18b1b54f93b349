#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

/// FlatBuffers may share parts: what is small in a frame can be huge once it is copied.
using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");

/// `count` names of one text.
flatbuffers::Offset<ledger::Filter> filter_of_one_text(flatbuffers::FlatBufferBuilder& builder,
                                                       std::size_t count) {
  const auto text = builder.CreateString(std::string(100'000, 's'));
  const auto schools =
      builder.CreateVector(std::vector<flatbuffers::Offset<flatbuffers::String>>(count, text));
  ledger::FilterBuilder filter(builder);
  filter.add_schools(schools);
  return filter.Finish();
}

/// What the hub answers to a frame, with what it had asked or recorded by then thrown away.
template <class Message>
wire::FrameT answer_to(EngineHarness& hub, const core::Peer& peer, flatbuffers::FlatBufferBuilder& builder,
                       flatbuffers::Offset<Message> message) {
  wire::FinishFrameBuffer(
      builder, wire::CreateFrame(builder, 1, 0, wire::MessageTraits<Message>::enum_value, message.Union()));
  flatbuffers::Verifier verifier(builder.GetBufferPointer(), builder.GetSize());
  REQUIRE(wire::VerifyFrameBuffer(verifier));
  REQUIRE(builder.GetSize() < limits::kFrameBytesMax);
  core::Decision decision;
  REQUIRE(hub.engine->handle(peer, *wire::GetFrame(builder.GetBufferPointer()), hub.clock.now(), decision));
  CHECK(decision.asks.empty());
  CHECK(decision.replays.empty());
  CHECK(hub.state->take_batch().empty());
  REQUIRE(decision.sends.size() == 1);
  wire::FrameT frame;
  wire::GetFrame(decision.sends[0].frame.data())->UnPackTo(&frame);
  return frame;
}

}  // namespace

TEST_CASE("a filter that names one text a million times is refused before it is copied") {
  EngineHarness hub;
  flatbuffers::FlatBufferBuilder builder;
  const auto filter = filter_of_one_text(builder, 1'000'000);
  SECTION("in a Subscribe") {
    const auto name = builder.CreateString("night-team");
    const auto frame = answer_to(hub, kCouncil, builder, wire::CreateSubscribe(builder, name, 0, filter));
    REQUIRE(frame.message.AsRejected() != nullptr);
    CHECK(frame.message.AsRejected()->kind == wire::ErrorKind::invalid);
    CHECK(frame.message.AsRejected()->text.find("night-team") != std::string::npos);
  }
  SECTION("in a Replay") {
    const auto frame = answer_to(hub, kCouncil, builder, wire::CreateReplay(builder, 7, 0, filter));
    REQUIRE(frame.message.AsReplayed() != nullptr);
    CHECK(frame.message.AsReplayed()->error == wire::ErrorKind::invalid);
    CHECK(frame.message.AsReplayed()->number == 7);
  }
}

TEST_CASE("a question whose texts are one long text is refused before it is copied") {
  EngineHarness hub;
  flatbuffers::FlatBufferBuilder builder;
  const auto text = builder.CreateString(std::string(2'000'000, 't'));
  const auto frame = answer_to(hub, kCouncil, builder,
                               wire::CreateQuery(builder, 7, wire::QueryKind::subscriptions, text, text, text,
                                                 text, text, text, text));
  REQUIRE(frame.message.AsPage() != nullptr);
  CHECK(frame.message.AsPage()->error == wire::ErrorKind::invalid);
}

TEST_CASE("a Publish whose items share one large original is rejected whole") {
  EngineHarness hub;
  flatbuffers::FlatBufferBuilder builder;
  const auto original = builder.CreateVector(Bytes(1U << 20U));
  std::vector<flatbuffers::Offset<wire::PublishItem>> items;
  for (std::uint64_t number = 1; number <= limits::kPublishItemsMax; ++number) {
    wire::PublishItemBuilder item(builder);
    item.add_number(number);
    item.add_original(original);
    items.push_back(item.Finish());
  }
  const auto list = builder.CreateVector(items);
  const auto frame = answer_to(hub, kHospital, builder, wire::CreatePublish(builder, list));
  REQUIRE(frame.message.AsRejected() != nullptr);
  CHECK(frame.message.AsRejected()->kind == wire::ErrorKind::invalid);
  CHECK(hub.engine->counters().received == 0);
}

TEST_CASE("an event that grows beyond its bound in a view is refused, however small it came") {
  EngineHarness hub;
  flatbuffers::FlatBufferBuilder builder;
  const auto text = builder.CreateString(std::string(4'000, 'n'));
  const auto given = builder.CreateVector(std::vector<flatbuffers::Offset<flatbuffers::String>>(5'000, text));
  event::NameBuilder name(builder);
  name.add_given(given);
  const auto names = builder.CreateVector(std::vector{name.Finish()});
  event::PersonBuilder person(builder);
  person.add_names(names);
  const auto child = person.Finish();
  const auto id = builder.CreateString("e-1");
  const auto agency = builder.CreateString("elwick-hospital");
  const auto admission = event::CreateAdmission(builder);
  event::EventBuilder event(builder);
  event.add_id(id);
  event.add_source_agency(agency);
  event.add_type(event::EventType::admission);
  event.add_person(child);
  event.add_admission(admission);
  builder.Finish(event.Finish(), event::EventIdentifier());
  wire::PublishItemT item;
  item.channel = "elwick-adt";
  item.event.assign(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  REQUIRE(item.event.size() < 50'000);
  const auto outcome = hub.publish_one(kHospital, std::move(item));
  CHECK(outcome.outcome == wire::Outcome::refused);
  CHECK(outcome.code == "too_large");
  CHECK(outcome.place.starts_with("person.names[0].given["));
}
