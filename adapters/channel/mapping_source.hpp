#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/formats/csv.hpp"
#include "adapters/formats/hl7v2.hpp"
#include "adapters/formats/json.hpp"
#include "broker/base/event_fields.hpp"

/// What a mapping reads from: places in one message of any format, by path.
namespace carehub::adapters {

/// How many `[]` a path may hold.
constexpr std::size_t kOpenListsMax = 4;

enum class Format : std::uint8_t { hl7v2, csv, json, event };

/// A place in a message of one format. `[]` in it is bound from the left.
struct SourcePath {
  std::variant<hl7v2::Path, csv::Path, json::Path, FieldPath> path;
  std::string text;
  std::size_t open_lists = 0;
};

/// Error `invalid` says what the form of such a path is.
Result<SourcePath> parse_source_path(Format format, std::string_view text);

using Indices = std::span<const std::uint32_t>;

/// What stands at a place. `null`: the sender says that there is nothing (HL7 `""`, JSON null).
struct Found {
  std::string_view text;
  bool present = false;
  bool null = false;
};

class Source {
 public:
  virtual ~Source() = default;
  /// How many elements the list has that the `[]` number indices.size() of `path` stands for.
  virtual std::size_t count(const SourcePath& path, Indices indices) const = 0;
  /// The value at `path`, every `[]` bound. `scratch` may hold the text; it lives as long as that is left
  /// alone.
  virtual Found find(const SourcePath& path, Indices indices, std::string& scratch) const = 0;
  /// The place as a person knows it: PID-3[2].1, column NHS Number, $.items[3].name.
  virtual std::string place(const SourcePath& path, Indices indices) const = 0;
};

class Hl7Source final : public Source {
 public:
  explicit Hl7Source(const hl7v2::Message& message) : message_(message) {}
  std::size_t count(const SourcePath& path, Indices indices) const override;
  Found find(const SourcePath& path, Indices indices, std::string& scratch) const override;
  std::string place(const SourcePath& path, Indices indices) const override;

 private:
  const hl7v2::Message& message_;
};

class CsvSource final : public Source {
 public:
  CsvSource(const csv::Header& header, const csv::Row& row) : header_(header), row_(row) {}
  std::size_t count(const SourcePath& path, Indices indices) const override;
  Found find(const SourcePath& path, Indices indices, std::string& scratch) const override;
  std::string place(const SourcePath& path, Indices indices) const override;

 private:
  const csv::Header& header_;
  const csv::Row& row_;
};

class JsonSource final : public Source {
 public:
  /// `at`: the path of `value` in its document, for places.
  JsonSource(const json::Value& value, std::string at) : value_(value), at_(std::move(at)) {}
  std::size_t count(const SourcePath& path, Indices indices) const override;
  Found find(const SourcePath& path, Indices indices, std::string& scratch) const override;
  std::string place(const SourcePath& path, Indices indices) const override;

 private:
  const json::Value& value_;
  std::string at_;
};

/// A view on its way out.
class EventSource final : public Source {
 public:
  explicit EventSource(const event::Event& event) : event_(event) {}
  std::size_t count(const SourcePath& path, Indices indices) const override;
  Found find(const SourcePath& path, Indices indices, std::string& scratch) const override;
  std::string place(const SourcePath& path, Indices indices) const override;

 private:
  const event::Event& event_;
};

}  // namespace carehub::adapters
