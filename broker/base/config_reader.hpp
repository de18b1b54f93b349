#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/result.hpp"

/// TOML configuration read with every fault collected, each with its place and remedy, so that a user mends a
/// file in one go. The TOML library stays inside config_reader.cpp.
namespace carehub {

struct ConfigFault {
  std::string file;
  std::uint32_t line = 0;    // 1-based; 0: the file as a whole
  std::uint32_t column = 0;  // 1-based, in bytes
  std::string text;          // what is wrong
  std::string remedy;        // what to do about it
};

/// "hub.toml:12:3: unknown key `rol`. Did you mean `role`?"
std::string to_string(const ConfigFault& fault);

class ConfigTable;

/// One parsed file and the faults found in it so far. Movable; ConfigTable views stay valid while it lives.
class ConfigDocument {
 public:
  /// A file that cannot be read or parsed gives a document with one fault and an empty root.
  static ConfigDocument load(const std::filesystem::path& file);
  /// For tests and generated text; `name` stands for the file in faults.
  static ConfigDocument parse(std::string_view text, std::string name);

  ConfigDocument(ConfigDocument&&) noexcept;
  ConfigDocument& operator=(ConfigDocument&&) noexcept;
  ~ConfigDocument();

  ConfigTable root();
  /// Adds a fault for every key that nobody asked for, with the nearest key that somebody did. Call it last.
  void report_unused();
  std::vector<ConfigFault>& faults();
  const std::filesystem::path& file() const;

  struct Impl;

 private:
  explicit ConfigDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A view of one table. Getters mark the key as known; a wrong type is a fault and gives the fallback.
class ConfigTable {
 public:
  /// A missing key is a fault, and so is an empty text.
  std::string text(std::string_view key);
  std::optional<std::string> optional_text(std::string_view key);
  /// A text, or a whole number or date-time without quotes as the text that it would be in them.
  std::optional<std::string> optional_scalar(std::string_view key);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  std::optional<std::int64_t> optional_integer(std::string_view key, std::int64_t min, std::int64_t max);
  std::optional<bool> optional_boolean(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  std::vector<std::string> texts(std::string_view key);
  /// An array of texts, or one text as a list of one.
  std::vector<std::string> text_or_texts(std::string_view key);
  std::vector<std::int64_t> integers(std::string_view key, std::int64_t min, std::int64_t max);
  /// A nested table; absent gives nullopt.
  std::optional<ConfigTable> table(std::string_view key);
  /// An array of tables ([[key]]); absent gives none.
  std::vector<ConfigTable> tables(std::string_view key);
  /// All keys with text values, in file order: for code tables. Marks all as known.
  std::vector<std::pair<std::string, std::string>> text_pairs();
  /// All keys of the table in file order (marks none).
  std::vector<std::string> keys() const;
  bool has(std::string_view key) const;
  /// Marks a key that another reader of this file understands.
  void known(std::string_view key);
  /// A fault at the key's value (or at the table when the key is absent or empty).
  void fault(std::string_view key, std::string text, std::string remedy);
  /// File and line of this table or of one of its keys, as "hub.toml:12".
  std::string place(std::string_view key = {}) const;

 private:
  friend class ConfigDocument;
  friend struct ConfigDocument::Impl;
  ConfigTable(ConfigDocument::Impl* document, const void* node) : document_(document), node_(node) {}
  ConfigDocument::Impl* document_;
  const void* node_;
};

/// The candidate nearest to `word` by edit distance, or empty when none is near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace carehub
