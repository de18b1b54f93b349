#pragma once

#include <sys/types.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/bytes.hpp"
#include "tests/fakes/seeded_random.hpp"

namespace carehub::crash {

/// What the disk does at its n-th operation. Operations are what changes it: writes, syncs, and changes of
/// names.
struct Fault {
  enum class Kind : std::uint8_t {
    none,
    power_cut,    // this operation and all after it fail; what was not synced may be lost
    error,        // this one fails
    errors,       // this one and all after it fail; a write may put half of its bytes down first
    lying_sync,   // the n-th sync of a file says that it is done, and loses what it should have kept
    lying_syncs,  // and so do all that come after it
  };
  Kind kind = Kind::none;
  std::uint64_t at = 0;  // the first operation is 1; 0: never
  int error = EIO;
  std::string only_in = {};  // lies are told about files of this pattern, and only their syncs are counted
};

/// The directory `root` as a disk that knows what was synced. System calls of this process reach it through
/// system_calls.cpp; so all that writes there is seen: RocksDB, and the hub's own files. One at a time.
///
/// The model is that of POSIX, taken by its word: bytes last after fsync or fdatasync of their file, names
/// after fsync of their directory. Other bytes may be lost, kept or torn, in any order; of other changes of
/// names a first part is kept, as by a file system with a journal. Bytes beside a torn write stay.
class Disk {
 public:
  explicit Disk(const std::filesystem::path& root);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  ~Disk();

  /// From now on, counted anew.
  void plan(Fault fault);
  /// The power goes now, if it has not gone yet.
  void cut();
  std::uint64_t operations() const;
  /// Has the fault come about?
  bool happened() const;
  /// What the operation was that it hit, for the failure's text.
  std::string what() const;

  /// Writes into an empty directory what a disk would hold after the cut, as these dice fall.
  void survivors(fakes::SeededRandom& random, const std::filesystem::path& into) const;

  // As the system calls of these names, with errors in errno. `real` makes the call itself.
  int open(const std::string& path, int flags, const std::function<int()>& real);
  ssize_t write(int descriptor, off_t offset, const void* bytes, std::size_t size,
                const std::function<ssize_t(std::size_t)>& real);
  int truncate(int descriptor, off_t size, const std::function<int()>& real);
  int reserve(int descriptor, const std::function<int()>& real);
  int sync(int descriptor, const std::function<int()>& real);
  int make_directory(const std::string& path, const std::function<int()>& real);
  int remove(const std::string& path, const std::function<int()>& real);
  int rename(const std::string& from, const std::string& to, const std::function<int()>& real);
  void close(int descriptor);

 private:
  friend Disk* disk_of(int descriptor);
  friend Disk* disk_of(const std::string& path);

  struct Change {  // of a file's bytes
    bool truncates = false;
    std::uint64_t offset = 0;  // or the new size
    Bytes bytes;
    bool doomed = false;  // a sync of it failed: no later one brings it to the disk
  };
  struct Node {
    bool directory = false;
    std::string name;  // as it was opened or made
    Bytes durable;
    std::vector<Change> pending;
  };
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;
  struct NameChange {
    std::string directory;
    std::string gone;  // may be empty
    std::string made;  // may be empty
    NodePtr node;
  };
  enum class Verdict : std::uint8_t { go, half, fail, cut, lie };

  enum class Call : std::uint8_t { write, sync, name };
  Verdict next(const char* operation, const std::string& name, Call call);
  int refuse(Verdict verdict) const;
  void change_names(NameChange change);
  static void apply(const NameChange& change, Names& names);
  static void apply(const Change& change, Bytes& bytes);
  static void supersede(std::vector<Change>& doomed, const Change& by);
  static Bytes torn(const Node& node, fakes::SeededRandom& random);
  Names surviving_names(fakes::SeededRandom& random) const;

  const std::filesystem::path root_;
  // Below, all under one mutex: the database writes on threads of its own.
  std::map<int, NodePtr> open_;
  Names names_;          // as the process sees them
  Names durable_names_;  // as the disk holds them
  std::vector<NameChange> pending_names_;
  Fault fault_;
  std::uint64_t operations_ = 0;
  bool happened_ = false;
  bool cut_ = false;
  std::string what_;
};

/// The disk that this file is on; nullptr when it is on none that is played.
Disk* disk_of(int descriptor);
Disk* disk_of(const std::string& path);

}  // namespace carehub::crash
