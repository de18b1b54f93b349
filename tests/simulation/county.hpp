#pragma once

#include <array>
#include <string>
#include <vector>

#include "broker/core/rules.hpp"
#include "schemas/wire_generated.h"

/// The county that is simulated: who publishes, who subscribes, and, by a table of the simulator's own, who
/// gets what.
namespace carehub::simulation {

/// What becomes of a publication, whatever happens on the way.
enum class Fate : std::uint8_t {
  kept,
  refused,   // it is wrong in itself
  not_kept,  // out of its channel's scope
};

/// How a receiver takes an event each time it is shown it.
enum class Taste : std::uint8_t { good, failing, rejected };

constexpr std::size_t kInterests = 5;

/// One message of a publisher.
struct Publication {
  std::size_t number = 0;
  int publisher = 0;
  std::string id;
  event::EventType type = event::EventType::admission;
  int child = 0;
  int tier = 0;
  std::string school;
  Fate fate = Fate::kept;
  wire::OnReuse on_reuse = wire::OnReuse::conflict;
  Bytes event;
  std::array<Taste, kInterests> taste{};  // by interest
};

enum class Due : std::uint8_t { nothing, withheld, offered };

/// A subscription as the simulator knows it.
struct Interest {
  std::size_t number;
  const char* name;
  const char* agency;
  const char* role;
  bool configured;
  bool honest;  // its reader answers for what it was shown, and nothing else
  std::uint32_t attempts_max;
  Due (*due)(const Publication& publication);
  /// What is in a view that its role may not see; nullptr: nothing.
  const char* (*leak)(const event::Event& view);
};

const std::array<Interest, kInterests>& interests();
const Interest* interest_named(const std::string& name);
/// The filter that a reader sends along when it subscribes.
ledger::FilterT filter_of(const Interest& interest);

struct PublisherDesk {
  const char* agency;
  const char* channel;
};
const std::array<PublisherDesk, 2>& publisher_desks();

core::HubRules rules_of_county();

/// What a publisher says next.
struct Draft {
  int publisher = 0;
  std::string id;
  event::EventType type = event::EventType::admission;
  int child = 1;
  int tier = 4;
  int school = 0;       // 0 Holm Lane, 1 Priory Road
  bool adult = false;   // out of scope
  bool absurd = false;  // not to be accepted
  std::string content;  // what else tells two contents apart
};
Publication write_publication(const Draft& draft);

constexpr int kChildren = 6;

}  // namespace carehub::simulation
