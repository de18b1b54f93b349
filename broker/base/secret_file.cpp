#include "broker/base/secret_file.hpp"

#include <sys/stat.h>

#include <cstdlib>

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

}  // namespace carehub
