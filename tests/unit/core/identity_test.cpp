#include "broker/core/identity.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;

namespace {

using Texts = std::vector<std::string>;

event::EventT nobody() {
  event::EventT event;
  event.id = "e";
  event.source_agency = "elwick-hospital";
  event.person = std::make_unique<event::PersonT>();
  return event;
}

void add_local(event::EventT& event, const std::string& value, const std::string& issuer) {
  auto local = std::make_unique<event::IdentifierT>();
  local->value = value;
  local->issuer = issuer;
  event.person->local_identifiers.push_back(std::move(local));
}

Texts texts_of(const event::EventT& event) {
  const auto bytes = fakes::pack_event(event);
  return identifier_texts(*event::GetEvent(bytes.data()));
}

}  // namespace

TEST_CASE("identifiers come strongest first: NHS number, UPN, then local ones") {
  auto event = nobody();
  add_local(event, "A1", "RZX01");
  event.person->upn = "B801200005001";
  event.person->nhs_number = fakes::test_nhs_number(1);
  CHECK(texts_of(event) == Texts{"nhs:" + fakes::test_nhs_number(1), "upn:B801200005001", "local:RZX01:A1"});
}

TEST_CASE("a mother's NHS number is no identifier of her baby") {
  auto event = nobody();
  event.person->nhs_number = fakes::test_nhs_number(1);
  event.person->nhs_number_status = event::NhsNumberStatus::mothers_used;
  CHECK(texts_of(event).empty());
}

TEST_CASE("a local identifier without an issuer is the sender's, and an empty one is none") {
  auto event = nobody();
  add_local(event, "A1", "");
  add_local(event, "", "RZX01");
  CHECK(texts_of(event) == Texts{"local:elwick-hospital:A1"});
}

TEST_CASE("an event about no person has no identifiers") {
  auto event = nobody();
  CHECK(texts_of(event).empty());
  event.person.reset();
  CHECK(texts_of(event).empty());
}

TEST_CASE("what a person types is brought into the form that was hashed") {
  const auto number = fakes::test_nhs_number(1);
  const auto spaced = number.substr(0, 3) + " " + number.substr(3, 3) + " " + number.substr(6);
  CHECK(canonical_identifier("nhs:" + spaced) == "nhs:" + number);
  CHECK(canonical_identifier("upn:B801200005001") == "upn:B801200005001");
  CHECK(canonical_identifier("local:RZX01:A1:2") == "local:RZX01:A1:2");
}

TEST_CASE("what is no identifier is refused without repeating it") {
  for (const std::string typed : {"", "9990000000", "nhs:", "nhs:9990000000", "upn:A801200005001", "local:A1",
                                  "NHS:9990000018", "name:Ashdown"}) {
    INFO(typed);
    const auto canonical = canonical_identifier(typed);
    REQUIRE_FALSE(canonical);
    CHECK(canonical.error().kind == ErrorKind::invalid);
    CHECK(canonical.error().text.find("9990000000") == std::string::npos);
    CHECK(canonical.error().text.find("Ashdown") == std::string::npos);
  }
}

TEST_CASE("the same identifier hashes the same under one key, and differently under another") {
  const storage::SecretKey ours({1});
  const storage::SecretKey theirs({2});
  CHECK(identifier_hash(ours, "upn:B801200005001") == identifier_hash(ours, "upn:B801200005001"));
  CHECK_FALSE(identifier_hash(ours, "upn:B801200005001") == identifier_hash(theirs, "upn:B801200005001"));
  CHECK_FALSE(identifier_hash(ours, "upn:B801200005001") == identifier_hash(ours, "upn:H801200001001"));
}
