#include "broker/core/work_note.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "broker/base/assert.hpp"

namespace carehub::core {
namespace {

constexpr std::uint64_t kForm = 0x4E4F'5445'0000'0001U;  // of the page as it is laid out here
constexpr std::uint64_t kSequenceBits = (std::uint64_t{1} << 56U) - 1;

}  // namespace

std::uint64_t hash_of_name(std::string_view name) {
  // FNV-1a: the hash of the library may differ from build to build.
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325U;
  for (const char each : name) {
    hash ^= static_cast<unsigned char>(each);
    hash *= 0x0000'0100'0000'01B3U;
  }
  return hash;
}

std::uint64_t hash_of_parts(std::uint64_t secret, std::initializer_list<BytesView> parts) {
  auto hash = secret;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15U;
    hash ^= hash >> 32U;
  };
  for (BytesView part : parts) {
    mix(part.size());
    std::uint64_t word = 0;
    for (; part.size() >= sizeof word; part = part.subspan(sizeof word)) {
      std::memcpy(&word, part.data(), sizeof word);
      mix(word);
    }
    word = 0;
    if (!part.empty()) std::memcpy(&word, part.data(), part.size());
    mix(word);
  }
  return hash;
}

WorkNote::WorkNote() : own_(std::make_unique<Page>()), page_(own_.get()) { page_->form = kForm; }

WorkNote::WorkNote(std::span<std::byte> memory) {
  CAREHUB_ASSERT(memory.size() >= kBytes, "a work note has a page to be written on");
  page_ = std::launder(reinterpret_cast<Page*>(memory.data()));
  if (page_->form != kForm) {
    page_ = new (memory.data()) Page();
    page_->form = kForm;
  }
  count_last();
  gather_bits();
}

void WorkNote::gather_bits() {
  suspected_ = 0;
  for (const Suspect& each : page_->suspects) {
    if (each.at != 0) suspected_ |= bit(unpacked(each.at, each.whose));
  }
}

Work WorkNote::unpacked(std::uint64_t at, std::uint64_t whose) {
  return {static_cast<Step>(at >> 56U), at & kSequenceBits, whose};
}

/// The page is wiped last: a death in between counts the same once more.
void WorkNote::count_last() {
  const auto at = page_->at.load(std::memory_order_relaxed);
  if (at == 0) return;
  const Work work = unpacked(at, page_->whose.load(std::memory_order_relaxed));
  Suspect* suspect = find(work);
  if (suspect == nullptr) {
    // Where there is no room the oldest is tried anew.
    suspect = &*std::ranges::min_element(page_->suspects, {},
                                         [](const Suspect& each) { return each.at == 0 ? 0 : each.turn; });
    *suspect = {at, work.whose, 0, 0};
  }
  ++suspect->times;
  suspect->turn = ++page_->turns;
  last_fall_ = {work, static_cast<std::uint32_t>(suspect->times)};
  page_->at.store(0, std::memory_order_relaxed);
}

WorkNote::Suspect* WorkNote::find(const Work& work) {
  const auto at = packed(work);
  const auto found = std::ranges::find_if(
      page_->suspects, [&](const Suspect& each) { return each.at == at && each.whose == work.whose; });
  return found == page_->suspects.end() ? nullptr : &*found;
}

bool WorkNote::is_given_up(const Work& work) {
  Suspect* suspect = find(work);
  if (suspect == nullptr) return false;
  if (suspect->times >= kFallsMax) return true;
  got_through_ = suspect;
  return false;
}

void WorkNote::wipe_suspect() {
  wipe(*got_through_);
  got_through_ = nullptr;
}

void WorkNote::wipe(Suspect& suspect) {
  suspect = {};
  gather_bits();
}

std::vector<Work> WorkNote::given_up() const {
  std::vector<Work> all;
  for (const Suspect& each : page_->suspects) {
    if (each.at != 0 && each.times >= kFallsMax) all.push_back(unpacked(each.at, each.whose));
  }
  return all;
}

void WorkNote::forget(const Work& work) {
  if (suspected_ == 0) return;
  if (Suspect* suspect = find(work)) wipe(*suspect);
}

}  // namespace carehub::core
