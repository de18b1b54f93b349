#include "adapters/channel/interpreter_json.hpp"

#include <catch2/catch.hpp>

#include "adapters/channel/mapping.hpp"
#include "tests/unit/channel/pack_channel.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

std::string only_answer(const std::unique_ptr<InboundMessage>& message,
                        std::vector<client::PublishResult> results) {
  const auto answers = message->answer(results);
  REQUIRE(answers.size() == 1);
  return std::string(text_of(answers[0]));
}

}  // namespace

TEST_CASE("an event in the names of event.fbs is taken as it is") {
  const PackChannel channel("council/events.toml");
  const auto message = channel.interpret(
      R"({"id":"c-1","type":"safeguarding_flag","occurred_at":"2026-03-01T09:30+00:00","person":{"nhs_number":"9990000018",
          "names":[{"family":"Fernley","given":["Rosa"]}]},"safeguarding_flag":{"status":"raised","reason":{"code":"702953007"}}})");
  const auto publications = message->take_publications();
  REQUIRE(publications.size() == 1);
  if (publications[0].problem) FAIL(publications[0].problem->text);
  CHECK(value_of(publications[0], "type") == "safeguarding_flag");
  CHECK(value_of(publications[0], "source_agency") == "holm-school");
  CHECK(value_of(publications[0], "source_message_id") == "c-1");
  CHECK(value_of(publications[0], "id") != "c-1");
  CHECK(publications[0].on_reuse == wire::OnReuse::conflict);
  const std::string answer = only_answer(
      message, {client::Receipt{.sequence = 42, .appended_at = {}, .duplicate = false, .marks = {}}});
  CHECK(answer.find(R"("outcome":"receipt")") != std::string::npos);
  CHECK(answer.find(R"("sequence":42)") != std::string::npos);
}

TEST_CASE("a CloudEvent carries the event as its data") {
  const PackChannel channel("council/events.toml");
  const auto publications =
      channel
          .interpret(R"({"specversion":"1.0","id":"c-2","source":"/mosaic","type":"uk.carehub.referral.v1",
                         "data":{"occurred_at":"2026-03-01","referral":{"number":"R9"}}})")
          ->take_publications();
  REQUIRE(publications.size() == 1);
  if (publications[0].problem) FAIL(publications[0].problem->text);
  CHECK(value_of(publications[0], "referral.number") == "R9");
}

TEST_CASE("every fault of a JSON batch is answered with its place") {
  const PackChannel channel("council/events.toml");
  const auto message = channel.interpret(
      R"([{"id":"1","type":"referral","referral":{"numbr":"R9","urgency":"soon"}},7,{"id":"3","type":"referal"}])");
  const auto publications = message->take_publications();
  REQUIRE(publications.size() == 3);
  std::vector<client::PublishResult> results;
  for (const auto& publication : publications) {
    REQUIRE(publication.problem);
    results.emplace_back(
        client::Refused{ErrorKind::invalid, publication.problem->code, publication.problem->place, {}, 1});
  }
  const std::string answer = only_answer(message, results);
  CHECK(answer.find(R"("unknown_field","place":"$[0].referral")") != std::string::npos);
  CHECK(answer.find("$[0].referral.urgency") != std::string::npos);
  CHECK(answer.find("$[2].type") != std::string::npos);
  const auto broken = channel.interpret("{\n\"id\": ");
  CHECK(broken->take_publications()[0].problem->text.find("line 2") != std::string::npos);
}

TEST_CASE("a member's name that no event has is not repeated, for it may be a name or hold a line break") {
  const PackChannel channel("council/events.toml");
  const auto publications =
      channel.interpret(R"({"id":"1","type":"referral","referral":{"Rosa\nalarm=true":{"Fernley":"x"}}})")
          ->take_publications();
  REQUIRE(publications.size() == 1);
  REQUIRE(publications[0].problem);
  CHECK(publications[0].problem->place == "$.referral");
  CHECK(publications[0].problem->text.find("Rosa") == std::string::npos);
  CHECK(publications[0].problem->text.find("Fernley") == std::string::npos);
}
