#include "adapters/formats/hl7v2.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::adapters;
using hl7v2::Message;
using hl7v2::Path;

namespace {

std::string text_at(const Message& message, const std::string& path) {
  std::string scratch;
  return std::string(message.text_at(*Path::parse(path), scratch).value_or("(absent)"));
}

}  // namespace

TEST_CASE("fields, repetitions, components and subcomponents are found by path") {
  const std::string text =
      "MSH|^~\\&|APP|FAC^2.16^ISO\rPID|1||A^^^X&Y~B^2|\rNK1|1|Ash^Nia\rNK1|2|Oak^Ivo||1 Lane^^Holm\rZXX|7\r";
  const auto message = Message::parse(text);
  REQUIRE(message);
  CHECK(text_at(*message, "MSH-1") == "|");
  CHECK(text_at(*message, "MSH-2") == "^~\\&");
  CHECK(text_at(*message, "MSH-3") == "APP");
  CHECK(text_at(*message, "MSH-4.2") == "2.16");
  CHECK(text_at(*message, "PID-3") == "A");
  CHECK(text_at(*message, "PID-3.4.2") == "Y");
  CHECK(text_at(*message, "PID-3[2].2") == "2");
  CHECK(text_at(*message, "PID-3[3]") == "(absent)");
  CHECK(text_at(*message, "PID-99") == "(absent)");
  CHECK(text_at(*message, "NK1[2]-2.1") == "Oak");
  CHECK(text_at(*message, "ZXX-1") == "7");
  CHECK(message->occurrences({'N', 'K', '1'}) == 2);
  CHECK(message->repetitions(*Path::parse("PID-3")) == 2);
  CHECK(message->whole(*Path::parse("MSH-4")).text == "FAC^2.16^ISO");
}

TEST_CASE("delimiters are the sender's own") {
  const auto message = Message::parse("MSH#*!?%#APP#FAC*2\rPID###A*B%C!D\r");
  REQUIRE(message);
  CHECK(text_at(*message, "MSH-4.2") == "2");
  CHECK(text_at(*message, "PID-3.2.2") == "C");
  CHECK(text_at(*message, "PID-3[2]") == "D");
  CHECK_FALSE(Message::parse("MSH|^^^^|APP\r"));
  CHECK_FALSE(Message::parse("MSHA^~\\&AAPP\r"));
}

TEST_CASE("segments may end in CR, LF or CRLF, and a byte order mark is skipped") {
  for (const std::string end : {"\r", "\n", "\r\n"}) {
    const std::string text = "\xEF\xBB\xBFMSH|^~\\&|APP" + end + "PID|1||A" + end;
    const auto message = Message::parse(text);
    REQUIRE(message);
    CHECK(message->segments().size() == 2);
    CHECK(text_at(*message, "PID-3") == "A");
  }
}

TEST_CASE("a line feed inside a field stays there when segments end in CR") {
  const std::string text = "MSH|^~\\&|APP\rNTE|1||one\ntwo\rPID|1||A\r";
  const auto message = Message::parse(text);
  REQUIRE(message);
  CHECK(text_at(*message, "NTE-3") == "one\ntwo");
  CHECK(text_at(*message, "PID-3") == "A");
}

TEST_CASE("escapes are undone, unknown ones are kept") {
  const hl7v2::Delimiters plain;
  CHECK(hl7v2::unescape("A\\T\\E \\F\\\\S\\\\R\\\\E\\", plain) == "A&E |^~\\");
  CHECK(hl7v2::unescape("one\\.br\\two", plain) == "one\ntwo");
  CHECK(hl7v2::unescape("\\X41C3A9\\", plain) == "A\xC3\xA9");
  CHECK(hl7v2::unescape("\\XE9\\", plain) == "\xC3\xA9");
  CHECK(hl7v2::unescape("C:\\temp\\x", plain) == "C:\\temp\\x");
  CHECK(hl7v2::unescape("half\\", plain) == "half\\");
  CHECK(hl7v2::unescape(hl7v2::escape("a|b^c~d\\e&f\ng", plain), plain) == "a|b^c~d\\e&f\ng");
}

