#include "broker/app/bench_directory.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <cstdlib>
#include <fstream>

namespace carehub::app {

namespace fs = std::filesystem;

namespace {

constexpr const char* kMark = "bench";        // the file that says whose directory it is
constexpr const char* kOnDisk = "/var/tmp/";  // /tmp may be in memory (FHS 3.0 section 5.15)
constexpr const char* kForm = "carehub-bench-XXXXXX";

Result<void> mark(const fs::path& directory) {
  std::ofstream file(directory / kMark);
  file << "invented data of `carehub bench`\n";
  file.close();
  if (!file) return fail(ErrorKind::unavailable, "`" + directory.string() + "` cannot be written");
  return {};
}

}  // namespace

Result<std::unique_ptr<BenchDirectory>> BenchDirectory::open(const fs::path& given) {
  if (given.empty()) {
    std::string name = std::string(kOnDisk) + kForm;
    if (::mkdtemp(name.data()) == nullptr)
      return fail(ErrorKind::unavailable, std::string(kOnDisk) + " cannot be written: give --data DIR");
    return std::unique_ptr<BenchDirectory>(new BenchDirectory(name, true));
  }
  std::error_code error;
  fs::create_directories(given, error);
  if (error)
    return fail(ErrorKind::unavailable, "`" + given.string() + "` cannot be made: " + error.message());
  if (!fs::exists(given / kMark, error)) {
    if (!fs::is_empty(given, error) || error) {
      return fail(ErrorKind::conflict, "`" + given.string() +
                                           "` is in use by something else, and a bench would fill it with "
                                           "invented admissions: give an empty directory");
    }
    if (auto marked = mark(given); !marked) return tl::unexpected(marked.error());
  }
  return std::unique_ptr<BenchDirectory>(new BenchDirectory(given, false));
}

BenchDirectory::~BenchDirectory() {
  std::error_code error;
  if (temporary_) fs::remove_all(path_, error);
}

bool BenchDirectory::in_memory() const {
  struct statfs system{};
  if (::statfs(path_.c_str(), &system) != 0) return false;
  return system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
}

}  // namespace carehub::app
