#include "adapters/channel/interpreter_hl7v2.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/unit/channel/pack_channel.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

std::filesystem::path source_root() { return std::filesystem::path(CAREHUB_SOURCE_DIR); }

std::filesystem::path corpus() {
  const char* named = std::getenv("CAREHUB_CORPUS");
  return (named != nullptr ? std::filesystem::path(named) : source_root() / "../shared/corpus") / "hl7v2";
}

std::shared_ptr<const Pack> hospital_pack(const std::string& overrides = {}) {
  std::vector<ConfigFault> faults;
  std::optional<ConfigDocument> second;
  if (!overrides.empty()) second = ConfigDocument::parse(overrides, "overrides.toml");
  auto pack = read_pack(ConfigDocument::load(source_root() / "adapters/hospital/hl7v2.toml"),
                        std::move(second), faults);
  for (const ConfigFault& fault : faults) UNSCOPED_INFO(to_string(fault));
  REQUIRE(pack != nullptr);
  return pack;
}

std::string msh(const std::string& type, const std::string& rest = "MSG00001|P|2.4") {
  return "MSH|^~\\&|PAS|RZX01|HUB|NMCH|20260301093000||" + type + "|" + rest + "\r";
}

const std::string kPid =
    "PID|1||9990000018^^^NHS^NHS~E1234^^^RZX01^MR||Fernley^Rosa^Jane^^Miss^^L||20120503|F|||1 Mill "
    "Lane^^Holm^^NM1 2AB^"
    "^H||^PRN^PH^^^^^^^^^01632 960001\r";
const std::string kPv1 =
    "PV1|1|I|KES^R1^B2^RZX01|E|||C123^Ash^Nia^^^Dr||||420||||19||||V77^^^RZX01|||||||||||||||||||||||||"
    "20260301091500\r";

struct Channel {
  explicit Channel(Unmappable unmappable = Unmappable::refuse, const std::string& overrides = {})
      : pack(hospital_pack(overrides)), options{"elwick-hospital", "elwick-adt", unmappable, &random} {}

