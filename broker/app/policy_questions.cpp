#include "broker/app/policy_questions.hpp"

#include "broker/app/configuration.hpp"
#include "broker/app/input_file.hpp"
#include "broker/core/asked_text.hpp"
#include "broker/core/policy.hpp"

namespace carehub::app {

std::optional<std::string> sound_policy(const std::string& file, Surroundings& surroundings) {
  auto text = read_input(file, surroundings);
  if (!text) {
    complain(surroundings, text.error());
    return std::nullopt;
  }
  if (text->empty() || text->size() > core::kPolicyTextBytesMax) {
    complain(surroundings, ExitCode::wrong_input, file + " is empty, or larger than a policy may be: 1 MiB");
    return std::nullopt;
  }
  auto document = ConfigDocument::parse(*text, file);
  if (document.faults().empty()) core::Policy::read(document, 0);
  if (document.faults().empty()) return *std::move(text);
  print_faults(document.faults(), surroundings.err);
  return std::nullopt;
}

}  // namespace carehub::app
