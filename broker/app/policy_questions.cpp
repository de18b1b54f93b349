#include "broker/app/policy_questions.hpp"

#include "broker/app/configuration.hpp"
#include "broker/app/input_file.hpp"
#include "broker/core/asked_text.hpp"
#include "broker/core/policy.hpp"
#include "broker/core/policy_text.hpp"
#include "broker/server/policy_files.hpp"

namespace carehub::app {

std::optional<std::string> sound_policy(const std::string& file, Surroundings& surroundings) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(file, error);
  auto text = folder ? server::read_policy_text(file) : read_input(file, surroundings);
  if (!text) {
    complain(surroundings, text.error());
    return std::nullopt;
  }
  if (text->empty() || text->size() > core::kPolicyTextBytesMax) {
    complain(surroundings, ExitCode::wrong_input, file + " is empty, or larger than a policy may be: 1 MiB");
    return std::nullopt;
  }
  *text = core::mark_policy(*text);
  std::vector<ConfigFault> faults;
  core::Policy::parse(*text, file, 0, faults);
  if (faults.empty()) return *std::move(text);
  print_faults(faults, surroundings.err);
  return std::nullopt;
}

}  // namespace carehub::app
