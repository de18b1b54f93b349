#include "broker/storage/mark.hpp"

#include <algorithm>

#include "broker/storage/little_endian.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::storage {
namespace {

constexpr std::size_t kSlotBytes = 4096;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::string_view kCheckpointMagic = "CHUBCKP1";
constexpr std::string_view kMarkMagic = "CHUBMRK1";
constexpr std::size_t kMarkPayloadBytes = sizeof(std::uint64_t) + sizeof(Hash);

Bytes pack(std::string_view magic, BytesView payload) {
  Bytes slot(kHeaderBytes);
  std::copy(magic.begin(), magic.end(), slot.begin());
  put_little(&slot[magic.size()], std::uint64_t{payload.size()});
  slot.insert(slot.end(), payload.begin(), payload.end());
  const Hash checksum = sha256({slot});
  slot.insert(slot.end(), checksum.begin(), checksum.end());
  return slot;
}

/// The payload, or nothing when the slot is empty, torn or damaged.
std::optional<BytesView> unpack(std::string_view magic, BytesView slot) {
  if (slot.size() < kHeaderBytes + sizeof(Hash)) return std::nullopt;
  if (text_of(slot.first(magic.size())) != magic) return std::nullopt;
  const auto length = get_little<std::uint64_t>(&slot[magic.size()]);
  if (length > slot.size() - kHeaderBytes - sizeof(Hash)) return std::nullopt;
  const std::size_t covered = kHeaderBytes + static_cast<std::size_t>(length);
  const Hash checksum = sha256({slot.first(covered)});
  if (!std::equal(checksum.begin(), checksum.end(), slot.begin() + static_cast<std::ptrdiff_t>(covered))) {
    return std::nullopt;
  }
  return slot.subspan(kHeaderBytes, static_cast<std::size_t>(length));
}

bool untouched(BytesView slot) {
  return std::all_of(slot.begin(), slot.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

Result<Mark> Mark::open(const std::filesystem::path& path) {
  Result<File> file = File::open(path);
  const bool made = !file && file.error().kind == ErrorKind::not_found;
  if (made) file = File::create(path);
  if (!file) return tl::unexpected(file.error());
  Mark mark(std::move(*file));
  mark.made_ = made;
  if (Result<void> locked = mark.file_.lock(); !locked) return tl::unexpected(locked.error());
  if (Result<void> read = mark.read(); !read) return tl::unexpected(read.error());
  return mark;
}

Result<Mark> Mark::open_to_read(const std::filesystem::path& path) {
  Result<File> file = File::open_to_read(path);
  if (!file) return tl::unexpected(file.error());
  Mark mark(std::move(*file));
  if (Result<void> locked = mark.file_.lock(); !locked) return tl::unexpected(locked.error());
  if (Result<void> read = mark.read(); !read) return tl::unexpected(read.error());
  return mark;
}

Result<void> Mark::read() {
  Result<Bytes> bytes = file_.read_at(0, 4 * kSlotBytes);
  if (!bytes) return tl::unexpected(bytes.error());
  bytes->resize(4 * kSlotBytes);
  const auto slot = [&](std::size_t at) { return BytesView(*bytes).subspan(at * kSlotBytes, kSlotBytes); };

  State state;
  bool any = false;
  for (const std::size_t at : {0U, 1U}) {
    const auto payload = unpack(kCheckpointMagic, slot(at));
    const auto frontier = payload && payload->size() > sizeof(Hash)
                              ? MerkleFrontier::parse(payload->subspan(sizeof(Hash)))
                              : Result<MerkleFrontier>(fail(ErrorKind::corrupt, "no checkpoint"));
    if (!frontier) {
      state.damaged = state.damaged || !untouched(slot(at));
    } else if (!any || frontier->size() > state.checkpoint.size()) {
      any = true;
      state.checkpoint = *frontier;
      std::copy_n(payload->begin(), state.last_leaf.size(), state.last_leaf.begin());
      next_checkpoint_slot_ = 1 - at;
    }
  }
  state.size = state.checkpoint.size();
  state.root = state.checkpoint.root();
  for (const std::size_t at : {2U, 3U}) {
    const auto payload = unpack(kMarkMagic, slot(at));
    if (!payload || payload->size() != kMarkPayloadBytes) {
      state.damaged = state.damaged || !untouched(slot(at));
      continue;
    }
    const auto size = get_little<std::uint64_t>(payload->data());
    if (size <= state.size) continue;
    state.size = size;
    std::copy_n(payload->begin() + sizeof size, state.root.size(), state.root.begin());
    next_mark_slot_ = 5 - at;
  }
  if (any) found_ = state;
  return {};
}

Result<void> Mark::write_mark(const MerkleFrontier& tree) {
  Bytes payload(sizeof(std::uint64_t));
  put_little(payload.data(), tree.size());
  const Hash root = tree.root();
  payload.insert(payload.end(), root.begin(), root.end());
  const std::uint64_t slot = next_mark_slot_;
  next_mark_slot_ = 5 - slot;
  return file_.write_at(slot * kSlotBytes, pack(kMarkMagic, payload));
}

Result<void> Mark::write_checkpoint(const MerkleFrontier& tree, const Hash& last_leaf) {
  const std::uint64_t slot = next_checkpoint_slot_;
  next_checkpoint_slot_ = 1 - slot;
  Bytes payload(last_leaf.begin(), last_leaf.end());
  const Bytes frontier = tree.serialise();
  payload.insert(payload.end(), frontier.begin(), frontier.end());
  if (Result<void> put = file_.write_at(slot * kSlotBytes, pack(kCheckpointMagic, payload)); !put) return put;
  return file_.sync();
}

Result<void> Mark::reset(const MerkleFrontier& tree, const Hash& last_leaf) {
  // Larger sizes win when it is read, so all that were written go. Cut short, it is refused at the next
  // start.
  if (Result<void> put = file_.write_at(0, Bytes(4 * kSlotBytes)); !put) return put;
  if (Result<void> synced = file_.sync(); !synced) return synced;
  next_checkpoint_slot_ = 0;
  next_mark_slot_ = 2;
  return write_checkpoint(tree, last_leaf);
}

}  // namespace carehub::storage
