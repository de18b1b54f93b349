#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/ids.hpp"

namespace carehub::core {

/// What the hub does to an event. `fold`: an entry, as the state is brought up to the ledger's head. `offer`:
/// an event of the past is looked at for one subscription. `deliver`: it is read back, redacted and sent.
/// `admit`: a message is decided, filed, offered and redacted; it has no sequence yet.
enum class Step : std::uint8_t { none, fold, offer, deliver, admit };

/// One piece of work. `whose`: which subscription, or which message; 0 where the sequence says it all.
struct Work {
  Step step = Step::none;
  Sequence sequence = 0;
  std::uint64_t whose = 0;
  bool operator==(const Work&) const = default;
};

/// A name as `whose`; the same in every run.
std::uint64_t hash_of_name(std::string_view name);
/// A message by its parts as `whose`. Who does not know the secret cannot tell the message by it; nobody must
/// be able to choose one that has the hash of another, so keep both to oneself.
std::uint64_t hash_of_parts(std::uint64_t secret, std::initializer_list<BytesView> parts);

/// What the hub is at, noted before each piece of work and wiped after it, in memory that outlives the
/// process. So the next run knows over what the last one fell, or was killed. What it has fallen over three
/// times without ever getting through in between is not begun again: it is gone round. For one thread at a
/// time.
class WorkNote {
 public:
  static constexpr std::size_t kBytes = 4096;
  static constexpr std::uint32_t kFallsMax = 3;

  /// While it lives, the work is under way. False: it must not be begun, go round it.
  class [[nodiscard]] UnderWay {
   public:
    explicit operator bool() const { return note_ != nullptr; }
    ~UnderWay() {
      if (note_ != nullptr) note_->end();
    }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;

   private:
    friend class WorkNote;
    explicit UnderWay(WorkNote* note) : note_(note) {}
    WorkNote* note_;
  };

  /// A note in memory of its own, which nobody sees again.
  WorkNote();
  /// `memory`: kBytes of it, which the caller keeps; zeros, or what an earlier run has left. Anything else is
  /// taken for zeros. What that run was at is counted.
  explicit WorkNote(std::span<std::byte> memory);

  UnderWay begin(const Work& work) {
    if ((suspected_ & bit(work)) != 0 && is_given_up(work)) [[unlikely]]
      return UnderWay(nullptr);
    page_->whose.store(work.whose, std::memory_order_relaxed);
    page_->at.store(packed(work), std::memory_order_relaxed);
    // The process may end at any instruction behind this one, and its memory is then as it was there.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return UnderWay(this);
  }

  /// What the last run was at when it ended, and how often that has been.
  struct Fall {
    Work work;
    std::uint32_t times = 0;
  };
  const std::optional<Fall>& last_fall() const { return last_fall_; }
  /// What is not begun any more.
  std::vector<Work> given_up() const;
  /// It may be begun once more.
  void forget(const Work& work);

 private:
  static constexpr std::size_t kSuspects = 64;
  struct Suspect {
    std::uint64_t at = 0;  // 0: none
    std::uint64_t whose = 0;
    std::uint64_t times = 0;
    std::uint64_t turn = 0;  // the larger the newer
  };
  struct Page {
    std::uint64_t form = 0;
    std::atomic<std::uint64_t> at{0};
    std::atomic<std::uint64_t> whose{0};
    std::uint64_t turns = 0;
    std::array<Suspect, kSuspects> suspects{};
  };
  static_assert(sizeof(Page) <= kBytes);

  static std::uint64_t packed(const Work& work) {
    return (std::uint64_t{static_cast<std::uint8_t>(work.step)} << 56U) | work.sequence;
  }
  static Work unpacked(std::uint64_t at, std::uint64_t whose);
  /// Most work has another one than what is suspected, and is not looked up.
  static std::uint64_t bit(const Work& work) {
    return std::uint64_t{1} << ((work.sequence ^ work.whose) & 63U);
  }
  void end() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    page_->at.store(0, std::memory_order_relaxed);
    if (got_through_ != nullptr) [[unlikely]]
      wipe_suspect();
  }
  Suspect* find(const Work& work);
  bool is_given_up(const Work& work);
  void wipe_suspect();
  void wipe(Suspect& suspect);
  void count_last();
  void gather_bits();

  std::unique_ptr<Page> own_;
  Page* page_;
  std::uint64_t suspected_ = 0;     // the bits of all suspects
  Suspect* got_through_ = nullptr;  // the one that is under way
  std::optional<Fall> last_fall_;
};

}  // namespace carehub::core
