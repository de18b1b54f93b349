#pragma once

#include <concepts>

#include "broker/base/bytes.hpp"

/// Whole numbers in fixed places, whatever the processor's byte order.
namespace carehub::storage {

template <std::unsigned_integral Number>
void put_little(std::uint8_t* out, Number value) {
  for (std::size_t at = 0; at < sizeof(Number); ++at) {
    out[at] = static_cast<std::uint8_t>((value >> (8U * at)) & 0xFFU);
  }
}

template <std::unsigned_integral Number>
Number get_little(const std::uint8_t* in) {
  Number value = 0;
  for (std::size_t at = 0; at < sizeof(Number); ++at) {
    value = static_cast<Number>(value | (static_cast<Number>(in[at]) << (8U * at)));
  }
  return value;
}

}  // namespace carehub::storage
