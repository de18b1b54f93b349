#include "tests/crash/disk.hpp"

#include <fcntl.h>
#include <fnmatch.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>

namespace carehub::crash {
namespace {

constexpr std::uint64_t kSectorBytes = 512;

std::atomic<Disk*> current = nullptr;

/// Never destroyed: threads that outlive main() still write.
std::mutex& disk_mutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

std::string normal(const std::string& path) {
  std::string text = std::filesystem::path(path).lexically_normal().string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string parent_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

bool below(const std::string& root, const std::string& path) {
  return path == root || (path.starts_with(root) && path[root.size()] == '/');
}

Bytes content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void put_at(Bytes& bytes, std::uint64_t offset, BytesView part) {
  if (bytes.size() < offset + part.size()) bytes.resize(offset + part.size());
  std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

Disk* disk_of(int descriptor) {
  if (current.load() == nullptr) return nullptr;
  const std::lock_guard lock(disk_mutex());
  Disk* const disk = current;
  return disk != nullptr && disk->open_.contains(descriptor) ? disk : nullptr;
}

Disk* disk_of(const std::string& path) {
  if (current.load() == nullptr) return nullptr;
  const std::lock_guard lock(disk_mutex());
  Disk* const disk = current;
  return disk != nullptr && below(disk->root_.string(), normal(path)) ? disk : nullptr;
}

Disk::Disk(const std::filesystem::path& root) : root_(normal(root.string())) {
  const auto take = [this](const std::filesystem::path& path, bool directory) {
    auto node = std::make_shared<Node>();
    node->directory = directory;
    node->name = path.string();
    if (!directory) node->durable = content_of(path);
    names_[node->name] = durable_names_[node->name] = node;
  };
  take(root_, true);
  for (const auto& each : std::filesystem::recursive_directory_iterator(root_)) {
    if (each.is_directory() || each.is_regular_file()) take(each.path(), each.is_directory());
  }
  const std::lock_guard lock(disk_mutex());
  current = this;
}

Disk::~Disk() {
  const std::lock_guard lock(disk_mutex());
  current = nullptr;
}

void Disk::plan(Fault fault) {
  const std::lock_guard lock(disk_mutex());
  fault_ = std::move(fault);
  operations_ = 0;
  happened_ = false;
  what_.clear();
}

void Disk::cut() {
  const std::lock_guard lock(disk_mutex());
  cut_ = true;
}

std::uint64_t Disk::operations() const {
  const std::lock_guard lock(disk_mutex());
  return operations_;
}

bool Disk::happened() const {
  const std::lock_guard lock(disk_mutex());
  return happened_;
}

std::string Disk::what() const {
  const std::lock_guard lock(disk_mutex());
  return what_;
}

/// Counts an operation and says how it goes.
Disk::Verdict Disk::next(const char* operation, const std::string& name, Call call) {
  if (cut_) return Verdict::cut;
  const bool lies = fault_.kind == Fault::Kind::lying_sync || fault_.kind == Fault::Kind::lying_syncs;
  const bool meant = fault_.only_in.empty() || ::fnmatch(fault_.only_in.c_str(), name.c_str(), 0) == 0;
  if (lies && (call != Call::sync || !meant)) return Verdict::go;
  ++operations_;
  const bool for_good = fault_.kind == Fault::Kind::errors || fault_.kind == Fault::Kind::lying_syncs;
  if (fault_.at == 0 || operations_ < fault_.at || (operations_ > fault_.at && !for_good)) return Verdict::go;
  // A full disk still takes what needs no room.
  if (fault_.error == ENOSPC && call == Call::sync) return Verdict::go;
  const bool first = !happened_;
  if (first) what_ = std::string(operation) + " of " + std::filesystem::path(name).filename().string();
  happened_ = true;
  switch (fault_.kind) {
    case Fault::Kind::none: return Verdict::go;
    case Fault::Kind::power_cut: cut_ = true; return Verdict::cut;
    case Fault::Kind::error: return Verdict::fail;
    case Fault::Kind::errors: return first && call == Call::write ? Verdict::half : Verdict::fail;
    case Fault::Kind::lying_sync:
    case Fault::Kind::lying_syncs: return Verdict::lie;
  }
  return Verdict::go;
}

int Disk::refuse(Verdict verdict) const {
  errno = verdict == Verdict::cut ? EIO : fault_.error;
  return -1;
}

int Disk::open(const std::string& path, int flags, const std::function<int()>& real) {
  const std::lock_guard lock(disk_mutex());
  const std::string name = normal(path);
  const auto known = names_.find(name);
  const bool is_new = known == names_.end() && (flags & O_CREAT) != 0;
  const bool clears = known != names_.end() && (flags & O_TRUNC) != 0;
  if (is_new || clears) {
    const Verdict verdict = next("open", name, Call::name);
    // Whether the name of a file came to be in the moment of a power cut, nobody can tell: here it did not.
    if (verdict != Verdict::go) return refuse(verdict);
  }
  const int descriptor = real();
  if (descriptor < 0) return descriptor;
  if (is_new) {
    auto node = std::make_shared<Node>();
    node->name = name;
    change_names({parent_of(name), {}, name, std::move(node)});
  }
  const auto found = names_.find(name);
  if (found == names_.end()) return descriptor;  // the database's own log book, written through stdio
  if (clears) found->second->pending.push_back({.truncates = true, .offset = 0, .bytes = {}});
  open_[descriptor] = found->second;
  return descriptor;
}

void Disk::close(int descriptor) {
  const std::lock_guard lock(disk_mutex());
  open_.erase(descriptor);
}

ssize_t Disk::write(int descriptor, off_t offset, const void* bytes, std::size_t size,
                    const std::function<ssize_t(std::size_t)>& real) {
  const std::lock_guard lock(disk_mutex());
  const NodePtr& node = open_.at(descriptor);
  const bool was_cut = cut_;
  const Verdict verdict = next("write", node->name, Call::write);
  const auto* const begin = static_cast<const std::uint8_t*>(bytes);
  const auto record = [&](std::size_t part) {
    node->pending.push_back({.truncates = false,
                             .offset = static_cast<std::uint64_t>(offset),
                             .bytes = Bytes(begin, begin + static_cast<std::ptrdiff_t>(part))});
  };
  if (verdict == Verdict::cut && !was_cut) record(size);  // some of it may have reached the disk
  if (verdict == Verdict::cut || verdict == Verdict::fail) return refuse(verdict);
  const std::size_t wanted = verdict == Verdict::half ? size / 2 : size;
  if (wanted == 0 && size > 0) return refuse(verdict);
  const ssize_t put = real(wanted);
  if (put > 0) record(static_cast<std::size_t>(put));
  return put;
}

int Disk::truncate(int descriptor, off_t size, const std::function<int()>& real) {
  const std::lock_guard lock(disk_mutex());
  const NodePtr& node = open_.at(descriptor);
  const Verdict verdict = next("truncate", node->name, Call::write);
  if (verdict != Verdict::go) return refuse(verdict);
  const int outcome = real();
  if (outcome == 0) {
    node->pending.push_back({.truncates = true, .offset = static_cast<std::uint64_t>(size), .bytes = {}});
  }
  return outcome;
}

int Disk::reserve(int descriptor, const std::function<int()>& real) {
  const std::lock_guard lock(disk_mutex());
  const Verdict verdict = next("fallocate", open_.at(descriptor)->name, Call::write);
  return verdict == Verdict::go ? real() : refuse(verdict);
}

int Disk::sync(int descriptor, const std::function<int()>& real) {
  const std::lock_guard lock(disk_mutex());
  const NodePtr& node = open_.at(descriptor);
  const Verdict verdict = next("sync", node->name, Call::sync);
  if (verdict == Verdict::cut) return refuse(verdict);
  if (node->directory) {
    if (verdict == Verdict::fail) return refuse(verdict);
    if (verdict == Verdict::lie) return 0;
    std::erase_if(pending_names_, [&](const NameChange& change) {
      if (change.directory != node->name) return false;
      apply(change, durable_names_);
      return true;
    });
    return 0;
  }
  if (verdict == Verdict::lie) {
    node->pending.clear();
    return 0;
  }
  if (verdict == Verdict::fail) {
    // What the kernel could not write once it forgets to write again.
    for (Change& change : node->pending) change.doomed = true;
    return refuse(verdict);
  }
  std::vector<Change> doomed;
  for (Change& change : node->pending) {
    if (change.doomed) {
      doomed.push_back(std::move(change));
    } else {
      apply(change, node->durable);
      supersede(doomed, change);
    }
  }
  node->pending = std::move(doomed);
  static_cast<void>(real);  // the disk that counts is the one that is played
  return 0;
}

/// What was written over and synced since cannot come to light again.
void Disk::supersede(std::vector<Change>& doomed, const Change& by) {
  std::vector<Change> left;
  const std::uint64_t from = by.offset;
  const std::uint64_t to = by.truncates ? ~std::uint64_t{0} : by.offset + by.bytes.size();
  for (const Change& each : doomed) {
    const std::uint64_t end = each.offset + each.bytes.size();
    const auto keep = [&](std::uint64_t begin, std::uint64_t until) {
      if (begin >= until) return;
      const BytesView part = BytesView(each.bytes).subspan(begin - each.offset, until - begin);
      left.push_back(
          {.truncates = false, .offset = begin, .bytes = Bytes(part.begin(), part.end()), .doomed = true});
    };
    keep(each.offset, std::min(end, from));
    keep(std::max(each.offset, to), end);
  }
  doomed = std::move(left);
}

int Disk::make_directory(const std::string& path, const std::function<int()>& real) {
  const std::lock_guard lock(disk_mutex());
  const std::string name = normal(path);
  if (names_.contains(name)) return real();
  const Verdict verdict = next("mkdir", name, Call::name);
  if (verdict != Verdict::go) return refuse(verdict);
  const int outcome = real();
  if (outcome == 0) {
    auto node = std::make_shared<Node>();
    node->directory = true;
    node->name = name;
    change_names({parent_of(name), {}, name, std::move(node)});
  }
  return outcome;
}

int Disk::remove(const std::string& path, const std::function<int()>& real) {
  const std::lock_guard lock(disk_mutex());
  const std::string name = normal(path);
  if (!names_.contains(name)) return real();
  const Verdict verdict = next("remove", name, Call::sync);
  if (verdict != Verdict::go) return refuse(verdict);
  const int outcome = real();
  if (outcome == 0) change_names({parent_of(name), name, {}, nullptr});
  return outcome;
}

int Disk::rename(const std::string& from, const std::string& to, const std::function<int()>& real) {
  const std::lock_guard lock(disk_mutex());
  const std::string name = normal(from);
  const auto known = names_.find(name);
  if (known == names_.end()) return real();
  const NodePtr node = known->second;
  const Verdict verdict = next("rename", name, Call::name);
  if (verdict != Verdict::go) return refuse(verdict);
  const int outcome = real();
  if (outcome == 0) change_names({parent_of(name), name, normal(to), node});
  return outcome;
}

void Disk::change_names(NameChange change) {
  apply(change, names_);
  pending_names_.push_back(std::move(change));
}

void Disk::apply(const NameChange& change, Names& names) {
  if (!change.gone.empty()) names.erase(change.gone);
  if (!change.made.empty()) names[change.made] = change.node;
}

void Disk::apply(const Change& change, Bytes& bytes) {
  if (change.truncates) {
    bytes.resize(change.offset);
  } else {
    put_at(bytes, change.offset, change.bytes);
  }
}

Disk::Names Disk::surviving_names(fakes::SeededRandom& random) const {
  Names names = durable_names_;
  // None, all, or the first of them: RocksDB counts on a journal's order when it renames CURRENT.
  const std::uint64_t how = random.below(3);
  const std::uint64_t kept = how == 0   ? 0
                             : how == 1 ? pending_names_.size()
                                        : random.below(pending_names_.size() + 1);
  for (std::size_t at = 0; at < kept; ++at) apply(pending_names_[at], names);
  return names;
}

/// The file's bytes after the cut: of what was not synced nothing, all, a part up to a place, or any sectors,
/// with zeros or old bytes of other files where a sector was promised and not written.
Bytes Disk::torn(const Node& node, fakes::SeededRandom& random) {
  Bytes bytes = node.durable;
  const std::uint64_t how = random.below(4);
  const std::uint64_t first = how == 2 ? random.below(node.pending.size() + 1) : 0;
  for (std::size_t at = 0; at < node.pending.size(); ++at) {
    const Change& change = node.pending[at];
    if (how == 0 || (how == 2 && at > first)) break;
    if (how == 1 || (how == 2 && at < first)) {
      apply(change, bytes);
    } else if (change.truncates) {
      if (random.below(2) == 0) apply(change, bytes);
    } else if (how == 2) {
      put_at(bytes, change.offset, BytesView(change.bytes).first(random.below(change.bytes.size() + 1)));
    } else {
      for (std::uint64_t from = 0; from < change.bytes.size();) {
        const std::uint64_t to_edge = kSectorBytes - (change.offset + from) % kSectorBytes;
        const std::uint64_t size = std::min<std::uint64_t>(to_edge, change.bytes.size() - from);
        Bytes part(change.bytes.begin() + static_cast<std::ptrdiff_t>(from),
                   change.bytes.begin() + static_cast<std::ptrdiff_t>(from + size));
        const std::uint64_t fate = random.below(8);
        if (fate == 0) std::fill(part.begin(), part.end(), std::uint8_t{0});
        if (fate == 1) random.fill(part);
        if (fate >= 2 && fate <= 4) part.clear();
        put_at(bytes, change.offset + from, part);
        from += size;
      }
    }
  }
  return bytes;
}

void Disk::survivors(fakes::SeededRandom& random, const std::filesystem::path& into) const {
  std::map<std::string, Bytes> files;
  std::vector<std::string> directories;
  {
    const std::lock_guard lock(disk_mutex());
    const Names names = surviving_names(random);
    for (const auto& [name, node] : names) {  // parents come before what is in them
      if (name == root_.string()) continue;
      const std::string parent = parent_of(name);
      const bool reachable = parent == root_.string() ||
                             std::find(directories.begin(), directories.end(), parent) != directories.end();
      if (!reachable) continue;
      if (node->directory) {
        directories.push_back(name);
      } else {
        files[name] = torn(*node, random);
      }
    }
  }
  const auto place = [&](const std::string& name) { return into / name.substr(root_.string().size() + 1); };
  for (const std::string& each : directories) std::filesystem::create_directory(place(each));
  for (const auto& [name, bytes] : files) {
    const std::filesystem::path path = place(name);
    std::ofstream(path, std::ios::binary) << text_of(bytes);
    std::filesystem::permissions(path,
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
}

}  // namespace carehub::crash
