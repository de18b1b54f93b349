#include "broker/base/config_reader.hpp"

// The parser asserts that a name follows `[`, and says what is wrong where it does not. With NDEBUG its
// assertions mean nothing under GCC; a build for tests is to read what an operator mistyped as the real one
// does.
#define TOML_ASSERT(expr) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "broker/base/assert.hpp"
#include "broker/base/limits.hpp"

namespace carehub {
namespace {

using Asked = std::set<std::string, std::less<>>;

std::string ticked(std::string_view key) { return "`" + std::string(key) + "`"; }

/// What an IT team calls the type of a TOML value.
std::string kind_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "a whole number";
    case toml::node_type::floating_point: return "a number with a fraction";
    case toml::node_type::boolean: return "true or false";
    default: return "a date or time";
  }
}

std::string range_text(std::int64_t min, std::int64_t max) {
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

bool by_place(const ConfigFault& a, const ConfigFault& b) {
  return std::pair(a.line, a.column) < std::pair(b.line, b.column);
}

/// Keys in the order of the file: the TOML library keeps them sorted by name.
std::vector<const toml::key*> keys_in_file_order(const toml::table& table) {
  std::vector<const toml::key*> keys;
  keys.reserve(table.size());
  for (auto it = table.cbegin(); it != table.cend(); ++it) keys.push_back(&it->first);
  std::ranges::stable_sort(keys, [](const toml::key* a, const toml::key* b) {
    const auto& left = a->source().begin;
    const auto& right = b->source().begin;
    return std::pair(left.line, left.column) < std::pair(right.line, right.column);
  });
  return keys;
}

const toml::table& table_at(const void* node) { return *static_cast<const toml::table*>(node); }

/// Letters to add, drop, replace, or swap with their neighbour (optimal string alignment distance).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1), above[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

struct ConfigDocument::Impl {
  std::filesystem::path file;
  toml::table root;  // stays where it is: views point into it
  std::vector<ConfigFault> faults;
  std::map<const void*, Asked> asked;  // keys that somebody asked for, by table that somebody looked into

  ConfigTable view(const toml::table& table) {
    asked.try_emplace(&table);
    return {this, &table};
  }

  /// Where the key's value stands, else its table; line 0 for the file as a whole.
  toml::source_position position(const void* node, std::string_view key) const {
    const auto& table = table_at(node);
    if (const auto* value = key.empty() ? nullptr : table.get(key)) return value->source().begin;
    return &table == &root ? toml::source_position{} : table.source().begin;
  }

  void add_fault(toml::source_position at, std::string text, std::string remedy) {
    faults.push_back({file.string(), at.line, at.column, std::move(text), std::move(remedy)});
  }

  const toml::node* get(const void* node, std::string_view key) {
    asked[node].emplace(key);
    return table_at(node).get(key);
  }

  void wrong_type(const toml::node& value, std::string_view key, const std::string& wanted,
                  std::string remedy) {
    add_fault(value.source().begin, ticked(key) + " wants " + wanted + ", but is " + kind_name(value) + ".",
              std::move(remedy));
  }

  std::optional<std::int64_t> integer(const toml::node& value, std::string_view key, std::int64_t min,
                                      std::int64_t max) {
    const auto* number = value.as_integer();
    if (number == nullptr) {
      wrong_type(value, key, range_text(min, max), "Write the number without quotes.");
      return std::nullopt;
    }
    if (number->get() < min || number->get() > max) {
      add_fault(value.source().begin, ticked(key) + " is out of range.",
                "Give " + range_text(min, max) + ".");
      return std::nullopt;
    }
    return number->get();
  }

  void report_unused(const toml::table& table) {
    const auto found = asked.find(&table);
    if (found == asked.end()) return;
    const std::vector<std::string> known(found->second.begin(), found->second.end());
    for (const auto* key : keys_in_file_order(table)) {
      const auto& value = *table.get(key->str());
      if (!found->second.contains(key->str())) {
        report_unknown(*key, known);
      } else if (const auto* below = value.as_table()) {
        report_unused(*below);
      } else if (const auto* list = value.as_array()) {
        for (const auto& item : *list) {
          if (const auto* element = item.as_table()) report_unused(*element);
        }
      }
    }
  }

  void report_unknown(const toml::key& key, const std::vector<std::string>& known) {
    const auto nearest = nearest_word(key.str(), known);
    std::string remedy;
    if (!nearest.empty()) {
      remedy = "Did you mean " + ticked(nearest) + "?";
    } else {
      for (const auto& name : known) remedy += (remedy.empty() ? "Known here: " : ", ") + name;
      remedy = known.empty() ? "Remove it: nothing is known here." : remedy + ".";
    }
    add_fault(key.source().begin, "unknown key " + ticked(key.str()) + ".", std::move(remedy));
  }
};

std::string to_string(const ConfigFault& fault) {
  std::string text = fault.file;
  if (fault.line > 0) text += ":" + std::to_string(fault.line) + ":" + std::to_string(fault.column);
  text += ": " + fault.text;
  const bool ended = !text.empty() && (text.back() == '.' || text.back() == '?' || text.back() == ':');
  if (!fault.remedy.empty()) text += (ended ? " " : ". ") + fault.remedy;
  return text;
}

ConfigDocument::ConfigDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConfigDocument::ConfigDocument(ConfigDocument&&) noexcept = default;
ConfigDocument& ConfigDocument::operator=(ConfigDocument&&) noexcept = default;
ConfigDocument::~ConfigDocument() = default;

ConfigDocument ConfigDocument::load(const std::filesystem::path& file) {
  const auto unreadable = [&file](std::string text, std::string remedy) {
    auto impl = std::make_unique<Impl>();
    impl->file = file;
    impl->add_fault({}, std::move(text), std::move(remedy));
    return ConfigDocument(std::move(impl));
  };
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return unreadable("there is no such file.", "Check the path.");
  if (std::filesystem::is_directory(file, error)) return unreadable("this is a directory.", "Name a file.");
  const auto size = std::filesystem::file_size(file, error);
  if (!error && size > limits::kConfigBytesMax) {
    return unreadable("the file is larger than " + std::to_string(limits::kConfigBytesMax) + " bytes.",
                      "Check that it is a configuration.");
  }
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (error || !stream || (size > 0 && !(text << stream.rdbuf()))) {
    return unreadable("the file cannot be read.", "Give the hub's user the right to read it.");
  }
  return parse(text.str(), file.string());
}

ConfigDocument ConfigDocument::parse(std::string_view text, std::string name) {
  auto impl = std::make_unique<Impl>();
  impl->file = name;
  auto result = toml::parse(text, std::move(name));
  if (result) {
    impl->root = std::move(result).table();
  } else {
    const auto& error = result.error();
    impl->add_fault(error.source().begin, "not TOML here: " + std::string(error.description()) + ".",
                    "Mend this line first; the rest was not read.");
  }
  return ConfigDocument(std::move(impl));
}

ConfigTable ConfigDocument::root() { return impl_->view(impl_->root); }
std::vector<ConfigFault>& ConfigDocument::faults() { return impl_->faults; }
const std::filesystem::path& ConfigDocument::file() const { return impl_->file; }

void ConfigDocument::report_unused() {
  impl_->report_unused(impl_->root);
  std::ranges::stable_sort(impl_->faults, by_place);
}

std::string ConfigTable::text(std::string_view key) {
  if (table_at(node_).get(key) == nullptr) {
    fault({}, ticked(key) + " is missing.", "Add " + std::string(key) + " = \"...\" here.");
  }
  const auto given = optional_text(key);
  if (given && given->empty())
    fault(key, ticked(key) + " is empty.", "Write " + std::string(key) + " = \"...\".");
  return given.value_or(std::string{});
}

std::optional<std::string> ConfigTable::optional_text(std::string_view key) {
  const auto* value = document_->get(node_, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = value->as_string()) return text->get();
  document_->wrong_type(*value, key, "a text", "Write it in quotes.");
  return std::nullopt;
}

std::optional<std::string> ConfigTable::optional_scalar(std::string_view key) {
  const auto* value = document_->get(node_, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = value->as_string()) return text->get();
  std::ostringstream written;
  if (const auto* number = value->as_integer()) {
    written << number->get();
  } else if (const auto* time = value->as_date_time()) {
    written << time->get();
  } else if (const auto* date = value->as_date()) {
    written << date->get();
  } else {
    document_->wrong_type(*value, key, "a text, a whole number or a date-time", "Write one of these.");
    return std::nullopt;
  }
  return written.str();
}

std::optional<std::int64_t> ConfigTable::optional_integer(std::string_view key, std::int64_t min,
                                                          std::int64_t max) {
  const auto* value = document_->get(node_, key);
  return value == nullptr ? std::nullopt : document_->integer(*value, key, min, max);
}

std::int64_t ConfigTable::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) {
  return optional_integer(key, min, max).value_or(fallback);
}

