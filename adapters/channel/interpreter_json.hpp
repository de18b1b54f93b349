#pragma once

#include "adapters/channel/interpreter_publication.hpp"

/// JSON documents in: one event or an array of them, answered with receipts and refusals.
namespace carehub::adapters {

std::unique_ptr<Interpreter> make_json_interpreter(std::shared_ptr<const Pack> pack,
                                                   InterpreterOptions options);

}  // namespace carehub::adapters
