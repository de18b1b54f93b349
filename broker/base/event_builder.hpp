#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "broker/base/event_fields.hpp"

namespace carehub {

/// Builds one Event out of canonical text values by path, in any order. Not thread-safe; reusable after
/// finish().
class EventBuilder {
 public:
  EventBuilder();
  ~EventBuilder();

  /// `path` must have no open list. Lists may be filled in any order; gaps are closed in finish().
  /// Error `invalid` says what the field expects (never the value). The last value set for a path wins.
  Result<void> set(const FieldPath& path, std::string_view value);
  /// The same where `path` has open lists, which `indices` bind from the left.
  Result<void> set(const FieldPath& path, std::span<const std::uint32_t> indices, std::string_view value);

  /// More was set than an event may hold: nothing more will be taken until finish().
  bool overfull() const;

  /// Serialises and clears. Required fields that were not set are an `invalid` error that names them.
  Result<Bytes> finish();

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace carehub
