#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "broker/core/policy.hpp"
#include "broker/core/present_name.hpp"
#include "tests/fakes/events.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::core;
using fakes::event_of;

namespace {

FieldPath path(std::string_view text) {
  const auto parsed = FieldPath::parse(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

DisclosureRule showing(std::initializer_list<std::string_view> paths) {
  DisclosureRule rule;
  for (const auto text : paths) rule.show.push_back(path(text));
  return rule;
}

Bytes view_of(const Bytes& event_bytes, const DisclosureRule& rule) {
  const auto* event = verified_event(event_bytes);
  REQUIRE(event != nullptr);
  auto view = redact(*event, rule, restrictions_of(*event), storage::SecretKey());
  REQUIRE(view);
  REQUIRE(verified_event(*view) != nullptr);
  return *view;
}

std::string json_of(const Bytes& view) { return event_to_json(*verified_event(view)); }

bool holds(const Bytes& bytes, BytesView wanted) {
  return std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()) != bytes.end();
}
bool holds(const Bytes& bytes, std::string_view text) { return holds(bytes, bytes_of(text)); }

Bytes admission() {
  return event_of({{"type", "admission"},
                   {"occurred_at", "2026-10-28T21:15+00:00"},
                   {"person.upn", "A900000000001"},
                   {"person.names[0].family", "Alder"},
                   {"person.names[0].given[0]", "Wren"},
                   {"person.names[0].given[1]", "May"},
                   {"person.names[1].prefix", "Miss"},
                   {"person.birth_date", "2012-05-03"},
                   {"admission.location.ward", "Rowan"},
                   {"admission.consultant.name", "Dr Quill"},
                   {"admission.tier", "4"}});
}

}  // namespace

TEST_CASE("a view holds the envelope and what the rule shows, and nothing else") {
  const auto view = view_of(admission(), showing({"person.upn", "admission.tier"}));
  CHECK(json_of(view) ==
        R"({"id":"00000000-0000-4000-8000-000000000001","type":"admission","source_agency":"",)"
        R"("person":{"upn":"A900000000001"},"admission":{"tier":4}})");
  for (const auto* withheld : {"elwick", "Alder", "Wren", "Rowan", "Quill"})
    CHECK_FALSE(holds(view, withheld));
}

TEST_CASE("a rule that shows everything gives back the event") {
  DisclosureRule rule;
  for (const auto& name : event_field_names())
    rule.show.push_back(path(name.substr(0, name.find_first_of(".["))));
  const auto event = admission();
  CHECK(json_of(view_of(event, rule)) == json_of(event));
}

TEST_CASE("a list shows only elements of which something is shown") {
  const auto event = admission();
  const auto families = view_of(event, showing({"person.names[].family"}));
  CHECK(verified_event(families)->person()->names()->size() == 1);
  const auto first_given = view_of(event, showing({"person.names[].given[0]"}));
  CHECK(json_of(first_given).find(R"("names":[{"given":["Wren"]}])") != std::string::npos);
  CHECK_FALSE(holds(first_given, "May"));
  const auto second = view_of(event, showing({"person.names[1]"}));
  CHECK(json_of(second).find(R"("names":[{"prefix":"Miss"}])") != std::string::npos);
}

TEST_CASE("a table of which nothing is shown is not there") {
  const auto view = view_of(admission(), showing({"person.nhs_number", "admission.location.bed"}));
  CHECK(verified_event(view)->person() == nullptr);
  CHECK(verified_event(view)->admission() == nullptr);
}

TEST_CASE("a time is cut to its period and keeps no offset that tells the season") {
  auto rule = showing({});
  rule.coarsen.push_back({path("occurred_at"), Coarsening::to_month, ""});
  const auto winter =
      view_of(event_of({{"type", "referral"}, {"occurred_at", "2026-10-28T21:15+00:00"}}), rule);
  const auto summer =
      view_of(event_of({{"type", "referral"}, {"occurred_at", "2026-10-02T21:15+01:00"}}), rule);
  CHECK(winter == summer);
  CHECK(json_of(winter).find(R"("occurred_at":"2026-10")") != std::string::npos);
}

TEST_CASE("the day of a coarsened time is that of the place where it was written") {
  auto rule = showing({});
  rule.coarsen.push_back({path("occurred_at"), Coarsening::to_date, ""});
  const auto view =
      view_of(event_of({{"type", "referral"}, {"occurred_at", "2026-06-30T00:15+01:00"}}), rule);
  CHECK(json_of(view).find(R"("occurred_at":"2026-06-30")") != std::string::npos);
}

TEST_CASE("a coarsening never makes a time finer") {
  auto rule = showing({});
  rule.coarsen.push_back({path("occurred_at"), Coarsening::to_date, ""});
  const auto view = view_of(event_of({{"type", "referral"}, {"occurred_at", "2026"}}), rule);
  CHECK(json_of(view).find(R"("occurred_at":"2026")") != std::string::npos);
}

TEST_CASE("where a field is shown and coarsened, coarsened wins") {
  auto rule = showing({"person"});
  rule.coarsen.push_back({path("person.birth_date"), Coarsening::to_year, ""});
  const auto view = view_of(admission(), rule);
  CHECK(json_of(view).find(R"("birth_date":"2012")") != std::string::npos);
}

TEST_CASE("a postcode is cut to its district, and what is no postcode is left out") {
  auto rule = showing({});
  rule.coarsen.push_back({path("person.addresses[].postcode"), Coarsening::to_district, ""});
  const auto district = [&rule](std::string_view postcode) {
    const auto view =
        view_of(event_of({{"type", "referral"}, {"person.addresses[0].postcode", postcode}}), rule);
    const auto* person = verified_event(view)->person();
    return person == nullptr ? std::string("none") : person->addresses()->Get(0)->postcode()->str();
  };
  CHECK(district("ZZ9 9AB") == "ZZ9");
  CHECK(district("ZZ99AB") == "ZZ9");
  CHECK(district("EC1A 1BB ") == "EC1A");
  CHECK(district("12 Alder Lane") == "none");
  CHECK(district("ZZ9") == "none");
  CHECK(district("ZZ9 ABC") == "none");
}

TEST_CASE("a fixed text stands there whether or not the event has the field") {
  auto rule = showing({"person.upn"});
  rule.coarsen.push_back({path("admission.reason_text"), Coarsening::replaced, "Absent for health reasons"});
  rule.coarsen.push_back({path("admission.location.unit"), Coarsening::replaced, "a hospital"});
  rule.coarsen.push_back({path("discharge.summary"), Coarsening::replaced, "The absence has ended"});
  const auto without = view_of(event_of({{"type", "admission"}, {"person.upn", "A1"}}), rule);
  const auto with = view_of(event_of({{"type", "admission"},
                                      {"person.upn", "A1"},
                                      {"admission.reason_text", "Self-harm"},
                                      {"admission.location.unit", "Rowan"},
                                      {"admission.location.bed", "4"}}),
                            rule);
  CHECK(without == with);
  CHECK(json_of(with).find(
            R"("admission":{"location":{"unit":"a hospital"},"reason_text":"Absent for health reasons"})") !=
        std::string::npos);
  CHECK_FALSE(holds(with, "The absence has ended"));
}

TEST_CASE("a fixed text about a child does not make up a child") {
  DisclosureRule rule;
  rule.coarsen.push_back({path("person.names[0].family"), Coarsening::replaced, "A child"});
  const auto none = view_of(event_of({{"type", "capacity"}, {"capacity.beds", "4"}}), rule);
  CHECK(verified_event(none)->person() == nullptr);
  const auto nameless = view_of(event_of({{"type", "referral"}, {"person.upn", "A1"}}), rule);
  const auto named = view_of(event_of({{"type", "referral"}, {"person.names[0].family", "Alder"}}), rule);
  CHECK(nameless == named);
  CHECK(holds(named, "A child"));
}

TEST_CASE("a payload that the type does not name is not shown") {
  event::EventT event;
  event.id = "e";
  event.source_agency = "a";
  event.type = event::EventType::referral;
  event.referral = std::make_unique<event::ReferralT>();
  event.admission = std::make_unique<event::AdmissionT>();
  event.admission->reason_text = "stowaway";
  flatbuffers::FlatBufferBuilder builder;
  event::FinishEventBuffer(builder, event::Event::Pack(builder, &event));
  const Bytes bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  CHECK_FALSE(holds(view_of(bytes, showing({"referral", "admission"})), "stowaway"));
}

TEST_CASE("what hides in a struct's padding stays behind") {
  auto bytes = event_of({{"type", "referral"}, {"occurred_at", "2026-03-02T09:10+00:00"}});
  const auto* time = verified_event(bytes)->occurred_at();
  const auto at = static_cast<std::size_t>(reinterpret_cast<const std::uint8_t*>(time) - bytes.data());
  constexpr std::string_view kHidden = "hides";
  std::memcpy(bytes.data() + at + 11, kHidden.data(), kHidden.size());
  REQUIRE(holds(bytes, kHidden));
  CHECK_FALSE(holds(view_of(bytes, showing({"occurred_at"})), kHidden));
}

TEST_CASE("a field of a newer schema stays behind, even where everything is shown") {
  flatbuffers::FlatBufferBuilder builder;
  const auto id = builder.CreateString("e");
  const auto agency = builder.CreateString("a");
  const auto newer = builder.CreateString("from the future");
  const auto start = builder.StartTable();
  builder.AddOffset(event::Event::VT_ID, id);
  builder.AddOffset(event::Event::VT_SOURCE_AGENCY, agency);
  builder.AddOffset(flatbuffers::voffset_t{4 + 2 * 200}, newer);
  builder.Finish(flatbuffers::Offset<event::Event>(builder.EndTable(start)), event::EventIdentifier());
  const Bytes bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  DisclosureRule rule;
  for (const auto& name : event_field_names())
    rule.show.push_back(path(name.substr(0, name.find_first_of(".["))));
  CHECK_FALSE(holds(view_of(bytes, rule), "from the future"));
}

namespace {

/// A random event: which value stands at which path. Texts and moments are unique.
struct RandomEvent {
  Bytes bytes;
  std::map<std::string, std::string> values;  // by path with indices
};

std::string unique_text(fakes::SeededRandom& random) {
  std::string text = "u";
  for (int i = 0; i < 14; ++i) text.push_back(static_cast<char>('a' + random.below(26)));
  return text;
}

std::string random_value(const FieldPath& leaf, fakes::SeededRandom& random) {
  switch (leaf.kind()) {
    case FieldKind::text: return unique_text(random);
    case FieldKind::integer: return std::to_string(1 + random.below(200));
    case FieldKind::enumeration: {
      const auto names = enumeration_names(leaf);
      return names[1 + random.below(names.size() - 1)];
    }
    case FieldKind::date:
      return date_text(event::Date(static_cast<std::int16_t>(1950 + random.below(200)),
                                   static_cast<std::uint8_t>(1 + random.below(12)),
                                   static_cast<std::uint8_t>(1 + random.below(28))));
    case FieldKind::time:
      return time_text(event::Time(static_cast<std::int64_t>(random.below(4'000'000'000'000'000)), 60,
                                   event::TimePrecision::subsecond));
    case FieldKind::table: break;
  }
  return {};
}

RandomEvent random_event(fakes::SeededRandom& random) {
  const auto type =
      static_cast<event::EventType>(1 + random.below(static_cast<std::uint64_t>(event::EventType::MAX)));
  const std::string own = event_type_name(type);
  EventBuilder builder;
  RandomEvent made;
  for (const auto& name : event_field_names()) {
    const auto top = name.substr(0, name.find_first_of(".["));
    const bool payload = event_type_from(top) != event::EventType::unknown;
    if (payload && top != own) continue;
    const bool required = name == "id" || name == "source_agency" || name == "type";
    const auto leaf = path(name);
    for (std::uint64_t tries = leaf.open_lists() == 0 ? 1 : random.below(4); tries > 0; --tries) {
      if (!required && random.below(4) == 0) continue;
      std::vector<std::uint32_t> indices(leaf.open_lists());
      for (auto& index : indices) index = static_cast<std::uint32_t>(random.below(3));
      const auto value = name == "type" ? own : random_value(leaf, random);
      REQUIRE(builder.set(leaf.at(indices), value));
    }
  }
  auto bytes = builder.finish();
  REQUIRE(bytes);
  made.bytes = *bytes;
  // Read back: gaps in lists were closed.
  visit_fields(*verified_event(made.bytes),
               [&made](const std::string& at, std::string_view value) { made.values.emplace(at, value); });
  return made;
}

/// A path as a policy may name it: cut anywhere, lists open or at an index.
FieldPath random_path(fakes::SeededRandom& random) {
  auto name = event_field_names()[random.below(event_field_names().size())];
  for (auto at = name.find('.'); at != std::string::npos; at = name.find('.', at + 1)) {
    if (random.below(4) == 0) {
      name.resize(at);
      break;
    }
  }
  auto cut = path(name);
  std::vector<std::uint32_t> indices;
  for (std::size_t i = 0; i < cut.open_lists() && random.below(3) == 0; ++i) {
    indices.push_back(static_cast<std::uint32_t>(random.below(3)));
  }
  return cut.at(indices);
}

/// What fits the field, as Policy::read demands; nullopt where nothing does.
std::optional<CoarsenedField> random_coarsening(fakes::SeededRandom& random) {
  const auto at = random_path(random);
  if (at.kind() == FieldKind::time) return CoarsenedField{at, static_cast<Coarsening>(random.below(3)), ""};
  if (at.kind() == FieldKind::date)
    return CoarsenedField{at, static_cast<Coarsening>(1 + random.below(2)), ""};
  if (at.kind() != FieldKind::text || at.text() == "id" || at.text() == "source_agency") return std::nullopt;
  if (at.open_lists() == 0) return CoarsenedField{at, Coarsening::replaced, "FIXED"};
  if (at.text().ends_with(".postcode")) return CoarsenedField{at, Coarsening::to_district, ""};
  return std::nullopt;
}

DisclosureRule random_rule(fakes::SeededRandom& random) {
  DisclosureRule rule;
  for (auto paths = random.below(40); paths > 0; --paths) rule.show.push_back(random_path(random));
  for (auto paths = random.below(20); paths > 0; --paths) {
    if (auto coarsened = random_coarsening(random)) rule.coarsen.push_back(std::move(*coarsened));
  }
  rule.sees_restricted =
      random.below(2) == 0 ? RestrictionSet{0xFF} : static_cast<RestrictionSet>(random.below(32));
  return rule;
}

/// Whether one of these marks hides what stands at the path, by the words of the path alone.
bool is_hidden(RestrictionSet marks, std::optional<std::uint32_t> present, const std::string& at) {
  if (hides_other_names(marks) && at.starts_with("person.names[") &&
      (!present || !at.starts_with("person.names[" + std::to_string(*present) + "]")))
    return true;
  for (std::size_t from = 0; from < at.size();) {
    const auto dot = std::min(at.find('.', from), at.size());
    const auto word = std::string_view(at).substr(from, dot - from);
    if (hides_field(marks, word.substr(0, word.find('[')))) return true;
    from = dot + 1;
  }
  return false;
}

/// The marks of the event that this rule does not see.
RestrictionSet marks_against(const Bytes& event, const DisclosureRule& rule) {
  return static_cast<RestrictionSet>(restrictions_of(*verified_event(event)) & ~rule.sees_restricted);
}

bool shows(const DisclosureRule& rule, RestrictionSet marks, std::optional<std::uint32_t> present,
           const FieldPath& leaf) {
  if (leaf.text() == "id" || leaf.text() == "type") return true;
  if (is_hidden(marks, present, leaf.text())) return false;
  const auto covers = [&leaf](const FieldPath& other) { return other.covers(leaf); };
  if (std::ranges::any_of(rule.coarsen, covers, &CoarsenedField::path)) return false;
  return std::ranges::any_of(rule.show, covers);
}

/// The bytes that a value leaves in a buffer, where they are long enough not to appear by chance.
Bytes trace_of(const FieldPath& leaf, const std::string& value) {
  if (leaf.kind() == FieldKind::text) return {value.begin(), value.end()};
  if (leaf.kind() != FieldKind::time) return {};
  const auto us = parse_time(value)->utc_us();
  Bytes trace(sizeof us);
  std::memcpy(trace.data(), &us, sizeof us);
  return trace;
}

std::vector<std::string> values_in(const Bytes& view) {
  std::vector<std::string> values;
  visit_fields(*verified_event(view),
               [&values](const std::string&, std::string_view value) { values.emplace_back(value); });
  return values;
}

}  // namespace

TEST_CASE("no withheld value appears anywhere in a view's bytes, for random policies and events") {
  const auto seed =
      Catch::rngSeed() != 0 ? std::uint64_t{Catch::rngSeed()} : std::uint64_t{std::random_device{}()};
  INFO("seed " << seed << "; run again with --rng-seed " << seed);
  fakes::SeededRandom random(seed);
  std::size_t withheld = 0;
  std::size_t shown = 0;
  for (int round = 0; round < 300; ++round) {
    const auto event = random_event(random);
    const auto rule = random_rule(random);
    const auto marks = marks_against(event.bytes, rule);
    const auto present = present_name(*verified_event(event.bytes));
    const auto view = view_of(event.bytes, rule);
    const auto in_view = values_in(view);
    for (const auto& [at, value] : event.values) {
      const auto leaf = path(at);
      const auto trace = trace_of(leaf, value);
      if (shows(rule, marks, present, leaf)) {
        ++shown;
        if (std::ranges::find(in_view, value) == in_view.end()) FAIL("round " << round << " lost " << at);
      } else if (!trace.empty()) {
        ++withheld;
        if (holds(view, trace)) FAIL("round " << round << " leaks " << at);
      }
    }
  }
  CHECK(withheld > 1000);
  CHECK(shown > 1000);
}

TEST_CASE("changing what is withheld changes no byte of the view") {
  const auto seed =
      Catch::rngSeed() != 0 ? std::uint64_t{Catch::rngSeed()} : std::uint64_t{std::random_device{}()};
  INFO("seed " << seed << "; run again with --rng-seed " << seed);
  fakes::SeededRandom random(seed);
  for (int round = 0; round < 200; ++round) {
    const auto event = random_event(random);
    const auto rule = random_rule(random);
    const auto marks = marks_against(event.bytes, rule);
    const auto present = present_name(*verified_event(event.bytes));
    EventBuilder builder;
    for (const auto& [at, value] : event.values) {
      const auto leaf = path(at);
      const bool by_rule =
          shows(rule, marks, present, leaf) ||
          std::ranges::any_of(rule.coarsen, [&leaf](const auto& c) { return c.path.covers(leaf); });
      const bool matters = (by_rule && !is_hidden(marks, present, at)) || at.starts_with("restrictions[");
      // It says which name is the present one.
      const bool chooses = hides_other_names(marks) && leaf.text().ends_with("].use");
      const bool keeps = matters || chooses || leaf.kind() == FieldKind::integer || at == "source_agency";
      REQUIRE(builder.set(leaf, keeps ? value : random_value(leaf, random)));
    }
    const auto changed = builder.finish();
    REQUIRE(changed);
    if (view_of(event.bytes, rule) != view_of(*changed, rule))
      FAIL("round " << round << " tells what it withholds");
  }
}

namespace {

/// A child's event with something unlike all else in each field that could tell where the child is.
Bytes protected_child(const char* mark) {
  return event_of({{"type", "referral"},
                   {"restrictions[0]", mark},
                   {"person.nhs_number", "9990000018"},
                   {"person.local_identifiers[0].value", "LOCAL-7731"},
                   {"person.names[0].family", "Alder"},
                   {"person.names[1].family", "Birthname"},
                   {"person.addresses[0].lines[0]", "12 Hidden Row"},
                   {"person.addresses[0].postcode", "QX9 4ZZ"},
                   {"person.telecoms[0].value", "01632 960001"},
                   {"person.gp_practice.name", "Hidden Surgery"},
                   {"person.gp.name", "Dr Hidden"},
                   {"person.school.name", "Hidden School"},
                   {"person.home_authority.code", "E06999999"},
                   {"person.contacts[0].name.family", "Motherhidden"},
                   {"referral.number", "R-1"},
                   {"referral.narrative", "moved to Hidden Row"},
                   {"referral.reason_text", "because of Hidden Row"},
                   {"referral.referrer_organisation.name", "Hidden Practice"},
                   {"referral.documents[0].text", "letter from Hidden Row"},
                   {"referral.tier", "4"}});
}

DisclosureRule showing_all() {
  DisclosureRule rule;
  for (const auto& name : event_field_names())
    rule.show.push_back(path(name.substr(0, name.find_first_of(".["))));
  return rule;
}

}  // namespace

TEST_CASE(
    "a child with a sensitive address is shown to nobody with an address, a contact or a word that tells "
    "it") {
  const auto view = view_of(protected_child("sensitive_address"), showing_all());
  for (const auto* told : {"idden", "QX9", "4ZZ", "960001", "E06999999"}) {
    INFO(told);
    CHECK_FALSE(holds(view, told));
  }
  for (const auto* shown : {"Alder", "R-1", "9990000018"}) CHECK(holds(view, shown));
  CHECK(verified_event(view)->referral()->tier() == 4);
}

TEST_CASE("a path into what a mark hides shows nothing, and a fixed text there stays") {
  auto rule = showing({"person.addresses[0].postcode", "person.school.name", "referral.number"});
  rule.coarsen.push_back({path("person.addresses[].postcode"), Coarsening::to_district, ""});
  rule.coarsen.push_back({path("referral.reason_text"), Coarsening::replaced, "has been referred"});
  CHECK(json_of(view_of(protected_child("sensitive_address"), rule)) ==
        R"({"id":"00000000-0000-4000-8000-000000000001","type":"referral","source_agency":"",)"
        R"("referral":{"number":"R-1","reason_text":"has been referred"}})");
}

TEST_CASE("an adopted child is shown without what was before") {
  const auto view = view_of(protected_child("adopted"), showing_all());
  for (const auto* told : {"LOCAL-7731", "Birthname", "Motherhidden", "12 Hidden", "moved to"})
    CHECK_FALSE(holds(view, told));
  for (const auto* shown : {"Alder", "Hidden School"}) CHECK(holds(view, shown));
}

TEST_CASE("a rule that sees a mark shows what it hides from others") {
  auto rule = showing_all();
  rule.sees_restricted = bit_of(event::Restriction::sensitive_address);
  const auto event = protected_child("sensitive_address");
  CHECK(json_of(view_of(event, rule)) == json_of(event));
  CHECK_FALSE(holds(view_of(protected_child("adopted"), rule), "Birthname"));
}
