#include "adapters/channel/interpreter_json.hpp"

#include <catch2/catch.hpp>

#include "adapters/channel/mapping.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

Bytes bytes_from(std::string_view text) {
  const BytesView view = bytes_of(text);
  return {view.begin(), view.end()};
}

std::shared_ptr<const Pack> pack_named(const std::string& name) {
  std::vector<ConfigFault> faults;
  const auto root = std::filesystem::path(CAREHUB_SOURCE_DIR) / "adapters";
  auto pack = load_pack(root / name, std::nullopt, faults);
  REQUIRE(pack != nullptr);
  return pack;
}

struct Channel {
  explicit Channel(const std::string& name) : pack(pack_named(name)) {
    options = {"holm-school", "holm-referrals", Unmappable::refuse, &random};
  }
  std::unique_ptr<InboundMessage> interpret(std::string_view text,
                                            const std::string& source = "in/day.csv") const {
    return make_interpreter(pack, options)->interpret(bytes_from(text), Arrival{{5}, source, {}});
  }

  fakes::SeededRandom random{3};
  std::shared_ptr<const Pack> pack;
  InterpreterOptions options;
};

std::string value(const client::Publication& publication, const std::string& path) {
  const auto* event = verified_event(publication.event);
  REQUIRE(event != nullptr);
  const auto all = field_values(*event, *FieldPath::parse(path));
  return all.empty() ? std::string{} : all.front();
}

std::string only_answer(const std::unique_ptr<InboundMessage>& message,
                        std::vector<client::PublishResult> results) {
  const auto answers = message->answer(results);
  REQUIRE(answers.size() == 1);
  return std::string(text_of(answers[0]));
}

}  // namespace

TEST_CASE("an event in the names of event.fbs is taken as it is") {
  const Channel channel("council/events.toml");
  const auto message = channel.interpret(
      R"({"id":"c-1","type":"safeguarding_flag","occurred_at":"2026-03-01T09:30+00:00","person":{"nhs_number":"9990000018",
          "names":[{"family":"Fernley","given":["Rosa"]}]},"safeguarding_flag":{"status":"raised","reason":{"code":"702953007"}}})");
  const auto publications = message->take_publications();
  REQUIRE(publications.size() == 1);
  if (publications[0].problem) FAIL(publications[0].problem->text);
  CHECK(value(publications[0], "type") == "safeguarding_flag");
  CHECK(value(publications[0], "source_agency") == "holm-school");
  CHECK(value(publications[0], "source_message_id") == "c-1");
  CHECK(value(publications[0], "id") != "c-1");
  CHECK(publications[0].on_reuse == wire::OnReuse::conflict);
  const std::string answer = only_answer(
      message, {client::Receipt{.sequence = 42, .appended_at = {}, .duplicate = false, .marks = {}}});
  CHECK(answer.find(R"("outcome":"receipt")") != std::string::npos);
  CHECK(answer.find(R"("sequence":42)") != std::string::npos);
}

TEST_CASE("a CloudEvent carries the event as its data") {
  const Channel channel("council/events.toml");
  const auto publications =
      channel
          .interpret(R"({"specversion":"1.0","id":"c-2","source":"/mosaic","type":"uk.carehub.referral.v1",
                         "data":{"occurred_at":"2026-03-01","referral":{"number":"R9"}}})")
          ->take_publications();
  REQUIRE(publications.size() == 1);
  if (publications[0].problem) FAIL(publications[0].problem->text);
  CHECK(value(publications[0], "referral.number") == "R9");
}

TEST_CASE("every fault of a JSON batch is answered with its place") {
  const Channel channel("council/events.toml");
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
  const Channel channel("council/events.toml");
  const auto publications =
      channel.interpret(R"({"id":"1","type":"referral","referral":{"Rosa\nalarm=true":{"Fernley":"x"}}})")
          ->take_publications();
  REQUIRE(publications.size() == 1);
  REQUIRE(publications[0].problem);
  CHECK(publications[0].problem->place == "$.referral");
  CHECK(publications[0].problem->text.find("Rosa") == std::string::npos);
  CHECK(publications[0].problem->text.find("Fernley") == std::string::npos);
}