std::optional<bool> ConfigTable::optional_boolean(std::string_view key) {
  const auto* value = document_->get(node_, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = value->as_boolean()) return flag->get();
  document_->wrong_type(*value, key, "true or false", "Write true or false, without quotes.");
  return std::nullopt;
}

bool ConfigTable::boolean(std::string_view key, bool fallback) {
  return optional_boolean(key).value_or(fallback);
}

std::vector<std::string> ConfigTable::texts(std::string_view key) {
  std::vector<std::string> texts;
  const auto* value = document_->get(node_, key);
  if (value == nullptr) return texts;
  const auto* list = value->as_array();
  if (list == nullptr) {
    document_->wrong_type(*value, key, "an array of texts", "Write [\"...\", \"...\"].");
    return texts;
  }
  for (const auto& item : *list) {
    if (const auto* text = item.as_string()) {
      texts.push_back(text->get());
    } else {
      document_->wrong_type(item, key, "texts alone in its array", "Write each in quotes.");
    }
  }
  return texts;
}

std::vector<std::string> ConfigTable::text_or_texts(std::string_view key) {
  const auto* value = document_->get(node_, key);
  if (value != nullptr && value->is_string()) return {value->as_string()->get()};
  return texts(key);
}

std::vector<std::int64_t> ConfigTable::integers(std::string_view key, std::int64_t min, std::int64_t max) {
  std::vector<std::int64_t> numbers;
  const auto* value = document_->get(node_, key);
  if (value == nullptr) return numbers;
  const auto* list = value->as_array();
  if (list == nullptr) {
    document_->wrong_type(*value, key, "an array of whole numbers", "Write [1, 2].");
    return numbers;
  }
  for (const auto& item : *list) {
    if (const auto number = document_->integer(item, key, min, max)) numbers.push_back(*number);
  }
  return numbers;
}

