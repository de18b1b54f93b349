#include "broker/app/show_event.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "tests/fakes/events.hpp"

using namespace carehub;
using namespace carehub::app;

namespace {

wire::DeliveryT delivery() {
  wire::DeliveryT made;
  made.sequence = 41;
  made.appended_at = 1'770'000'000'000'000;
  made.type = event::EventType::admission;
  made.attempt = 1;
  made.legal_basis = "Children Act 2004 s.10";
  made.view = fakes::event_of(
      {{"type", "admission"}, {"person.names[0].family", "Mar\x1b[2Jlow"}, {"admission.tier", "4"}});
  return made;
}

std::string printed(const wire::DeliveryT& shown) {
  std::ostringstream out;
  print_delivery(out, shown);
  return out.str();
}

}  // namespace

TEST_CASE("a delivery is a line with time, sequence and type, and a line for each field that may be seen") {
  const std::string text = printed(delivery());
  CHECK(text.starts_with("2026-02-02T02:40:00"));
  CHECK(text.find("  #41  admission\n") != std::string::npos);
  CHECK(text.find("\n    admission.tier") != std::string::npos);
}

TEST_CASE("a name in a view cannot steer the reader's terminal") {
  const std::string text = printed(delivery());
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("Mar?[2Jlow") != std::string::npos);
}

TEST_CASE("values stand in one column whatever the length of their paths") {
  const std::string text = printed(delivery());
  const auto column_of = [&](const std::string& path, const std::string& value) {
    const auto line = text.find("    " + path + " ");
    REQUIRE(line != std::string::npos);
    return text.find(value, line + path.size() + 4) - line;
  };
  CHECK(column_of("person.names[0].family", "Mar?") == column_of("id", "00000000-"));
}

TEST_CASE("what is unusual about a delivery is said in words, and mostly nothing is") {
  wire::DeliveryT shown = delivery();
  CHECK(remarks(shown).empty());
  shown.late = shown.after_gap = shown.replay = true;
  shown.attempt = 2;
  CHECK(remarks(shown) == "late, after a gap, replay, sent before");
  shown.marks = {ledger::EnumValuesMark()[0], ledger::EnumValuesMark()[1]};
  CHECK(remarks(shown).starts_with(marks_text(shown.marks) + ", late"));
  CHECK(marks_text(shown.marks).find(", ") != std::string::npos);
}

TEST_CASE("a delivery as JSON is one line that says who, what, why, and nothing that does not apply") {
  wire::DeliveryT shown = delivery();
  shown.person = std::make_unique<ledger::Key>();
  const std::string line = delivery_json("desk", shown);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.starts_with(R"({"sequence":41,"subscription":"desk","appended_at":")"));
  CHECK(line.find(R"("person":"00000000000000000000000000000000")") != std::string::npos);
  CHECK(line.find(R"("legal_basis":"Children Act 2004 s.10")") != std::string::npos);
  CHECK(line.find(R"("event":{)") != std::string::npos);
  CHECK(line.find("late") == std::string::npos);
  shown.late = true;
  shown.marks = {ledger::EnumValuesMark()[0]};
  const std::string marked = delivery_json({}, shown);
  CHECK(marked.find(R"("late":true)") != std::string::npos);
  CHECK(marked.find(R"("marks":[")") != std::string::npos);
  CHECK(marked.find("subscription") == std::string::npos);
}

TEST_CASE("a view that is withheld or broken shows no fields and is no error") {
  for (const Bytes& view : {Bytes{}, Bytes(64, 0xAB)}) {
    wire::DeliveryT shown = delivery();
    shown.view = view;
    const std::string text = printed(shown);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(delivery_json({}, shown).find("event\"") == std::string::npos);
  }
}

TEST_CASE("a person is shown by the hub's own pseudonym, or not at all") {
  CHECK(pseudonym(nullptr).empty());
  const ledger::Key key;
  CHECK(pseudonym(&key) == std::string(32, '0'));
}
