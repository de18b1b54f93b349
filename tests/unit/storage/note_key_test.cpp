#include "broker/storage/note_key.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/verify_note.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::storage;

TEST_CASE("a key says what it signs as, and is read only as that") {
  fakes::SeededRandom random(31);
  const auto log = NoteKey::make(NoteKey::Kind::log, "a.example/log", "a log", random);
  const auto witness = NoteKey::make(NoteKey::Kind::witness, "w.example/1", "a witness", random);
  REQUIRE(log);
  REQUIRE(witness);
  CHECK(verify::parse_key(log->public_text())->kind == verify::Key::kNote);
  CHECK(verify::parse_key(witness->public_text())->kind == verify::Key::kCosignature);
  CHECK(NoteKey::parse(NoteKey::Kind::log, log->secret_text())->public_text() == log->public_text());
  CHECK(NoteKey::parse(NoteKey::Kind::witness, log->secret_text()).error().kind == ErrorKind::corrupt);
  CHECK(NoteKey::parse(NoteKey::Kind::log, witness->secret_text()).error().kind == ErrorKind::corrupt);
}

TEST_CASE("a name that no note can carry is refused, and the error says whose it is") {
  fakes::SeededRandom random(32);
  for (const char* name : {"", "two words", "a+b", "a\tb", "\xFF"}) {
    const auto key = NoteKey::make(NoteKey::Kind::witness, name, "a witness's name", random);
    REQUIRE_FALSE(key);
    CHECK(key.error().kind == ErrorKind::invalid);
    CHECK(key.error().text.starts_with("a witness's name"));
  }
  CHECK(is_note_name(std::string(128, 'a')));
  CHECK_FALSE(is_note_name(std::string(129, 'a')));
}

TEST_CASE("base64 is the standard one with its padding") {
  CHECK(to_base64({}).empty());
  CHECK(to_base64(bytes_of("f")) == "Zg==");
  CHECK(to_base64(bytes_of("fo")) == "Zm8=");
  CHECK(to_base64(bytes_of("foobar")) == "Zm9vYmFy");
}