std::optional<ConfigTable> ConfigTable::table(std::string_view key) {
  const auto* value = document_->get(node_, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* below = value->as_table()) return document_->view(*below);
  document_->wrong_type(*value, key, "a table",
                        "Write [" + std::string(key) + "] or " + std::string(key) + " = { ... }.");
  return std::nullopt;
}

std::vector<ConfigTable> ConfigTable::tables(std::string_view key) {
  std::vector<ConfigTable> tables;
  const auto* value = document_->get(node_, key);
  if (value == nullptr) return tables;
  const auto* list = value->as_array();
  if (list == nullptr) {
    document_->wrong_type(*value, key, "an array of tables",
                          "Write [[" + std::string(key) + "]] above each.");
    return tables;
  }
  for (const auto& item : *list) {
    if (const auto* element = item.as_table()) {
      tables.push_back(document_->view(*element));
    } else {
      document_->wrong_type(item, key, "tables alone in its array", "Write each as { ... }.");
    }
  }
  return tables;
}

std::vector<std::pair<std::string, std::string>> ConfigTable::text_pairs() {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto* key : keys_in_file_order(table_at(node_))) {
    if (auto value = optional_text(key->str()))
      pairs.emplace_back(std::string(key->str()), std::move(*value));
  }
  return pairs;
}

std::vector<std::string> ConfigTable::keys() const {
  std::vector<std::string> keys;
  for (const auto* key : keys_in_file_order(table_at(node_))) keys.emplace_back(key->str());
  return keys;
}

bool ConfigTable::has(std::string_view key) const { return table_at(node_).get(key) != nullptr; }

void ConfigTable::known(std::string_view key) { document_->get(node_, key); }

void ConfigTable::fault(std::string_view key, std::string text, std::string remedy) {
  document_->add_fault(document_->position(node_, key), std::move(text), std::move(remedy));
}

std::string ConfigTable::place(std::string_view key) const {
  const auto line = document_->position(node_, key).line;
  return document_->file.string() + (line > 0 ? ":" + std::to_string(line) : std::string{});
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > limits::kNameBytesMax) return {};
  // A third of the letters may differ; more is another word.
  const std::size_t allowed = std::max<std::size_t>(1, word.size() / 3);
  std::size_t best = allowed + 1;
  std::string nearest;
  for (const auto& candidate : candidates) {
    const auto longer = std::max(candidate.size(), word.size());
    const auto shorter = std::min(candidate.size(), word.size());
    if (longer - shorter >= best) continue;
    const auto distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace carehub
