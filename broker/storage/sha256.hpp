#pragma once

#include <initializer_list>

#include "broker/base/bytes.hpp"

namespace carehub::storage {

/// SHA-256 (FIPS 180-4) of the parts one after the other. Thread-safe.
Hash sha256(std::initializer_list<BytesView> parts);

}  // namespace carehub::storage
