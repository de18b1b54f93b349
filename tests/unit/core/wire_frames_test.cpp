#include "broker/core/wire_frames.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;

namespace {

const wire::Frame& frame_in(const Bytes& bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  REQUIRE(wire::VerifyFrameBuffer(verifier));
  const auto& frame = *wire::GetFrame(bytes.data());
  CHECK(frame.major() == 1);
  return frame;
}

}  // namespace

TEST_CASE("an error has the same number in the hub and on the wire") {
  CHECK(to_wire(ErrorKind::invalid) == wire::ErrorKind::invalid);
  CHECK(to_wire(ErrorKind::conflict) == wire::ErrorKind::conflict);
  CHECK(to_wire(ErrorKind::overloaded) == wire::ErrorKind::overloaded);
  CHECK(to_wire(ErrorKind::unavailable) == wire::ErrorKind::unavailable);
  CHECK(to_wire(ErrorKind::not_found) == wire::ErrorKind::not_found);
  CHECK(to_wire(ErrorKind::corrupt) == wire::ErrorKind::corrupt);
  CHECK(to_wire(ErrorKind::denied) == wire::ErrorKind::denied);
}

TEST_CASE("outcomes leave in the order of their items, with all that they say") {
  std::vector<wire::PublishOutcomeT> outcomes(2);
  outcomes[0].number = 7;
  outcomes[0].outcome = wire::Outcome::receipt;
  outcomes[0].sequence = 42;
  outcomes[0].marks = {ledger::Mark::id_reused};
  outcomes[1].number = 8;
  outcomes[1].outcome = wire::Outcome::refused;
  outcomes[1].kind = wire::ErrorKind::invalid;
  outcomes[1].place = "person.nhs_number";
  const auto bytes = published_frame(outcomes);
  const auto* published = frame_in(bytes).message_as_Published();
  REQUIRE(published != nullptr);
  REQUIRE(published->outcomes()->size() == 2);
  CHECK(published->outcomes()->Get(0)->sequence() == 42);
  CHECK(published->outcomes()->Get(0)->marks()->size() == 1);
  CHECK(published->outcomes()->Get(1)->number() == 8);
  CHECK(published->outcomes()->Get(1)->place()->str() == "person.nhs_number");
}

TEST_CASE("every view in a batch can be read where it lies, without a copy") {
  std::vector<wire::DeliveryT> deliveries;
  for (std::size_t length = 0; length < 9; ++length) {
    auto event = fakes::make_event({});
    event.id.assign(length + 1, 'x');  // views of every length behind each other
    wire::DeliveryT delivery;
    delivery.sequence = length + 1;
    delivery.person = std::make_unique<ledger::Key>();
    delivery.view = fakes::pack_event(event);
    delivery.legal_basis.assign(length, 'b');
    deliveries.push_back(std::move(delivery));
  }
  const auto bytes = deliver_frame("desk", deliveries);
  const auto* deliver = frame_in(bytes).message_as_Deliver();
  REQUIRE(deliver != nullptr);
  CHECK(deliver->subscription()->str() == "desk");
  REQUIRE(deliver->deliveries()->size() == deliveries.size());
  for (flatbuffers::uoffset_t at = 0; at < deliver->deliveries()->size(); ++at) {
    const auto* delivery = deliver->deliveries()->Get(at);
    const auto offset = delivery->view()->data() - bytes.data();
    CHECK(offset % 8 == 0);
    CHECK(delivery->sequence() == at + 1);
    CHECK(delivery->view_nested_root()->id()->size() == at + 1);
  }
}

TEST_CASE("a delivery says whether it is late, after a gap, or a replay, and how it is marked") {
  std::vector<wire::DeliveryT> deliveries(2);
  for (auto& delivery : deliveries) delivery.view = fakes::pack_event(fakes::make_event({}));
  deliveries[0].late = true;
  deliveries[0].attempt = 3;
  deliveries[1].after_gap = true;
  deliveries[1].replay = true;
  deliveries[1].marks = {ledger::Mark::before_admission};
  const auto bytes = deliver_frame("desk", deliveries);
  const auto* sent = frame_in(bytes).message_as_Deliver()->deliveries();
  CHECK(sent->Get(0)->late());
  CHECK(sent->Get(0)->attempt() == 3);
  CHECK_FALSE(sent->Get(0)->after_gap());
  CHECK_FALSE(sent->Get(0)->replay());
  CHECK(sent->Get(1)->after_gap());
  CHECK(sent->Get(1)->replay());
  CHECK(static_cast<ledger::Mark>(sent->Get(1)->marks()->Get(0)) == ledger::Mark::before_admission);
}

TEST_CASE("a rejection says whether the connection ends, and what it answers") {
  const auto bytes = rejected_frame(ErrorKind::denied, "not yours", true, 9);
  const auto* rejected = frame_in(bytes).message_as_Rejected();
  REQUIRE(rejected != nullptr);
  CHECK(rejected->kind() == wire::ErrorKind::denied);
  CHECK(rejected->text()->str() == "not yours");
  CHECK(rejected->closing());
  CHECK(rejected->number() == 9);
}

TEST_CASE("what was handled has no error, and what was not says which") {
  const auto done = handled_frame(5, std::nullopt, "", 77);
  CHECK(frame_in(done).message_as_Handled()->error() == wire::ErrorKind::unknown);
  CHECK(frame_in(done).message_as_Handled()->sequence() == 77);
  const auto refused = handled_frame(6, ErrorKind::not_found, "gone", 0);
  CHECK(frame_in(refused).message_as_Handled()->error() == wire::ErrorKind::not_found);
  CHECK(frame_in(refused).message_as_Handled()->number() == 6);
}

TEST_CASE("a refused question ends, under its own number") {
  const auto page = refused_page(3, ErrorKind::denied, "not in this role");
  CHECK(frame_in(page).message_as_Page()->number() == 3);
  CHECK(frame_in(page).message_as_Page()->error() == wire::ErrorKind::denied);
  CHECK_FALSE(frame_in(page).message_as_Page()->more());
  const auto replay = refused_replay(4, ErrorKind::invalid, "no such role");
  CHECK(frame_in(replay).message_as_Replayed()->number() == 4);
  CHECK(frame_in(replay).message_as_Replayed()->last());
}

TEST_CASE("a subscription's answer says where the ledger stands") {
  const auto bytes = subscribed_frame("desk", 12);
  const auto* subscribed = frame_in(bytes).message_as_Subscribed();
  REQUIRE(subscribed != nullptr);
  CHECK(subscribed->name()->str() == "desk");
  CHECK(subscribed->head() == 12);
}
