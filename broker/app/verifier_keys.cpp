#include "broker/app/verifier_keys.hpp"

#include "broker/app/input_file.hpp"
#include "broker/storage/signing_key.hpp"

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

Result<HubKeys> read_hub_keys(const std::filesystem::path& file, const std::filesystem::path& data,
                              Surroundings& surroundings) {
  const auto place = file.empty() ? data / storage::kCheckpointKeysFile : file;
  auto keys = read_verifier_keys(place, surroundings);
  if (!keys)
    return fail(keys.error().kind, keys.error().text + ". --keys names the file with the hub's public keys");
  auto text = read_input(place.string(), surroundings);
  if (!text) return tl::unexpected(text.error());
  return HubKeys{std::move(*text), std::move(*keys)};
}

}  // namespace carehub::app