  std::unique_ptr<InboundMessage> interpret(const std::string& message) const {
    return make_interpreter(pack, options)
        ->interpret(bytes_from(message), Arrival{{1'772'357'400'000'000}, "test", {}});
  }

  mutable fakes::SeededRandom random{7};
  std::shared_ptr<const Pack> pack;
  InterpreterOptions options;
};

std::vector<std::string> values(const client::Publication& publication, const std::string& path) {
  const auto* event = verified_event(publication.event);
  REQUIRE(event != nullptr);
  return field_values(*event, *FieldPath::parse(path));
}

std::string value(const client::Publication& publication, const std::string& path) {
  const auto all = values(publication, path);
  return all.empty() ? std::string{} : all.front();
}

client::Publication only(const std::unique_ptr<InboundMessage>& message) {
  auto publications = message->take_publications();
  REQUIRE(publications.size() == 1);
  return std::move(publications.front());
}

/// What a hub would say: a problem is refused, an event received.
client::PublishResult hub_says(const client::Publication& publication) {
  if (!publication.problem)
    return client::Receipt{.sequence = 1, .appended_at = {}, .duplicate = false, .marks = {}};
  return client::Refused{ErrorKind::invalid, publication.problem->code, publication.problem->place,
                         publication.problem->text, 1};
}

std::string answer_to(const Channel& channel, const std::string& text) {
  const auto message = channel.interpret(text);
  const auto publication = only(message);
  std::string all;
  for (const Bytes& answer : message->answer({hub_says(publication)}))
    all += std::string(text_of(answer)) + "|frame|";
  return all;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

std::vector<std::filesystem::path> corpus_files() {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(corpus())) return files;
  for (const auto& entry : std::filesystem::directory_iterator(corpus())) {
    if (entry.path().extension() == ".hl7") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("an admission carries the child, the ward and the times") {
  const Channel channel(Unmappable::refuse, "[table.tier]\n\"RZX01/KES\" = \"4\"\n");
  const auto publication = only(channel.interpret(msh("ADT^A01") + "EVN|A01|20260301092900\r" + kPid + kPv1));
  if (publication.problem) FAIL(publication.problem->text);
  CHECK(value(publication, "type") == "admission");
  CHECK(value(publication, "source_agency") == "elwick-hospital");
  CHECK(value(publication, "source_channel") == "elwick-adt");
  CHECK(value(publication, "source_message_id") == "MSG00001");
  CHECK(value(publication, "source_system") == "PAS@RZX01");
  CHECK(value(publication, "mapping_name") == "hospital/hl7v2");
  CHECK(value(publication, "person.nhs_number") == "9990000018");
  CHECK(values(publication, "person.local_identifiers[].value") == std::vector<std::string>{"E1234"});
  CHECK(values(publication, "person.local_identifiers[].issuer") == std::vector<std::string>{"RZX01"});
  CHECK(value(publication, "person.names[0].family") == "Fernley");
  CHECK(values(publication, "person.names[0].given[]") == std::vector<std::string>{"Rosa", "Jane"});
  CHECK(value(publication, "person.birth_date") == "2012-05-03");
  CHECK(value(publication, "person.sex") == "female");
  CHECK(value(publication, "person.telecoms[0].value") == "01632 960001");
  CHECK(value(publication, "admission.location.ward_code") == "KES");
  CHECK(value(publication, "admission.location.site.scheme") == "ods");
  CHECK(value(publication, "admission.tier") == "4");
  CHECK(value(publication, "admission.visit_number") == "V77");
  CHECK(value(publication, "admission.consultant.name") == "Dr Nia Ash");
  CHECK(value(publication, "admission.admitted_at") == "2026-03-01T09:15:00+00:00");
  CHECK(publication.on_reuse == wire::OnReuse::mark_and_keep);
  CHECK(text_of(publication.original).starts_with("MSH|"));
}

TEST_CASE("a ward that only looks like Tier 4 has no tier") {
  const Channel channel;
  const auto publication = only(channel.interpret(msh("ADT^A01") + kPid + "PV1|1|I|TIER4^^^RZX01\r"));
  CHECK(value(publication, "admission.tier").empty());
}

TEST_CASE("a discharge, a cancel and a referral become their events") {
  const Channel channel;
  const auto discharge = only(channel.interpret(msh("ADT^A03") + "EVN|A03|20260302100000\r" + kPid + kPv1));
  CHECK(value(discharge, "discharge.admitted_at") == "2026-03-01T09:15:00+00:00");
  CHECK(value(discharge, "type") == "discharge");
  CHECK(value(discharge, "discharge.discharged_at") == "2026-03-02T10:00:00+00:00");
  const auto cancel = only(channel.interpret(msh("ADT^A11") + "EVN|A11|20260302100000\r" + kPid + kPv1));
  CHECK(value(cancel, "type") == "correction");
  CHECK(value(cancel, "correction.corrects") == "admission");
  CHECK(value(cancel, "correction.visit_number") == "V77");
  const auto referral =
      only(channel.interpret(msh("REF^I12") + "RF1|P^Pending|A^ASAP|MED||O|R55|20260301||20260301|W^Worry\r" +
                             "PRD|RP^Referring Provider|Ash^Nia^^^^Dr|||||G1\rPRD|RT|Oak^Ivo\r" + kPid +
                             "NTE|1||First line\rNTE|2||Second line\r"));
  CHECK(value(referral, "type") == "referral");
  CHECK(value(referral, "referral.number") == "R55");
  CHECK(value(referral, "referral.urgency") == "urgent");
  CHECK(value(referral, "referral.recipient.name") == "Ivo Oak");
  CHECK(value(referral, "referral.narrative") == "First line\nSecond line");
}

TEST_CASE("a resend differs in its time alone and is the same message") {
  const Channel channel;
  const std::string first = msh("ADT^A01") + kPid + kPv1;
  std::string again = first;
  again.replace(again.find("20260301093000"), 14, "20260301094500");
  std::string other = first;
  other.replace(other.find("Mill"), 4, "Hill");
  const auto one = only(channel.interpret(first));
  const auto two = only(channel.interpret(again));
  const auto three = only(channel.interpret(other));
  CHECK(one.identity == two.identity);
  CHECK(one.content_hash == two.content_hash);
  CHECK(one.identity == three.identity);
  CHECK(one.content_hash != three.content_hash);
}

TEST_CASE("a wrong NHS number is refused at its place and never repeated") {
  const Channel channel;
  std::string wrong = kPid;
  wrong.replace(wrong.find("9990000018"), 10, "9990000019");
  const auto message = channel.interpret(msh("ADT^A01", "MSG7|P|2.5") + wrong + kPv1);
  const auto publication = only(message);
  REQUIRE(publication.problem);
  CHECK(publication.problem->place == "PID-3.1");
  CHECK(publication.problem->text.find("9990000019") == std::string::npos);
  const auto answers = message->answer({hub_says(publication)});
  REQUIRE(answers.size() == 1);
  const std::string text(text_of(answers.front()));
  CHECK(text.find("\rMSA|AE|MSG7\r") != std::string::npos);
  CHECK(text.find("\rERR||PID^1^3^1^1|102^Data type error^HL70357|E") != std::string::npos);
  CHECK(text.find("9990000019") == std::string::npos);
}

TEST_CASE("a refusal by the hub is answered with the place in the message") {
  const Channel channel;
  const auto message = channel.interpret(msh("ADT^A01", "MSG7|P|2.3") + kPid + kPv1);
  only(message);
  const auto answers = message->answer({client::Refused{ErrorKind::invalid, "born_after_event",
                                                        "person.birth_date", "is after the event.", 4}});
  REQUIRE(answers.size() == 1);
  CHECK(text_of(answers.front()).find("\rMSA|AE|MSG7\rERR|PID^1^7^102&Data type error&HL70357\r") !=
        std::string_view::npos);
}

TEST_CASE("a refusal of what no field became names the message's type") {
  const Channel channel;
  const auto message = channel.interpret(msh("ADT^A01", "MSG7|P|2.3") + kPid + kPv1);
  only(message);
  const auto answers = message->answer(
      {client::Refused{ErrorKind::invalid, "payload_missing", "discharge", "is missing.", 4}});
  REQUIRE(answers.size() == 1);
  CHECK(text_of(answers.front()).find("\rERR|MSH^1^9^101&Required field missing&HL70357\r") !=
        std::string_view::npos);
}

TEST_CASE("a channel that keeps what it cannot map answers AA") {
  const Channel channel(Unmappable::keep);
  CHECK(answer_to(channel, msh("ORU^R01") + kPid).find("MSA|AA|MSG00001") != std::string::npos);
}

TEST_CASE("an unknown message is rejected at MSH-9") {
  const Channel channel;
  CHECK(answer_to(channel, msh("ORU^R01") + kPid).find("MSA|AR|MSG00001\rERR|MSH^1^9^200&") !=
        std::string::npos);
  CHECK(answer_to(channel, msh("ADT^A60") + kPid).find("MSA|AR|MSG00001\rERR|MSH^1^9^201&") !=
        std::string::npos);
}

TEST_CASE("an update is told of a stay, and of nothing else") {
  const Channel channel;
  const auto stay = only(channel.interpret(msh("ADT^A08") + kPid + kPv1));
  CHECK(value(stay, "type") == "admission");
  std::string outpatient = kPv1;
  outpatient.replace(outpatient.find("|I|"), 3, "|O|");
  std::string left = kPv1;
  left.insert(left.size() - 1, "|20260302100000");
  for (const std::string& pv1 : {outpatient, left, std::string{}}) {
    CAPTURE(pv1);
    const auto message = channel.interpret(msh("ADT^A08") + kPid + pv1);
    CHECK(message->take_publications().empty());
    CHECK(message->ignored() == 1);
    const auto answers = message->answer({});
    REQUIRE(answers.size() == 1);
    CHECK(text_of(answers[0]).find("MSA|AA|MSG00001") != std::string_view::npos);
  }
}

TEST_CASE("a batch answers each message with what became of it, ignored ones between others") {
  const Channel channel;
  const auto message =
      channel.interpret(msh("ADT^A01", "M1|P|2.4") + kPid + kPv1 + msh("ADT^A08", "M2|P|2.4") + kPid +
                        msh("ADT^A60", "M3|P|2.4") + kPid);
  const auto publications = message->take_publications();
  REQUIRE(publications.size() == 2);
  const auto answers = message->answer({hub_says(publications[0]), hub_says(publications[1])});
  REQUIRE(answers.size() == 3);
  CHECK(text_of(answers[0]).find("MSA|AA|M1") != std::string_view::npos);
  CHECK(text_of(answers[1]).find("MSA|AA|M2") != std::string_view::npos);
  CHECK(text_of(answers[2]).find("MSA|AR|M3") != std::string_view::npos);
}

TEST_CASE("a training or debugging message is rejected at MSH-11 and never told as real") {
  const Channel channel;
  for (const std::string id : {"T", "D", "T^A", "p"}) {
    CAPTURE(id);
    const std::string text = msh("ADT^A01", "MSG7|" + id + "|2.5") + kPid + kPv1;
    CHECK(only(channel.interpret(text)).problem);
    const std::string answer = answer_to(channel, text);
    CHECK(answer.find("\rMSA|AR|MSG7\r") != std::string::npos);
    CHECK(answer.find("\rERR||MSH^1^11^1|202^Unsupported processing id^HL70357|E") != std::string::npos);
  }
  for (const std::string id : {"P", "P^T", ""}) {
    CAPTURE(id);
    CHECK_FALSE(only(channel.interpret(msh("ADT^A01", "MSG7|" + id + "|2.5") + kPid + kPv1)).problem);
  }
  const Channel rehearsal(Unmappable::refuse, "[pack]\nprocessing_ids = [\"T\"]\n");
  CHECK_FALSE(only(rehearsal.interpret(msh("ADT^A01", "MSG7|T|2.5") + kPid + kPv1)).problem);
  CHECK(only(rehearsal.interpret(msh("ADT^A01", "MSG7|P|2.5") + kPid + kPv1)).problem);
}

TEST_CASE("a consultant is one person: the attending doctor, or else the consulting one") {
  const Channel channel;
  const auto with = [&](const std::string& seven, const std::string& nine) {
    return only(
        channel.interpret(msh("ADT^A01") + kPid + "PV1|1|I|KES^^^RZX01||||" + seven + "||" + nine + "\r"));
  };
  const auto attending = with("^Ash^Nia", "C9^Oak^Ivo");
  CHECK(value(attending, "admission.consultant.name") == "Nia Ash");
  CHECK(value(attending, "admission.consultant.identifier").empty());
  const auto consulting = with("", "C9^Oak^Ivo");
  CHECK(value(consulting, "admission.consultant.name") == "Ivo Oak");
  CHECK(value(consulting, "admission.consultant.identifier") == "C9");
}

TEST_CASE("a referrer is one provider, although two are named in the same role") {
  const Channel channel;
  const auto referral = only(channel.interpret(
      msh("REF^I12") + "RF1|P|A|MED||O|R55|20260301\rPRD|RP|Ash^Nia\rPRD|RP|Oak^Ivo|||01632 960002||G2\r" +
      kPid));
  CHECK(value(referral, "referral.referrer.name") == "Nia Ash");
  CHECK(value(referral, "referral.referrer.identifier").empty());
  CHECK(value(referral, "referral.referrer.telephone").empty());
}

TEST_CASE("guardianship is no detention, and a code the table lacks is left out with its place") {
  const Channel channel(Unmappable::refuse, "[table.tier]\n\"RZX01/ELM\" = \"4\"\n");
  const auto status = [&](const std::string& code) {
    return value(only(channel.interpret(msh("ADT^A01") + kPid + kPv1 + "ZXX|||||" + code + "\r")),
                 "admission.legal_status");
  };
  CHECK(status("35").empty());
  CHECK(status("36").empty());
  CHECK(status("37") == "other_detention");
  CHECK(status("02") == "section_2");
  CHECK(status("2") == "section_2");
  const auto odd = channel.interpret(msh("ADT^A01") + kPid + kPv1 + "ZXX|||||ODD\r");
  CHECK(odd->left_out() == std::vector<std::string>{"ZXX-5.1"});
  // A ward without a tier is the usual case, not one to tell of.
  CHECK(channel.interpret(msh("ADT^A01") + kPid + kPv1)->left_out().empty());
}

TEST_CASE("whom to ring: numbers at home and at work, and an organisation that has no other name") {
  const Channel channel;
  const auto publication =
      only(channel.interpret(msh("ADT^A01") + kPid + kPv1 +
                             "NK1|1|Fernley^Nia|MTH||01632 960002~01632 960003|01632 960004\r"
                             "NK1|2||GRD|||01632 960005~01632 960006|NOK||||||March Fostering^L\r"));
  const std::vector<std::string> mother{"01632 960002", "01632 960003", "01632 960004"};
  CHECK(values(publication, "person.contacts[0].telecoms[].value") == mother);
  const std::vector<std::string> agency{"01632 960005", "01632 960006"};
  CHECK(values(publication, "person.contacts[1].telecoms[].value") == agency);
  CHECK(value(publication, "person.contacts[0].name.family") == "Fernley");
  CHECK(value(publication, "person.contacts[1].name.family") == "March Fostering");
  CHECK(value(publication, "person.contacts[1].next_of_kin") == "yes");
}

TEST_CASE("the protection indicator becomes a restriction, and its date is no interpreter") {
  const Channel channel;
  const auto with = [&](const std::string& rest) {
    return only(channel.interpret(msh("ADT^A01") + kPid + kPv1 + rest));
  };
  const auto hidden = with("PD1||||||||||||Y|20260101\rZXX||||||||||||||Y\r");
  CHECK(values(hidden, "restrictions[]") == std::vector<std::string>{"sensitive_address"});
  CHECK(value(hidden, "person.interpreter_needed") == "yes");
  const auto open = with("PD1||||||||||||N|Y\r");
  CHECK(values(open, "restrictions[]").empty());
  CHECK(value(open, "person.interpreter_needed").empty());
}

TEST_CASE("what is no HL7 at all is rejected") {
  const Channel channel;
  for (const std::string text : {"", "hello", "MSH", "PID|1\r", "MSHABCDEFGH"}) {
    CAPTURE(text);
    CHECK(answer_to(channel, text).find("MSA|AR|\rERR|") != std::string::npos);
  }
}

TEST_CASE("an acknowledgment becomes nothing and is not answered") {
  const Channel channel;
  const auto message = channel.interpret(msh("ACK") + "MSA|AA|17\r");
  CHECK(message->take_publications().empty());
  CHECK(message->answer({}).empty());
}

TEST_CASE("every message of a batch has its own publication and answer") {
  const Channel channel;
  const auto message =
      channel.interpret("FHS|^~\\&|PAS\rBHS|^~\\&|PAS\r" + msh("ADT^A01", "M1|P|2.4") + kPid + kPv1 +
                        msh("ADT^A03", "M2|P|2.4") + kPid + kPv1 + "BTS|2\rFTS|1\r");
  const auto publications = message->take_publications();
  REQUIRE(publications.size() == 2);
  const auto answers = message->answer({hub_says(publications[0]), hub_says(publications[1])});
  REQUIRE(answers.size() == 2);
  CHECK(text_of(answers[1]).find("MSA|AA|M2") != std::string_view::npos);
}

TEST_CASE("every file of the corpus becomes an event or a problem with a place") {
  const auto files = corpus_files();
  if (files.empty()) {
    WARN("SKIPPED: the corpus is not at " << corpus().string() << "; set CAREHUB_CORPUS");
    return;
  }
  const Channel channel;
  std::size_t mapped = 0;
  for (const auto& path : files) {
    CAPTURE(path.filename().string());
    const auto message = channel.interpret(read_file(path));
    if (message->ignored() == 1) {
      CHECK(path.filename() == "ADT-A08-01.hl7");  // PV1-2 is P: a patient who is only expected
      CHECK(message->take_publications().empty());
      CHECK(message->answer({}).size() == 1);
      continue;
    }
    const auto publication = only(message);
    if (publication.problem) {
      UNSCOPED_INFO(publication.problem->text);
      CHECK_FALSE(publication.problem->place.empty());
      const bool ours = path.filename().string().find("A01") != std::string::npos;
      CHECK_FALSE(ours);
    } else {
      ++mapped;
      CHECK(verified_event(publication.event) != nullptr);
      CHECK_FALSE(values(publication, "person.local_identifiers[].value").empty());
    }
    // ADT-A40-01 is in enhanced mode, and the others in original mode.
    const bool enhanced = path.filename() == "ADT-A40-01.hl7";
    if (!enhanced) CHECK(message->answer({hub_says(publication)}).size() == 1);
  }
  CHECK(mapped == 4);  // A01, A03, A11, I12
}

TEST_CASE("ten thousand mutations of the corpus are answered as they ask") {
  const auto files = corpus_files();
  if (files.empty()) {
    WARN("SKIPPED: the corpus is not at " << corpus().string() << "; set CAREHUB_CORPUS");
    return;
  }
  std::vector<std::string> messages;
  for (const auto& path : files) messages.push_back(read_file(path));
  const char* named = std::getenv("CAREHUB_SEED");
  const std::uint64_t seed = named != nullptr ? std::strtoull(named, nullptr, 10) : std::random_device{}();
  INFO("seed " << seed << " (set CAREHUB_SEED to run it again)");
  fakes::SeededRandom random(seed);
  const Channel channel;
  const auto interpreter = make_interpreter(channel.pack, channel.options);
  const std::string odd = "|^~\\&\r\n\"\x0b\x1c\xff\x80M0";
  for (int round = 0; round < 10'000; ++round) {
    std::string text = messages[random.below(messages.size())];
    for (std::uint64_t change = random.below(8) + 1; change > 0 && !text.empty(); --change) {
      const std::size_t at = random.below(text.size());
      switch (random.below(5)) {
        case 0: text[at] = static_cast<char>(random.below(256)); break;
        case 1: text.erase(at, random.below(40) + 1); break;
        case 2: text.insert(at, 1, odd[random.below(odd.size())]); break;
        case 3: text.insert(at, text.substr(random.below(text.size()), random.below(60))); break;
        default: text.resize(at + 1); break;
      }
    }
    const auto message = interpreter->interpret(bytes_from(text), Arrival{{1}, "test", {}});
    std::vector<client::PublishResult> results;
    for (const auto& publication : message->take_publications()) {
      REQUIRE((publication.problem.has_value() || verified_event(publication.event) != nullptr));
      results.push_back(hub_says(publication));
    }
    const auto answers = message->answer(results);
    for (const Bytes& answer : answers) REQUIRE(hl7v2::Message::parse(text_of(answer)).has_value());
    std::string converted;
    const auto view = hl7v2::utf8_text(text, Charset::windows1252, converted);
    const auto parsed = hl7v2::Message::parse(view);
    if (results.size() + message->ignored() != 1 || !parsed) continue;
    const auto header = hl7v2::ack_header(*parsed);
    if (header.accept.empty() && header.application.empty()) REQUIRE(answers.size() == 1);
  }
}
