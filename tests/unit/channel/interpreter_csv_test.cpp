#include "adapters/channel/interpreter_csv.hpp"

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

constexpr const char* kHeader =
    "Reference,Date,Surname,Forename,Date of birth,UPN,Sex,School URN,Reason,Urgency\r\n";

}  // namespace

TEST_CASE("each row of a school's file is a referral, a bad one a problem with its line") {
  const Channel channel("school/referrals.toml");
  const std::string text = std::string(kHeader) +
                           "R1,01/03/2026,Fernley,Rosa,03/05/2012,,F,900101,Worry at school,Urgent\r\n"
                           "R2,yesterday,Oak,Ivo,03/05/2012,,M,900101,Absence,\r\n"
                           "R3,01/03/2026,short\r\n"
                           "R4,02/03/2026,Oak,Ivo,03/05/2012,,M,900101,Absence,\r\n";
  const auto message = channel.interpret(text);
  const auto publications = message->take_publications();
  REQUIRE(publications.size() == 4);
  CHECK(value(publications[0], "type") == "referral");
  CHECK(value(publications[0], "referral.number") == "R1");
  CHECK(value(publications[0], "referral.urgency") == "urgent");
  CHECK(value(publications[0], "person.birth_date") == "2012-05-03");
  CHECK(value(publications[0], "person.school.code") == "900101");
  CHECK(value(publications[0], "source_message_id") == "day.csv/R1");
  REQUIRE(publications[1].problem);
  CHECK(publications[1].problem->place == "line 3, column Date");
  CHECK(publications[1].problem->text.find("yesterday") == std::string::npos);
  REQUIRE(publications[2].problem);
  CHECK(publications[2].problem->place == "line 4");
  CHECK(value(publications[3], "referral.urgency") == "routine");
  CHECK(publications[0].identity != publications[3].identity);
}
