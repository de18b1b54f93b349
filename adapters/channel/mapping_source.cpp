#include "adapters/channel/mapping_source.hpp"

#include <algorithm>

namespace carehub::adapters {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

template <class T>
Result<SourcePath> with(Result<T> path, std::string_view text, std::size_t lists) {
  if (!path) return tl::unexpected(path.error());
  if (lists > kOpenListsMax) {
    return fail(ErrorKind::invalid, "`" + std::string(text) + "` has more than " +
                                        std::to_string(kOpenListsMax) + " `[]`; write an index");
  }
  return SourcePath{std::move(*path), std::string(text), lists};
}

Found found(std::string_view text) {
  text = trimmed(text);
  return Found{text, !text.empty(), false};
}

}  // namespace

Result<SourcePath> parse_source_path(Format format, std::string_view text) {
  switch (format) {
    case Format::hl7v2: {
      auto path = hl7v2::Path::parse(text);
      return with(path, text, path ? path->open_lists() : 0);
    }
    case Format::csv: {
      if (trimmed(text).empty())
        return fail(ErrorKind::invalid, "the name of a column is empty; write it as the header does");
      return with(Result<csv::Path>(csv::Path{std::string(trimmed(text))}), text, 0);
    }
    case Format::json: {
      auto path = json::Path::parse(text);
      return with(path, text, path ? path->open_lists() : 0);
    }
    case Format::event: break;
  }
  auto path = FieldPath::parse(text);
  return with(path, text, path ? path->open_lists() : 0);
}

std::size_t Hl7Source::count(const SourcePath& path, Indices indices) const {
  const auto& place = std::get<hl7v2::Path>(path.path);
  if (place.occurrence == hl7v2::Path::kEvery && indices.empty()) return message_.occurrences(place.segment);
  return message_.repetitions(place.at(indices));
}

Found Hl7Source::find(const SourcePath& path, Indices indices, std::string& scratch) const {
  const hl7v2::Path place = std::get<hl7v2::Path>(path.path).at(indices);
  const hl7v2::Raw raw = message_.value(place);
  if (raw.null) return Found{{}, false, true};
  if (raw.empty()) return {};
  const char escape = message_.delimiters().escape;
  if (escape == '\0' || raw.text.find(escape) == std::string_view::npos) return found(raw.text);
  scratch = hl7v2::unescape(raw.text, message_.delimiters());
  return found(scratch);
}

std::string Hl7Source::place(const SourcePath& path, Indices indices) const {
  return std::get<hl7v2::Path>(path.path).at(indices).text();
}

std::size_t CsvSource::count(const SourcePath& /*path*/, Indices /*indices*/) const { return 0; }

Found CsvSource::find(const SourcePath& path, Indices /*indices*/, std::string& /*scratch*/) const {
  const auto column = header_.find(std::get<csv::Path>(path.path).column);
  if (!column || *column >= row_.fields.size()) return {};
  return found(row_.fields[*column]);
}

std::string CsvSource::place(const SourcePath& path, Indices /*indices*/) const {
  return "line " + std::to_string(row_.line) + ", column " + std::get<csv::Path>(path.path).column;
}

std::size_t JsonSource::count(const SourcePath& path, Indices indices) const {
  return value_.count(std::get<json::Path>(path.path), indices);
}

Found JsonSource::find(const SourcePath& path, Indices indices, std::string& scratch) const {
  const auto value = value_.at(std::get<json::Path>(path.path), indices);
  if (!value) return {};
  switch (value->kind()) {
    case json::Kind::null: return Found{{}, false, true};
    case json::Kind::text: return found(value->text());
    case json::Kind::array:
    case json::Kind::object: return {};
    default: scratch = value->scalar(); return found(scratch);
  }
}

std::string JsonSource::place(const SourcePath& path, Indices indices) const {
  return std::get<json::Path>(path.path).text(at_, indices);
}

std::size_t EventSource::count(const SourcePath& path, Indices indices) const {
  // The list is as long as its last element that has the value asked for.
  const auto& wanted = std::get<FieldPath>(path.path);
  std::size_t length = 0;
  const FieldPath bound = wanted.at(indices);
  visit_fields(event_, [&](const std::string& text, std::string_view) {
    const auto concrete = FieldPath::parse(text);
    if (!concrete || !bound.covers(*concrete)) return;
    std::size_t open = 0;
    for (std::size_t i = 0; i < bound.steps().size(); ++i) {
      const FieldPath::Step& step = bound.steps()[i];
      if (!step.list || step.index != FieldPath::kEvery || open++ != 0) continue;
      length = std::max(length, static_cast<std::size_t>(concrete->steps()[i].index) + 1);
    }
  });
  return length;
}

Found EventSource::find(const SourcePath& path, Indices indices, std::string& scratch) const {
  const auto values = field_values(event_, std::get<FieldPath>(path.path).at(indices));
  if (values.empty()) return {};
  scratch = values.front();
  return found(scratch);
}

std::string EventSource::place(const SourcePath& path, Indices indices) const {
  return std::get<FieldPath>(path.path).at(indices).text();
}

}  // namespace carehub::adapters
