#include "broker/storage/vault_places.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "broker/storage/file.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPlacesBytesMax = 16U << 20U;
constexpr const char* kUnknown = "-";

std::optional<struct statx> look_up(const fs::path& directory) {
  struct statx is{};
  if (::statx(AT_FDCWD, directory.c_str(), 0, STATX_INO | STATX_BTIME, &is) != 0) return std::nullopt;
  return is;
}

bool on_one_device(const struct statx& one, const struct statx& other) {
  return one.stx_dev_major == other.stx_dev_major && one.stx_dev_minor == other.stx_dev_minor;
}

/// In nanoseconds; 0 where the file system keeps none.
std::string birth_of(const struct statx& is) {
  if ((is.stx_mask & STATX_BTIME) == 0) return "0";
  return std::to_string(is.stx_btime.tv_sec * 1'000'000'000 + is.stx_btime.tv_nsec);
}

/// A file system's own number. XFS, exFAT and others give that of the device (32 bits), NFS none: 0, as the
/// next disk that is put in has the same.
std::string own_number(const struct statvfs& on) {
  const std::uint64_t number = on.f_fsid;
  return std::to_string(number >> 32U == 0 ? 0 : number);
}

/// Which file system a directory is on and which of its directories it is; a disk that takes another's place
/// has the same names, and may have the same numbers. "FILE SYSTEM@BIRTH OF ITS ROOT.INODE@BIRTH".
std::string identity(const fs::path& directory) {
  struct statvfs on{};
  const auto is = look_up(directory);
  if (!is || ::statvfs(directory.c_str(), &on) != 0) return kUnknown;
  auto root = *is;
  for (fs::path at = directory; at.has_relative_path();) {
    at = at.parent_path();
    const auto above = look_up(at);
    if (!above || !on_one_device(*above, *is)) break;
    root = *above;
  }
  return own_number(on) + "@" + birth_of(root) + "." + std::to_string(is->stx_ino) + "@" + birth_of(*is);
}

/// As earlier hubs wrote it: "FILE SYSTEM.INODE".
std::string without_births(const std::string& identity) {
  std::string text;
  bool keeps = true;
  for (const char each : identity) {
    keeps = each != '@' && (keeps || each == '.');
    if (keeps) text += each;
  }
  return text;
}

/// Whether no other directory can have this identity.
bool is_one_of_its_kind(const std::string& identity) {
  if (identity == kUnknown) return false;
  if (!identity.starts_with("0@") && !identity.starts_with("0.")) return true;
  const bool has_births = identity.find('@') != std::string::npos;
  return has_births && identity.find("@0.") == std::string::npos && !identity.ends_with("@0");
}

bool is_the_same(const std::string& now, const std::string& then) {
  const bool had_births = then.find('@') != std::string::npos;
  return is_one_of_its_kind(then) && (had_births ? now : without_births(now)) == then;
}

/// The directories above a place, from / on.
std::vector<fs::path> directories_above(const fs::path& place) {
  std::vector<fs::path> all;
  fs::path each;
  for (const auto& part : place.parent_path()) all.push_back(each /= part);
  return all;
}

/// One line: what each directory above it was when the copy was made, and its path.
struct Line {
  std::vector<std::string> above;
  fs::path place;

  std::string text() const {
    std::string text;
    for (const auto& each : above) text += (text.empty() ? "" : "/") + each;
    return text + " " + place.string();
  }
};

Line line_of(const fs::path& place) {
  Line line{{}, place};
  for (const auto& each : directories_above(place)) line.above.push_back(identity(each));
  return line;
}

std::optional<Line> parse(const std::string& text) {
  const auto space = text.find(' ');
  if (space == std::string::npos || space + 1 == text.size() || text[space + 1] != '/') return std::nullopt;
  Line line{{}, text.substr(space + 1)};
  std::istringstream above(text.substr(0, space));
  for (std::string each; std::getline(above, each, '/');) line.above.push_back(each);
  if (line.above.size() != directories_above(line.place).size()) return std::nullopt;
  return line;
}

std::string file_system_of(const std::string& identity) { return identity.substr(0, identity.find('.')); }

enum class Look { there, gone, unknown };

/// What is known of a place now: it is gone only where the directory that it, or what it was in, was removed
/// from is the very one that it was, on the very disk: a disk that is taken away may take its directory
/// along.
Look look_at(const Line& line) {
  const auto above = directories_above(line.place);
  std::error_code error;
  std::size_t deepest = above.size();
  while (deepest > 0) {
    const bool is_there = fs::exists(above[deepest - 1], error);
    if (error) return Look::unknown;
    if (is_there) break;
    --deepest;
  }
  if (deepest == 0) return Look::unknown;
  if (!is_the_same(identity(above[deepest - 1]), line.above[deepest - 1])) return Look::unknown;
  if (file_system_of(line.above[deepest - 1]) != file_system_of(line.above.back())) return Look::unknown;
  if (deepest < above.size()) return Look::gone;
  const bool is_there = fs::exists(fs::symlink_status(line.place, error));
  if (is_there) return Look::there;
  return error && error != std::errc::no_such_file_or_directory ? Look::unknown : Look::gone;
}

Result<std::vector<std::string>> read_lines(const fs::path& file) {
  std::vector<std::string> lines;
  const auto opened = File::open_to_read(file);
  if (!opened) {
    if (opened.error().kind == ErrorKind::not_found) return lines;
    return tl::unexpected(opened.error());
  }
  const auto held = opened->read_at(0, kPlacesBytesMax);
  if (!held) return tl::unexpected(held.error());
  if (held->size() == kPlacesBytesMax)
    return fail(ErrorKind::invalid, file.string() + ": it is too long: take out what is gone");
  std::istringstream text{std::string(text_of(*held))};
  for (std::string line; std::getline(text, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

Result<void> write_lines(const fs::path& file, const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  return write_whole(file, bytes_of(text));
}

bool is_known_gone(const std::string& text) {
  const auto line = parse(text);
  return line && look_at(*line) == Look::gone;
}

Result<void> add_line(const fs::path& place, std::vector<std::string>& lines) {
  if (place.string().find('\n') != std::string::npos)
    return fail(ErrorKind::invalid, "the path of a copy of the vault has a line break: give another");
  if (!place.is_absolute()) {
    return fail(ErrorKind::invalid, "`" + place.string() +
                                        "`: where a copy of the vault is gets noted down: give the whole "
                                        "path, from / on");
  }
  std::error_code error;
  const fs::path plain = place.has_filename() ? place : place.parent_path();
  const fs::path parent = fs::weakly_canonical(plain.parent_path(), error);
  auto text = line_of((error ? plain.parent_path() : parent) / plain.filename()).text();
  std::erase(lines, text);
  lines.push_back(std::move(text));
  return {};
}

}  // namespace

fs::path vault_places_file(const fs::path& vault_file) { return vault_file.string() + ".places"; }

Result<void> add_vault_places(const fs::path& vault_file, const std::vector<fs::path>& places) {
  auto lines = read_lines(vault_places_file(vault_file));
  if (!lines) return tl::unexpected(lines.error());
  std::erase_if(*lines, is_known_gone);
  for (const auto& place : places) {
    if (auto added = add_line(place, *lines); !added) return added;
  }
  return write_lines(vault_places_file(vault_file), *lines);
}

Result<void> copy_vault_places(const fs::path& vault_file, const fs::path& copy) {
  auto lines = read_lines(vault_places_file(vault_file));
  if (!lines) return tl::unexpected(lines.error());
  return write_lines(vault_places_file(copy), *lines);
}

VaultPlaces vault_places(const fs::path& vault_file) {
  VaultPlaces places;
  const fs::path file = vault_places_file(vault_file);
  const auto lines = read_lines(file);
  if (!lines) {
    places.unknown.push_back(lines.error().text);
    return places;
  }
  for (const auto& text : *lines) {
    const auto line = parse(text);
    if (!line) {
      places.unknown.push_back(file.string() + ": a line that names no place");
      continue;
    }
    switch (look_at(*line)) {
      case Look::gone: break;
      case Look::there: places.there.push_back(line->place); break;
      case Look::unknown:
        places.unknown.push_back(line->place.string() +
                                 ": a copy was made there, and its disk or directory is not there now, or is "
                                 "another. Mount it, or take the line out of " +
                                 file.string() + " once that copy is gone");
    }
  }
  return places;
}

}  // namespace carehub::storage
