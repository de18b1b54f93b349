#include "adapters/formats/hl7v2_ack.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::adapters;
using hl7v2::AckOutcome;

namespace {

const Zone kLondon = *Zone::find("Europe/London");

hl7v2::AckHeader header(const std::string& accept, const std::string& application,
                        const std::string& version = "2.5") {
  const std::string text = "MSH|^~\\&|PAS|RZX01|HUB|NMCH|20260301||ADT^A01|C7|P|" + version + "|||" + accept +
                           "|" + application + "\rPID|1\r";
  return hl7v2::ack_header(*hl7v2::Message::parse(text));
}

/// The MSA-1 codes of the messages that answer.
std::string codes(const std::string& accept, const std::string& application, AckOutcome outcome) {
  std::string all;
  for (const Bytes& answer :
       hl7v2::acknowledge(header(accept, application), outcome, {{.code = 102, .place = {}, .text = {}}},
                          "X1", {}, kLondon)) {
    const auto message = hl7v2::Message::parse(text_of(answer));
    REQUIRE(message);
    std::string scratch;
    const bool error = message->occurrences({'E', 'R', 'R'}) > 0;
    all += std::string(*message->text_at(*hl7v2::Path::parse("MSA-1"), scratch)) + (error ? "! " : " ");
    CHECK(message->text_at(*hl7v2::Path::parse("MSA-2"), scratch) == "C7");
  }
  return all;
}

}  // namespace

TEST_CASE("original mode answers AA, AE or AR") {
  CHECK(codes("", "", AckOutcome::accepted) == "AA ");
  CHECK(codes("", "", AckOutcome::error) == "AE! ");
  CHECK(codes("", "", AckOutcome::rejected) == "AR! ");
}

TEST_CASE("enhanced mode answers as MSH-15 and MSH-16 ask") {
  struct Case {
    const char* accept;
    const char* application;
    const char* success;
    const char* error;
    const char* rejected;
  };
  const Case cases[] = {{"AL", "", "CA ", "CE! ", "CR! "},
                        {"AL", "NE", "CA ", "CE! ", "CR! "},
                        {"ER", "NE", "", "CE! ", "CR! "},
                        {"SU", "NE", "CA ", "", ""},
                        {"NE", "NE", "", "", ""},
                        {"NE", "AL", "AA ", "AE! ", "AR! "},
                        {"", "AL", "AA ", "AE! ", "AR! "},
                        {"NE", "ER", "", "AE! ", "AR! "},
                        {"NE", "SU", "AA ", "", ""},
                        {"AL", "AL", "CA AA ", "CA AE! ", "CA AR! "},
                        {"AL", "ER", "CA ", "CA AE! ", "CA AR! "},
                        {"AL", "SU", "CA AA ", "CE! ", "CR! "},
                        {"ER", "ER", "", "AE! ", "AR! "},
                        {"SU", "SU", "CA AA ", "", ""}};
  for (const Case& one : cases) {
    CAPTURE(one.accept, one.application);
    CHECK(codes(one.accept, one.application, AckOutcome::accepted) == one.success);
    CHECK(codes(one.accept, one.application, AckOutcome::error) == one.error);
    CHECK(codes(one.accept, one.application, AckOutcome::rejected) == one.rejected);
  }
}

TEST_CASE("an answer goes back the way that the message came, in the sender's own version") {
  const auto answers =
      hl7v2::acknowledge(header("", ""), AckOutcome::accepted, {}, "X1", {1'772'357'400'000'000}, kLondon);
  REQUIRE(answers.size() == 1);
  CHECK(text_of(answers[0]) ==
        "MSH|^~\\&|HUB|NMCH|PAS|RZX01|20260301093000+0000||ACK^A01^ACK|X1|P|2.5||||||UNICODE "
        "UTF-8\rMSA|AA|C7\r");
}

TEST_CASE("an error names its place in the version's form") {
  const hl7v2::AckError error{.code = 101, .place = *hl7v2::Path::parse("NK1[2]-5[3].1"), .text = "a|b"};
  const auto newer =
      hl7v2::acknowledge(header("", "", "2.5.1"), AckOutcome::error, {error}, "X", {}, kLondon);
  CHECK(text_of(newer[0]).find("\rERR||NK1^2^5^3^1|101^Required field missing^HL70357|E||||a\\F\\b\r") !=
        std::string_view::npos);
  const auto older = hl7v2::acknowledge(header("", "", "2.4"), AckOutcome::error, {error}, "X", {}, kLondon);
  CHECK(text_of(older[0]).find("\rERR|NK1^2^5^101&Required field missing&HL70357\r") !=
        std::string_view::npos);
}

TEST_CASE("an acknowledgment is never acknowledged") {
  const auto message = hl7v2::Message::parse("MSH|^~\\&|A|B|C|D|||ACK|9|P|2.4\rMSA|AA|7\r");
  REQUIRE(message);
  CHECK(hl7v2::acknowledge(hl7v2::ack_header(*message), AckOutcome::accepted, {}, "X", {}, kLondon).empty());
}
