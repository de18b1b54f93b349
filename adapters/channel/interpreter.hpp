#pragma once

#include <memory>
#include <string>

#include "adapters/channel/pack.hpp"
#include "adapters/channel/pipe.hpp"
#include "broker/base/random.hpp"

/// Format and mapping of one inbound channel.
namespace carehub::adapters {

/// What to tell a sender of a message that could not be mapped: `refuse` says so (HL7 AE or AR), `keep`
/// acknowledges once its Refusal is stored, so that one odd message never stops a feed.
enum class Unmappable : std::uint8_t { refuse, keep };

struct InterpreterOptions {
  std::string agency;   // source_agency of every event
  std::string channel;  // source_channel
  Unmappable unmappable = Unmappable::refuse;
  Random* random = nullptr;  // outlives the interpreter; thread-safe
};

/// For a pack of direction `in`, by its format.
std::unique_ptr<Interpreter> make_interpreter(std::shared_ptr<const Pack> pack, InterpreterOptions options);

}  // namespace carehub::adapters
