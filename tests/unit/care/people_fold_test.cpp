#include "broker/care/people_fold.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/packed_table.hpp"

using namespace carehub;
using namespace carehub::care;
using event::EventType;

namespace {

constexpr PersonKey kAnna{{1}};
constexpr KeyedHash kNumber{{7}};

struct People {
  storage::MemoryStateStore store;
  Rows rows{store};
  Sequence sequence = 0;

  void fold(EventType type, const PersonKey& person = kAnna, EventType corrects = EventType::unknown) {
    ledger::EventEntryT entry;
    entry.type = type;
    entry.person = std::make_unique<ledger::Key>(to_ledger(person));
    entry.identifiers = {to_ledger(kNumber)};
    fakes::EventSpec spec;
    spec.type = type;
    spec.corrects = corrects;
    entry.event = fakes::pack_event(fakes::make_event(spec));
    FoldEntry header;
    header.sequence = ++sequence;
    header.key_id.bytes[0] = static_cast<std::uint8_t>(sequence);
    REQUIRE(fold_people(header, *fakes::PackedTable(entry), rows));
  }
  bool admitted() const { return (*person_record(rows, kAnna))->admitted; }
};

}  // namespace

TEST_CASE("a person is known from the first event, with the newest entry and its key") {
  People people;
  CHECK_FALSE(*person_record(people.rows, kAnna));
  people.fold(EventType::referral);
  people.fold(EventType::referral);
  const auto record = **person_record(people.rows, kAnna);
  CHECK(record.last == 2);
  CHECK(record.key_id == KeyId{{2}});
  CHECK_FALSE(record.admitted);
}

TEST_CASE("a stay begins with its admission and ends with its discharge, and other events leave it be") {
  People people;
  people.fold(EventType::admission);
  CHECK(people.admitted());
  people.fold(EventType::movement);
  CHECK(people.admitted());
  people.fold(EventType::discharge);
  CHECK_FALSE(people.admitted());
}

TEST_CASE("a cancelled admission was none, and a cancelled discharge puts the child back into the bed") {
  People people;
  people.fold(EventType::admission);
  people.fold(EventType::correction, kAnna, EventType::referral);
  CHECK(people.admitted());
  people.fold(EventType::correction, kAnna, EventType::admission);
  CHECK_FALSE(people.admitted());
  people.fold(EventType::correction, kAnna, EventType::discharge);
  CHECK(people.admitted());
}

TEST_CASE("an identifier is whose it was last, and an unknown one is nobody's") {
  People people;
  CHECK_FALSE(*person_linked(people.rows, kNumber));
  people.fold(EventType::referral);
  CHECK(*person_linked(people.rows, kNumber) == kAnna);
  people.fold(EventType::referral, PersonKey{{2}});
  CHECK(*person_linked(people.rows, kNumber) == PersonKey{{2}});
}

TEST_CASE("an entry without a person folds into nothing") {
  People people;
  REQUIRE(fold_people({}, *fakes::PackedTable(ledger::EventEntryT()), people.rows));
  CHECK(people.rows.scan("", "", 10)->empty());
}

TEST_CASE("a person's row that is cut short is corrupt, and says what to do") {
  People people;
  people.rows.put(row_keys::person(kAnna), "short");
  people.rows.put(row_keys::link(kNumber), "short");
  CHECK(person_record(people.rows, kAnna).error().kind == ErrorKind::corrupt);
  CHECK(person_linked(people.rows, kNumber).error().kind == ErrorKind::corrupt);
  CHECK(person_record(people.rows, kAnna).error().text.find("carehub rebuild") != std::string::npos);
}
