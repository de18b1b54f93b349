#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/base/event_fields.hpp"
#include "tests/fakes/seeded_random.hpp"

/// Events that nothing can leave unseen: each value is like no other of any event, as far as its type allows.
namespace carehub::disclosure {

using Values = std::map<std::string, std::string>;  // canonical, by path with indices

struct MarkedEvent {
  std::string type;
  Bytes bytes;
  Values values;
  bool shares_number = false;  // with another event of the child: it is no trace of this one

  /// Empty where the event has none.
  std::string at(const std::string& path) const;
};

/// Makes them; the same seed makes the same.
class EventMaker {
 public:
  explicit EventMaker(std::uint64_t seed) : random_(seed) {}

  /// Every leaf of the type, one element in each list. `given`: values of the caller's own choice; an empty
  /// one leaves the field out.
  MarkedEvent whole(event::EventType type, const std::string& agency, const Values& given);
  /// Some of the leaves, and up to three elements in each list.
  MarkedEvent some(event::EventType type, const std::string& agency, const Values& given);

  fakes::SeededRandom& random() { return random_; }

 private:
  std::string value_for(const FieldPath& leaf);
  std::string text_for(const std::string& path);
  std::string marker();
  MarkedEvent build(event::EventType type, const Values& chosen);

  fakes::SeededRandom random_;
  std::uint64_t count_ = 0;
};

/// A value that can be found wherever it stands in bytes.
struct Trace {
  std::size_t event = 0;  // the number that it was added under
  std::string path;
  Bytes bytes;
};

/// Finds out of all values that were added those that stand in some bytes, as a whole or within a longer
/// text.
class Traces {
 public:
  /// Texts and moments of the event; a number, a date or a code is too short to be nobody else's.
  void add(std::size_t number, const MarkedEvent& event);
  std::vector<const Trace*> in(BytesView bytes) const;
  /// The places of all that were added of an event.
  const std::vector<std::string>& paths_of(std::size_t number) const { return paths_.at(number); }

 private:
  std::unordered_map<std::uint64_t, std::vector<Trace>> by_start_;
  std::map<std::size_t, std::vector<std::string>> paths_;
};

}  // namespace carehub::disclosure
