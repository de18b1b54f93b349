#include "broker/core/asked_text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "broker/base/clock.hpp"
#include "broker/base/identifiers.hpp"
#include "broker/base/limits.hpp"

namespace carehub::core {
namespace {

constexpr std::string_view kLeftOut = "(a value that is not written down)";
constexpr std::string_view kMore = " ...";
constexpr std::string_view kEntries = "entries ";
constexpr std::string_view kJourney = "the journey with hash ";
constexpr std::string_view kAgency = "agency ";
constexpr std::size_t kNhsNumberDigits = 10;
constexpr std::size_t kUpnLetters = 13;

bool is_letter_or_digit(char each) {
  return (each >= '0' && each <= '9') || (each >= 'A' && each <= 'Z') || (each >= 'a' && each <= 'z');
}

char upper(char each) { return each >= 'a' && each <= 'z' ? static_cast<char>(each - 'a' + 'A') : each; }

template <class Values, class Name>
std::vector<std::string> named(const Values* values, Name name) {
  std::vector<std::string> names;
  if (values == nullptr) return names;
  for (const auto value : *values) {
    if (names.size() > kAskedValuesMax) break;
    names.emplace_back(name(value));
  }
  return names;
}

std::vector<std::string> texts(const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* values) {
  return named(values, [](const auto* value) { return value->string_view(); });
}

std::string_view word_behind(std::string_view text, std::string_view mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos || (at > 0 && text[at - 1] != ' ')) return {};
  const auto rest = text.substr(at + mark.size());
  return rest.substr(0, rest.find(' '));
}

std::optional<Sequence> number_of(std::string_view text) {
  Sequence number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

bool may_be_told(std::string_view value) {
  if (value.empty() || value.size() > limits::kNameBytesMax) return false;
  std::string bare;
  for (const char each : value) {
    if (is_letter_or_digit(each)) {
      bare += upper(each);
    } else if (each != '-' && each != '_' && each != '.' && each != ':' && each != '/') {
      return false;
    }
  }
  // Also behind other letters, as in nhs:9990000018.
  const std::string_view all = bare;
  for (std::size_t at = 0; at < all.size();) {
    const auto digits = std::min(all.find_first_not_of("0123456789", at), all.size()) - at;
    if (digits == kNhsNumberDigits && NhsNumber::parse(all.substr(at, digits))) return false;
    if (digits == 0 && Upn::parse(all.substr(at, kUpnLetters))) return false;
    at += std::max<std::size_t>(digits, 1);
  }
  return true;
}

bool beyond_all_years(std::initializer_list<std::int64_t> times) {
  using namespace std::chrono;
  const auto start_us = [](int number) {
    return microseconds{sys_days{year{number} / January / 1}.time_since_epoch()}.count();
  };
  return std::any_of(times.begin(), times.end(),
                     [&](auto us) { return us < start_us(0) || us >= start_us(10'000); });
}

AskedText& AskedText::add(std::string_view words) {
  if (text_.ends_with(kMore)) return *this;
  if (text_.size() + words.size() + 1 + kMore.size() > kAskedBytesMax) {
    text_ += kMore;
    return *this;
  }
  if (!text_.empty()) text_ += ' ';
  text_ += words;
  return *this;
}

AskedText& AskedText::add(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  return add(std::string(name) + ' ' + std::string(may_be_told(value) ? value : kLeftOut));
}

AskedText& AskedText::add(std::string_view name, const std::vector<std::string>& values) {
  if (values.empty()) return *this;
  std::string list(name);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == kAskedValuesMax) {
      list += " and more";
      break;
    }
    list += i == 0 ? " " : ", ";
    list += may_be_told(values[i]) ? std::string_view(values[i]) : kLeftOut;
  }
  return add(list);
}

void add_conditions(const wire::Query& query, AskedText& text) {
  text.add("types", named(query.types(), [](auto type) {
             return event::EnumNameEventType(static_cast<event::EventType>(type));
           }));
  if (query.channel() != nullptr) text.add("channel", query.channel()->string_view());
  if (query.first_at() != 0) text.add("since " + to_rfc3339({query.first_at()}));
  if (query.last_at() != 0) text.add("until " + to_rfc3339({query.last_at()}));
}

void add_conditions(const ledger::Filter& filter, AskedText& text) {
  const auto number = [](auto value) { return std::to_string(static_cast<unsigned>(value)); };
  text.add("types", named(filter.types(), [](auto type) {
             return event::EnumNameEventType(static_cast<event::EventType>(type));
           }));
  text.add("from agencies", texts(filter.agencies()));
  text.add("tiers", named(filter.tiers(), number));
  text.add("thrive", named(filter.thrive(), number));
  if (filter.age_min_years() != 0) text.add("from age " + number(filter.age_min_years()));
  if (filter.age_max_years() != 255) text.add("to age " + number(filter.age_max_years()));
  text.add("home authorities", texts(filter.home_authorities()));
  text.add("GP practices", texts(filter.gp_practices()));
  text.add("schools", texts(filter.schools()));
  text.add("flag reasons", texts(filter.flag_reasons()));
  text.add("channels", texts(filter.channels()));
}

AskedSpan asked_span(std::string_view what) {
  AskedSpan span;
  if (what.starts_with(kEntries)) {
    const auto first = number_of(word_behind(what, kEntries));
    const auto last = number_of(word_behind(what, "to "));
    if (first && last) span.entries = {*first, *last};
  }
  // Each stands in its one place: a word that somebody typed further on may be `agency` itself.
  what.remove_prefix(std::min(what.find_first_not_of(' '), what.size()));
  if (what.starts_with(kJourney)) {
    span.journey = word_behind(what, kJourney);
    what.remove_prefix(kJourney.size() + span.journey.size());
    what.remove_prefix(what.starts_with(' ') ? 1 : 0);
  }
  if (what.starts_with(kAgency)) span.agency = word_behind(what, kAgency);
  return span;
}

}  // namespace carehub::core
