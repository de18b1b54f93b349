#pragma once

#include <array>
#include <concepts>
#include <string>
#include <string_view>

#include "broker/base/ids.hpp"

/// Values of state rows: numbers big-endian in fixed places, texts behind a 32-bit length.
namespace carehub::care {

class RowWriter {
 public:
  RowWriter() { row_.reserve(kUsualBytes); }
  /// Goes on behind what is there already.
  explicit RowWriter(std::string row) : row_(std::move(row)) { row_.reserve(kUsualBytes); }

  template <std::unsigned_integral Number>
  RowWriter& number(Number value) {
    std::array<char, sizeof(Number)> bytes;
    for (std::size_t at = sizeof(Number); at-- > 0;) {
      bytes[at] = static_cast<char>(value & 0xFFU);
      value = static_cast<Number>(value >> 7U >> 1U);
    }
    row_.append(bytes.data(), bytes.size());
    return *this;
  }
  /// Small numbers take one byte (LEB128).
  RowWriter& packed(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) row_ += static_cast<char>((value & 0x7FU) | 0x80U);
    row_ += static_cast<char>(value);
    return *this;
  }
  /// Small on either side of zero.
  RowWriter& packed_difference(std::int64_t value) {
    const auto twice = static_cast<std::uint64_t>(value) << 1U;
    return packed(value < 0 ? ~twice : twice);
  }
  RowWriter& flag(bool value) { return number<std::uint8_t>(value ? 1 : 0); }
  RowWriter& time(std::int64_t us) { return number(static_cast<std::uint64_t>(us)); }
  template <class Tag>
  RowWriter& key(const Key16<Tag>& key) {
    return raw(text_of(key.bytes));
  }
  RowWriter& raw(std::string_view bytes) {
    row_.append(bytes);
    return *this;
  }
  RowWriter& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    row_.append(value);
    return *this;
  }
  std::string take() { return std::move(row_); }

 private:
  static constexpr std::size_t kUsualBytes = 88;
  std::string row_;
};

/// Reads what RowWriter wrote, in the same order. Past the end everything is zero and ok() is false.
class RowReader {
 public:
  explicit RowReader(std::string_view row) : rest_(row) {}

  template <std::unsigned_integral Number>
  Number number() {
    Number value = 0;
    for (const char byte : take(sizeof(Number))) {
      value = static_cast<Number>(static_cast<Number>(value << 7U << 1U) | static_cast<std::uint8_t>(byte));
    }
    return value;
  }
  std::uint64_t packed() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = number<std::uint8_t>();
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::int64_t packed_difference() {
    const auto twice = packed();
    return static_cast<std::int64_t>((twice & 1U) != 0 ? ~(twice >> 1U) : twice >> 1U);
  }
  bool flag() { return number<std::uint8_t>() != 0; }
  std::int64_t time() { return static_cast<std::int64_t>(number<std::uint64_t>()); }
  template <class Key>
  Key key() {
    Key key;
    const auto bytes = take(key.bytes.size());
    if (!bytes.empty()) std::memcpy(key.bytes.data(), bytes.data(), bytes.size());
    return key;
  }
  std::string_view text() { return take(number<std::uint32_t>()); }
  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace carehub::care
