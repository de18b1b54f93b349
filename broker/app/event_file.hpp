#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/random.hpp"
#include "broker/base/result.hpp"

/// Events written by hand or by a program, with the names of event.fbs and canonical values, as event_to_json
/// writes them.
namespace carehub::app {

/// What an event may leave out.
struct EventDefaults {
  std::string agency;  // source_agency
  std::string channel;
  Timestamp received_at;
};

struct FileEvent {
  Bytes event;
  std::string id;
  std::string agency;
  Hash content{};  // of what the file says, without what was filled in: equal content is the same event
};

/// One object, an array of them, or one object a line. An event without an id gets a random one. Error
/// `invalid` says which event (by number, from 1) and which field; never a value.
Result<std::vector<FileEvent>> read_events(std::string_view text, const EventDefaults& defaults,
                                           Random& random);

/// The one event of a text: an object as above, or as `dead-letters show --json` prints it. Its place in an
/// error is the line and column, or the field's path.
Result<FileEvent> read_one_event(std::string_view text, const EventDefaults& defaults, Random& random);

}  // namespace carehub::app
