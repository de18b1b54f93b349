#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.hpp"

/// JSON documents (RFC 8259) as a tree of fields by path. The library stays inside json.cpp.
namespace carehub::adapters::json {

/// A place in a document: person.nhs_number, $.data.items[0].x, items[].name. Indices start at 0; `[]` stands
/// for every element and is bound from the left. `$` alone is the document.
struct Path {
  static constexpr std::int32_t kEvery = -1;
  struct Step {
    std::string key;         // empty: an element
    std::int32_t index = 0;  // of an element
  };
  std::vector<Step> steps;

  static Result<Path> parse(std::string_view text);
  std::size_t open_lists() const;
  /// Written out behind `root`, `[]` filled from `indices`.
  std::string text(std::string_view root, std::span<const std::uint32_t> indices) const;
};

enum class Kind : std::uint8_t { null, boolean, number, text, array, object };

/// A value inside a Document; it lives as long as that does.
class Value {
 public:
  Kind kind() const;
  /// Text as it is, numbers as whole numbers or shortest decimals, true and false. Empty for null, array and
  /// object.
  std::string scalar() const;
  /// The text of a text value without a copy; empty for other kinds.
  std::string_view text() const;
  std::size_t size() const;  // of an array or object
  Value element(std::size_t index) const;
  std::optional<Value> member(std::string_view name) const;
  /// The text of a member; empty where there is none, or it is no text.
  std::string member_text(std::string_view name) const;
  /// In the order of the document.
  void each_member(const std::function<void(std::string_view name, Value value)>& visit) const;
  /// At `path`, bound by `indices`; nullopt when there is nothing.
  std::optional<Value> at(const Path& path, std::span<const std::uint32_t> indices) const;
  /// Elements of the array where the `[]` number indices.size() of `path` stands.
  std::size_t count(const Path& path, std::span<const std::uint32_t> indices) const;
  /// One line of JSON.
  std::string serialized() const;

 private:
  friend class Document;
  explicit Value(const void* node) : node_(node) {}
  const void* node_;
};

class Document {
 public:
  /// Error `invalid` names line and column; deeper than kDepthMax or longer than limits::kHttpBodyBytesMax is
  /// refused.
  static Result<Document> parse(std::string_view text);
  static constexpr std::size_t kDepthMax = 32;

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  Value root() const;

 private:
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Builds one object out of values by path, in any order of lists; keys keep their first order.
class Writer {
 public:
  Writer();
  ~Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  void set_text(const Path& path, std::span<const std::uint32_t> indices, std::string_view value);
  void set_number(const Path& path, std::span<const std::uint32_t> indices, std::int64_t value);
  void set_boolean(const Path& path, std::span<const std::uint32_t> indices, bool value);
  /// `json` must be valid JSON: error `invalid` otherwise.
  Result<void> set_json(const Path& path, std::span<const std::uint32_t> indices, std::string_view json);
  std::string finish(bool indented) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A text as a JSON string with its quotes.
std::string quoted(std::string_view text);

}  // namespace carehub::adapters::json
