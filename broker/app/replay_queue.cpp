#include "broker/app/replay_queue.hpp"

namespace carehub::app {
namespace {

std::size_t size_of(const Result<client::Reply>& reply) {
  const auto* frame = reply ? std::get_if<wire::ReplayedT>(&*reply) : nullptr;
  if (frame == nullptr) return 0;
  std::size_t bytes = 0;
  for (const auto& delivery : frame->deliveries) bytes += sizeof(*delivery) + delivery->view.size();
  return bytes;
}

}  // namespace

void ReplayQueue::push(Result<client::Reply> reply) {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  bytes_ += size_of(reply);
  over_ = bytes_ > bytes_max_;
  if (over_) {
    replies_.push_back(fail(ErrorKind::overloaded,
                            "the output takes less than the hub sends: write to a file with --to, or give a "
                            "--rate of deliveries a minute"));
  } else {
    replies_.push_back(std::move(reply));
  }
  changed_.notify_one();
}

std::optional<Result<client::Reply>> ReplayQueue::pop(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, wait, [this] { return !replies_.empty(); })) return std::nullopt;
  auto reply = std::move(replies_.front());
  replies_.pop_front();
  bytes_ -= size_of(reply);
  return reply;
}

}  // namespace carehub::app
