#include "adapters/channel/interpreter.hpp"

#include "adapters/channel/interpreter_csv.hpp"
#include "adapters/channel/interpreter_hl7v2.hpp"
#include "adapters/channel/interpreter_json.hpp"
#include "broker/base/assert.hpp"

namespace carehub::adapters {

std::unique_ptr<Interpreter> make_interpreter(std::shared_ptr<const Pack> pack, InterpreterOptions options) {
  CAREHUB_ASSERT(pack != nullptr && pack->direction == Direction::in,
                 "an interpreter needs a pack of direction in");
  CAREHUB_ASSERT(options.random != nullptr, "an interpreter needs randomness for the ids of events");
  switch (pack->format) {
    case Format::hl7v2: return make_hl7v2_interpreter(std::move(pack), std::move(options));
    case Format::csv: return make_csv_interpreter(std::move(pack), std::move(options));
    default: return make_json_interpreter(std::move(pack), std::move(options));
  }
}

}  // namespace carehub::adapters
