#pragma once

#include "adapters/channel/interpreter_publication.hpp"

/// CSV files in: one publication a row, a summary of each as the answer.
namespace carehub::adapters {

std::unique_ptr<Interpreter> make_csv_interpreter(std::shared_ptr<const Pack> pack,
                                                  InterpreterOptions options);

}  // namespace carehub::adapters
