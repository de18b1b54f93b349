#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace carehub::fakes {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAREHUB_NO_SANITIZER __attribute__((no_sanitize("address", "thread")))
#endif
#endif
#ifndef CAREHUB_NO_SANITIZER
#define CAREHUB_NO_SANITIZER
#endif

/// How many times this process's memory holds a text, which is given backwards, so that the question is no
/// answer to itself. What a sanitizer keeps for itself is left out: mappings of a gigabyte or more.
CAREHUB_NO_SANITIZER inline int times_in_memory(std::string_view backwards) {
  constexpr std::uintptr_t kLarge = 1U << 30U;
  std::ifstream maps("/proc/self/maps");
  int times = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char reads = '-';
    char writes = '-';
    if (std::sscanf(line.c_str(), "%lx-%lx %c%c", &begin, &end, &reads, &writes) != 4) continue;
    if (reads != 'r' || writes != 'w' || end - begin >= kLarge || line.find("[v") != std::string::npos)
      continue;
    const auto* at = reinterpret_cast<const volatile char*>(begin);
    const auto* last = reinterpret_cast<const volatile char*>(end) - backwards.size();
    for (; at <= last; ++at) {
      std::size_t same = 0;
      while (same < backwards.size() && at[same] == backwards.data()[backwards.size() - 1 - same]) ++same;
      if (same == backwards.size()) ++times;
    }
  }
  return times;
}

/// Writes a text that is given backwards, byte by byte, so that it never stands in this process's memory.
inline void write_forwards(const std::filesystem::path& file, std::string_view backwards) {
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (auto at = backwards.rbegin(); at != backwards.rend(); ++at) {
    const char byte = *at;
    if (::write(out, &byte, 1) != 1) break;
  }
  ::close(out);
}

/// What a file holds, backwards, without its having stood forwards in this process's memory.
inline std::string read_backwards(const std::filesystem::path& file) {
  std::string backwards;
  const int in = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  for (auto at = static_cast<off_t>(std::filesystem::file_size(file)); at > 0;) {
    char byte = 0;
    if (::pread(in, &byte, 1, --at) != 1) break;
    backwards += byte;
  }
  ::close(in);
  return backwards;
}

}  // namespace carehub::fakes