TEST_CASE("two quotes delete, and nothing is not the same as that") {
  const auto message = Message::parse("MSH|^~\\&|APP\rPID|||\"\"||\r");
  REQUIRE(message);
  CHECK(message->value(*Path::parse("PID-3")).null);
  CHECK(message->value(*Path::parse("PID-3.4")).null);
  CHECK_FALSE(message->value(*Path::parse("PID-4")).null);
}

TEST_CASE("paths are written as they are read") {
  for (const std::string text :
       {"PID-3", "PID-3[2].1.2", "NK1[2]-2.1", "NK1[]-5[].1", "NTE[]-3", "MSH-9.1", "PID"}) {
    const auto path = Path::parse(text);
    REQUIRE(path);
    CHECK(path->text() == text);
  }
  CHECK(Path::parse("NK1[]-5[].1")->open_lists() == 2);
  for (const std::string text :
       {"", "PI", "pid-3", "PID-0", "PID-3.", "PID-3[", "PID-3[0]", "PID3", "PID-3.1.2.3"}) {
    CAPTURE(text);
    CHECK_FALSE(Path::parse(text));
  }
}

TEST_CASE("MSH-18 names the character set, and what is not UTF-8 falls back") {
  std::string converted;
  const std::string head = "MSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.4||||||";
  CHECK(hl7v2::utf8_text(head + "8859/1\rPID|Zo\xEB\r", Charset::utf8, converted).ends_with("Zo\xC3\xAB\r"));
  CHECK(hl7v2::utf8_text(head + "UNICODE UTF-8\rPID|Zo\xC3\xAB\r", Charset::utf8, converted)
            .ends_with("Zo\xC3\xAB\r"));
  CHECK(hl7v2::utf8_text(head + "UNICODE UTF-8\rPID|Zo\xEB\r", Charset::utf8, converted)
            .ends_with("Zo\xC3\xAB\r"));
  CHECK(
      hl7v2::utf8_text(head + "\rPID|\x92\r", Charset::windows1252, converted).ends_with("|\xE2\x80\x99\r"));
}

TEST_CASE("a byte that is no UTF-8 behind a byte order mark does not hide the header") {
  std::string converted;
  const std::string text = "\xEF\xBB\xBFMSH|^~\\&|A|B|C|D|||ADT^A01|1|P|2.4\rPID|Zo\xEB\r";
  const auto message = hl7v2::Message::parse(hl7v2::utf8_text(text, Charset::utf8, converted));
  REQUIRE(message);
  CHECK(message->text().ends_with("Zo\xC3\xAB\r"));
}

TEST_CASE("a batch is taken apart into its messages") {
  const std::string one = "MSH|^~\\&|A\rPID|1\r";
  CHECK(hl7v2::split_batch(one).size() == 1);
  const std::string batch = "FHS|^~\\&\rBHS|^~\\&\r" + one + one + "BTS|2\rFTS|1\r";
  const auto parts = hl7v2::split_batch(batch);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0] == one);
  CHECK(parts[1] == one);
}

TEST_CASE("segments are found by name and occurrence wherever they stand") {
  const auto message = Message::parse("MSH|^~\\&|A\rNK1|1\rOBX|1\rNK1|2\rNK\rNK1|3\rOBX|2\rZ\r");
  REQUIRE(message);
  CHECK(message->occurrences({'N', 'K', '1'}) == 3);
  CHECK(message->occurrences({'O', 'B', 'X'}) == 2);
  CHECK(message->occurrences({'P', 'I', 'D'}) == 0);
  CHECK(text_at(*message, "NK1[2]-1") == "2");
  CHECK(text_at(*message, "NK1[3]-1") == "3");
  CHECK(text_at(*message, "NK1[4]-1") == "(absent)");
  CHECK(text_at(*message, "OBX[2]-1") == "2");
  CHECK(text_at(*message, "OBX[3]-1") == "(absent)");
}
