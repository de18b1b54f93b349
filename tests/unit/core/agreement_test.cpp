#include "broker/core/agreement.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::core;

namespace {

constexpr std::string_view kGood = R"([[agreement]]
name = "Sharing 2026"
parties = ["elwick-hospital", "northmarch-council"]
signatories = ["Caldicott Guardian, Elwick"]
signed = 2026-03-20
from = 2026-04-01
until = "2027-03-31"
purposes = ["safeguarding"]
)";

struct Read {
  std::optional<Agreement> agreement;
  std::vector<std::string> faults;
};

Read read(const std::string& text) {
  auto document = ConfigDocument::parse(text, "policy.toml");
  Read result;
  auto tables = document.root().tables("agreement");
  REQUIRE(tables.size() == 1);
  result.agreement = read_agreement(tables[0]);
  for (const auto& fault : document.faults()) result.faults.push_back(to_string(fault));
  return result;
}

/// The good agreement with one of its lines changed.
Read with(std::string_view line, std::string_view instead) {
  std::string text(kGood);
  const auto at = text.find(line);
  REQUIRE(at != std::string::npos);
  return read(text.replace(at, line.size(), instead));
}

/// Seconds after the first moment of a day, UTC.
Timestamp at(int year, unsigned month, unsigned day, std::int64_t seconds = 0) {
  using namespace std::chrono;
  const sys_days date{std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day}};
  return {(std::int64_t{date.time_since_epoch().count()} * 86'400 + seconds) * kSecondUs};
}

}  // namespace

TEST_CASE("an agreement is read with parties, signatories, dates and purposes") {
  const auto result = read(std::string(kGood));
  REQUIRE(result.faults.empty());
  REQUIRE(result.agreement);
  CHECK(result.agreement->name == "Sharing 2026");
  CHECK(result.agreement->has_party("northmarch-council"));
  CHECK_FALSE(result.agreement->has_party("holm-school"));
  CHECK_FALSE(result.agreement->has_party(""));
  CHECK(result.agreement->signatories.size() == 1);
  CHECK(result.agreement->purposes.size() == 1);
  CHECK(date_text(result.agreement->signed_on) == "2026-03-20");
  CHECK(date_text(result.agreement->from) == "2026-04-01");
  CHECK(date_text(result.agreement->until) == "2027-03-31");
}

TEST_CASE("an agreement without a date is a fault with its place") {
  for (const auto* line : {"signed = 2026-03-20\n", "from = 2026-04-01\n", "until = \"2027-03-31\"\n"}) {
    INFO(line);
    const auto result = with(line, "");
    CHECK_FALSE(result.agreement);
    REQUIRE(result.faults.size() == 1);
    CHECK(result.faults[0].starts_with("policy.toml:1:1: the agreement has no `"));
    CHECK(result.faults[0].find("date") != std::string::npos);
  }
}

TEST_CASE("dates that are none, or out of order, are faults at their key") {
  const auto cut = with("2026-04-01", "\"2026-04\"");
  REQUIRE(cut.faults.size() == 1);
  CHECK(cut.faults[0].starts_with("policy.toml:6:8: `from` is no whole date."));
  CHECK(with("2026-04-01", "\"2026-02-30\"").faults.size() == 1);
  CHECK(with("2026-04-01", "true").faults.size() == 1);
  CHECK(with("2026-04-01", "2026-03-19").faults.at(0).find("before it was signed") != std::string::npos);
  CHECK(with("2027-03-31", "2026-03-31").faults.at(0).find("ends before it begins") != std::string::npos);
  CHECK_FALSE(with("2027-03-31", "2026-03-31").agreement);
}

TEST_CASE("an agreement needs two parties, a signatory and a purpose") {
  CHECK(with(", \"northmarch-council\"", "").faults.size() == 1);
  CHECK(with("signatories = [\"Caldicott Guardian, Elwick\"]\n", "").faults.size() == 1);
  CHECK(with("\"safeguarding\"", "").faults.size() == 1);
  CHECK(with("\"safeguarding\"", "\"\"").faults.size() == 1);
  CHECK(with("name = \"Sharing 2026\"\n", "").faults.size() == 1);
}

TEST_CASE("an agreement is in force from the first moment of its first day to the last of its last, in UTC") {
  const auto agreement = *read(std::string(kGood)).agreement;
  CHECK(standing_of(agreement, {at(2026, 4, 1).us - 1}) == Standing::not_yet);
  CHECK(standing_of(agreement, at(2026, 4, 1)) == Standing::in_force);
  CHECK(standing_of(agreement, at(2027, 3, 30)) == Standing::in_force);
  CHECK(standing_of(agreement, at(2027, 3, 31)) == Standing::in_force);
  CHECK(standing_of(agreement, {at(2027, 4, 1).us - 1}) == Standing::in_force);
  CHECK(standing_of(agreement, at(2027, 4, 1)) == Standing::lapsed);
}

TEST_CASE("an agreement's end is told of from sixty days before it lapses") {
  const auto agreement = *read(std::string(kGood)).agreement;
  CHECK_FALSE(ends_soon(agreement, {at(2027, 1, 31).us - 1}));
  CHECK(ends_soon(agreement, at(2027, 1, 31)));
  CHECK(ends_soon(agreement, at(2028, 1, 1)));
  CHECK(end_text(agreement, at(2027, 3, 31)) == "agreement Sharing 2026 ends on 2027-03-31");
  CHECK(end_text(agreement, at(2027, 4, 1)) == "agreement Sharing 2026 lapsed on 2027-04-01");
  CHECK(obstacle_text(agreement, at(2026, 1, 1)) == "agreement Sharing 2026 is not yet in force");
  CHECK(obstacle_text(agreement, at(2028, 1, 1)) == "agreement Sharing 2026 has lapsed");
}
