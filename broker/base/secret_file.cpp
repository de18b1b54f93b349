#include "broker/base/secret_file.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace carehub {
namespace {

bool is_credential(const std::filesystem::path& file) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || *directory == '\0') return false;
  std::error_code error;
  const auto parent = std::filesystem::canonical(file.parent_path(), error);
  return !error && parent == std::filesystem::canonical(directory, error) && !error;
}

}  // namespace

bool is_open_to_others(const std::filesystem::path& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return false;
  const mode_t mine = is_credential(file) ? S_IRWXU | S_IRGRP : S_IRWXU;
  return (status.st_mode & ACCESSPERMS & ~mine) != 0;
}

void wipe(std::string& text) { ::explicit_bzero(text.data(), text.size()); }

SecretText::~SecretText() {
  if (text_.capacity() == 0) return;  // nothing was ever there, or it has moved
  text_.resize(text_.capacity());
  ::explicit_bzero(text_.data(), text_.size());
}

Result<SecretText> read_secret_file(const std::filesystem::path& file, std::size_t bytes_max) {
  const auto failed = [&file](int error) {
    return fail(error == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable,
                file.string() + " cannot be read: " + std::generic_category().message(error));
  };
  const int in = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (in < 0) return failed(errno);
  std::vector<char> text(bytes_max + 1);  // never grows: what it grew out of would not be wiped
  std::size_t have = 0;
  ssize_t got = 1;
  while (got > 0 && have < text.size()) {
    got = ::read(in, text.data() + have, text.size() - have);
    if (got > 0) have += static_cast<std::size_t>(got);
    if (got < 0 && errno == EINTR) got = 1;
  }
  const int error = got < 0 ? errno : 0;
  ::close(in);
  text.resize(have);
  SecretText read(std::move(text));
  if (error != 0) return failed(error);
  if (have > bytes_max) {
    return fail(ErrorKind::invalid,
                file.string() + " is larger than a secret is: " + std::to_string(bytes_max) + " bytes");
  }
  return read;
}

}  // namespace carehub
