#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.hpp"

namespace carehub {

/// Whether others than its owner may read or change a file that is there and holds a secret. One in
/// $CREDENTIALS_DIRECTORY is systemd's, which lets the service's user alone into that directory
/// (systemd.exec(5), Credentials) and names the user in the file's access list: its group's bit for reading
/// says no more than that there is such a list.
bool is_open_to_others(const std::filesystem::path& file);

/// Overwrites a text that is about to go, as no compiler leaves out.
void wipe(std::string& text);

/// The text of a secret, wiped when it goes away. Never copied, so that there is one to wipe.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::vector<char> text) : text_(std::move(text)) {}
  ~SecretText();
  SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) {}
  SecretText& operator=(SecretText&& other) noexcept {
    text_.swap(other.text_);
    return *this;
  }

  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  std::vector<char> text_;
};

/// The whole of such a file, and no other copy of it in memory. Error `not_found`: there is none; `invalid`:
/// it is larger than `bytes_max`; `unavailable`: it cannot be read.
Result<SecretText> read_secret_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace carehub
