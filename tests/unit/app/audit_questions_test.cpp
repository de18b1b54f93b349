#include "broker/app/audit_questions.hpp"

#include <catch2/catch.hpp>

#include "broker/app/program.hpp"

using namespace carehub;

TEST_CASE("an auditor's questions to a running hub are read below audit") {
  const auto parsed =
      app::parse_command({"audit", "as-of", "hub.toml", "--agency", "council", "--person", "nhs:1", "--at",
                          "2026-01-31", "--by", "a", "--reason", "b", "--csv"});
  const auto* command = std::get_if<app::Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto* as_of = std::get_if<app::AsOfOptions>(command);
  REQUIRE(as_of != nullptr);
  CHECK(as_of->agency == "council");
  CHECK(as_of->at == "2026-01-31");
  CHECK(as_of->rows.csv);
  const auto trail = app::parse_command({"audit", "trail", "hub.toml", "--by", "a", "--reason", "b"});
  command = std::get_if<app::Command>(&trail);
  REQUIRE(command != nullptr);
  CHECK(std::holds_alternative<app::TrailOptions>(*command));
}

TEST_CASE("an auditor's question without a reason is a wrong command line") {
  const auto parsed = app::parse_command({"audit", "trail", "hub.toml", "--by", "a"});
  const auto* leave = std::get_if<app::Leave>(&parsed);
  REQUIRE(leave != nullptr);
  CHECK(leave->code == app::ExitCode::usage);
}
