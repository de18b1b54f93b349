#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "adapters/channel/pipe.hpp"

namespace carehub::adapters {

struct FolderReaderOptions {
  std::string channel = {};
  std::filesystem::path directory = {};
  std::string pattern = "*";  // of file names, as a shell has it
  bool done_file =
      false;  // a file is complete when NAME.done stands beside it; else when it has stopped growing
  bool create =
      false;  // make the directory at start; else a missing one is an error (a share that is not mounted)
  std::uint32_t poll_ms = 1'000;
  std::uint32_t quiet_ms = 0;  // and has not been written for so long; not asked of one with a .done file
  std::size_t file_bytes_max = limits::kFileBytesMax;
  std::uint32_t stop_ms = 5'000;  // for the file under way
};

/// Takes files out of a folder, oldest first, one at a time.
///
/// A file is complete when its size and time are the same at two looks and it has been left alone for
/// quiet_ms, or its .done file is there. What changes while it is handed over is handed over again. It is
/// claimed by a rename into .carehub/ and handed over whole. Then it goes to done/, with what was refused of
/// it told line by line in refused/NAME.reason.txt, or to refused/ when nothing of it was taken. A claimed
/// file that a crash or a busy hub left behind is handed over again; the hub knows what it had. Hidden files,
/// links and whatever is not a regular file are left alone. Nothing is ever overwritten: a name that is taken
/// gets a number or its time, and one that is too long is cut. A file that cannot be read or put away stays
/// claimed, is tried again, and holds up no other.
class FolderReader final : public InboundTransport {
 public:
  explicit FolderReader(FolderReaderOptions options);
  ~FolderReader() override;

  /// Error `unavailable`: the folder is missing or not writable.
  Result<void> start(Receive receive) override;
  /// Waits up to stop_ms for the file under way; it stays claimed when that is not enough.
  void stop() override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
