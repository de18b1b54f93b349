#pragma once

#include <map>

#include "broker/client/hub_client.hpp"

namespace carehub::client {

/// Questions that are not answered yet. They do not survive a loss: the asker hears `unavailable` and asks
/// again. For one thread.
class Questions {
 public:
  using Done = std::function<void(Result<Reply>)>;

  void add(Question question, Done done, std::int64_t now_ms);

  /// Frames of questions that were not sent yet.
  void take_frames(std::vector<Bytes>& out);

  void page(const wire::Page& frame);
  void replayed(const wire::Replayed& frame, std::int64_t now_ms);
  void handled(const wire::Handled& frame);
  void erased(const wire::Erased& frame);
  /// Of a backup, or how far the search of an erasure is.
  void backed_up(const wire::BackedUp& frame, std::int64_t now_ms);

  /// False when no question has this number.
  bool rejected(std::uint64_t number, const Error& error);

  /// The connection is gone, or nothing came for too long.
  void fail_sent(const Error& error);
  void fail_late(std::int64_t now_ms);
  void fail_all(const Error& error);

  bool empty() const { return all_.empty(); }

 private:
  struct One {
    Question question;
    Done done;
    bool sent = false;
    std::int64_t heard_ms = 0;
  };
  void finish(std::uint64_t number, Result<Reply> reply);

  std::map<std::uint64_t, One> all_;
  std::uint64_t next_number_ = 1ULL << 62U;  // apart from the numbers of publications
};

}  // namespace carehub::client
