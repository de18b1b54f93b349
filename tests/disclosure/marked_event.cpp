#include "tests/disclosure/marked_event.hpp"

#include <cstring>
#include <stdexcept>

#include "broker/base/event_builder.hpp"
#include "broker/base/identifiers.hpp"
#include "tests/fakes/engine_harness.hpp"

namespace carehub::disclosure {
namespace {

constexpr std::int64_t kFirstUs = 1'748'736'000'000'000;  // 2025-06-01T00:00Z
constexpr std::int64_t kStepUs = 7'000'000;
constexpr std::string_view kMark = "zq";

FieldPath parsed(const std::string& text) {
  auto path = FieldPath::parse(text);
  if (!path) throw std::logic_error(path.error().text);
  return *path;
}

std::uint64_t start_of(const std::uint8_t* bytes) {
  std::uint64_t start = 0;
  std::memcpy(&start, bytes, sizeof start);
  return start;
}

std::string upn(std::uint64_t number) {
  const auto digits = std::to_string(900'000'000'000 + number);
  for (const char letter : std::string("ABCDEFGHJKLMNPQRTUVWXYZ")) {
    if (Upn::parse(letter + digits)) return letter + digits;
  }
  throw std::logic_error("some letter checks every pupil number");
}

char letter(std::uint64_t number) { return static_cast<char>('A' + number % 26); }
char digit(std::uint64_t number) { return static_cast<char>('0' + number % 10); }

/// QX17 4ZQ
std::string postcode(std::uint64_t number) {
  return {letter(number),         letter(number / 26),      digit(number / 676), digit(number / 6'760), ' ',
          digit(number / 67'600), letter(number / 676'000), letter(number * 7)};
}

bool is_type_of_payload(const std::string& top) { return event_type_from(top) != event::EventType::unknown; }

/// The leaves that an event of this type may have.
std::vector<FieldPath> leaves_of(event::EventType type) {
  std::vector<FieldPath> leaves;
  for (const auto& name : event_field_names()) {
    const auto top = name.substr(0, name.find_first_of(".["));
    if (!is_type_of_payload(top) || top == event_type_name(type)) leaves.push_back(parsed(name));
  }
  return leaves;
}

/// What makes an event whole: the payload that the type names has to be there.
bool is_required(const FieldPath& leaf, event::EventType type) {
  const auto& path = leaf.text();
  const bool of_payload = path.starts_with(std::string(event_type_name(type)) + ".");
  return path == "id" || (of_payload && path.ends_with("reason.code")) ||
         (of_payload && leaf.open_lists() == 0 && leaf.kind() == FieldKind::time);
}

}  // namespace

std::string MarkedEvent::at(const std::string& path) const {
  const auto found = values.find(path);
  return found == values.end() ? std::string() : found->second;
}

/// Begins with what is its own, so that eight bytes tell it from all others.
std::string EventMaker::marker() {
  std::string text(kMark);
  for (auto rest = ++count_; text.size() < 8; rest /= 26) text.push_back(static_cast<char>('a' + rest % 26));
  for (int each = 0; each < 4; ++each) text.push_back(static_cast<char>('a' + random_.below(26)));
  return text;
}

std::string EventMaker::text_for(const std::string& path) {
  if (path.ends_with("nhs_number")) return fakes::test_nhs_number(static_cast<int>(++count_));
  if (path.ends_with(".upn")) return upn(++count_);
  if (path.ends_with(".postcode")) return postcode(++count_);
  return marker();
}

std::string EventMaker::value_for(const FieldPath& leaf) {
  switch (leaf.kind()) {
    case FieldKind::text: return text_for(leaf.text());
    case FieldKind::integer: {
      if (leaf.text() == "received_at") return std::to_string(kFirstUs + static_cast<std::int64_t>(++count_));
      return std::to_string(1 + random_.below(leaf.text().ends_with(".tier") ? 4 : 200));
    }
    case FieldKind::enumeration: {
      // A code of an official scheme would have to be one.
      if (leaf.text().ends_with(".scheme")) return "local";
      // A number of doubt, or the mother's, would not name the child.
      if (leaf.text().ends_with("nhs_number_status")) return "verified";
      const auto names = enumeration_names(leaf);
      return names[1 + random_.below(names.size() - 1)];
    }
    case FieldKind::date:
      return date_text(event::Date(static_cast<std::int16_t>(2008 + random_.below(12)),
                                   static_cast<std::uint8_t>(1 + random_.below(12)),
                                   static_cast<std::uint8_t>(1 + random_.below(28))));
    case FieldKind::time: {
      const auto us = kFirstUs + static_cast<std::int64_t>(++count_) * kStepUs + 1;
      return time_text(event::Time(us + static_cast<std::int64_t>(random_.below(999'999)), 0,
                                   event::TimePrecision::subsecond));
    }
    case FieldKind::table: break;
  }
  throw std::logic_error("a table is no leaf");
}

MarkedEvent EventMaker::build(event::EventType type, const Values& chosen) {
  EventBuilder builder;
  for (const auto& [path, value] : chosen) {
    if (const auto set = builder.set(parsed(path), value); !set)
      throw std::logic_error(path + ": " + set.error().text);
  }
  auto bytes = builder.finish();
  if (!bytes) throw std::logic_error(bytes.error().text);
  MarkedEvent made{event_type_name(type), std::move(*bytes), {}, false};
  // Read back: gaps in lists were closed.
  visit_fields(*verified_event(made.bytes), [&made](const std::string& path, std::string_view value) {
    made.values.emplace(path, value);
  });
  return made;
}

MarkedEvent EventMaker::whole(event::EventType type, const std::string& agency, const Values& given) {
  Values chosen;
  for (const auto& leaf : leaves_of(type)) {
    if (leaf.text() == "restrictions[]") continue;  // a mark is always of the caller's choice
    const auto at = leaf.at(std::vector<std::uint32_t>(leaf.open_lists(), 0));
    chosen[at.text()] = value_for(leaf);
  }
  chosen["type"] = event_type_name(type);
  chosen["source_agency"] = agency;
  for (const auto& [path, value] : given) chosen[path] = value;
  std::erase_if(chosen, [](const auto& each) { return each.second.empty(); });
  return build(type, chosen);
}

MarkedEvent EventMaker::some(event::EventType type, const std::string& agency, const Values& given) {
  Values chosen;
  for (const auto& leaf : leaves_of(type)) {
    if (leaf.text() == "restrictions[]") continue;
    for (auto tries = leaf.open_lists() == 0 ? 1 : random_.below(4); tries > 0; --tries) {
      if (!is_required(leaf, type) && random_.below(4) == 0) continue;
      std::vector<std::uint32_t> indices(leaf.open_lists());
      for (auto& index : indices) index = static_cast<std::uint32_t>(random_.below(3));
      chosen[leaf.at(indices).text()] = value_for(leaf);
    }
  }
  chosen["type"] = event_type_name(type);
  chosen["source_agency"] = agency;
  for (const auto& [path, value] : given) chosen[path] = value;
  std::erase_if(chosen, [](const auto& each) { return each.second.empty(); });
  return build(type, chosen);
}

void Traces::add(std::size_t number, const MarkedEvent& event) {
  for (const auto& [path, value] : event.values) {
    const auto kind = parsed(path).kind();
    // Whose pupil, patient or resident a child is, an agency's code says: that is the same for many.
    if (path.ends_with(".code") && !value.starts_with(kMark)) continue;
    if (event.shares_number && path == "person.nhs_number") continue;
    Trace trace{number, path, {}};
    if (path == "received_at" || kind == FieldKind::time) {
      const auto us = kind == FieldKind::time ? parse_time(value)->utc_us() : std::stoll(value);
      trace.bytes.resize(sizeof us);
      std::memcpy(trace.bytes.data(), &us, sizeof us);
    } else if (kind == FieldKind::text && value.size() >= sizeof(std::uint64_t) && path != "source_agency") {
      trace.bytes.assign(value.begin(), value.end());
    } else {
      continue;
    }
    paths_[number].push_back(path);
    by_start_[start_of(trace.bytes.data())].push_back(std::move(trace));
  }
}

std::vector<const Trace*> Traces::in(BytesView bytes) const {
  std::vector<const Trace*> found;
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= bytes.size(); ++at) {
    const auto same = by_start_.find(start_of(bytes.data() + at));
    if (same == by_start_.end()) continue;
    for (const auto& trace : same->second) {
      if (trace.bytes.size() > bytes.size() - at) continue;
      if (std::memcmp(trace.bytes.data(), bytes.data() + at, trace.bytes.size()) == 0)
        found.push_back(&trace);
    }
  }
  return found;
}

}  // namespace carehub::disclosure
