#include "broker/app/verifier_keys.hpp"

#include "broker/app/input_file.hpp"

namespace carehub::app {

Result<std::vector<storage::verify::Key>> read_verifier_keys(const std::filesystem::path& file,
                                                             Surroundings& surroundings) {
  const auto text = read_input(file.string(), surroundings);
  if (!text) return tl::unexpected(text.error());
  auto keys = storage::verify::parse_keys(*text);
  if (!keys) return fail(ErrorKind::invalid, file.string() + ": " + keys.error().text);
  if (keys->empty()) return fail(ErrorKind::invalid, file.string() + " holds no verifier key");
  return keys;
}

}  // namespace carehub::app
