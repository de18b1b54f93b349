#include "adapters/transports/send_queue.hpp"

#include "broker/base/limits.hpp"

namespace carehub::adapters {

void SendQueue::start(std::function<void()> write_all) { thread_ = std::thread(std::move(write_all)); }

void SendQueue::send(Rendered message, std::function<void(SendResult)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && jobs_.size() < limits::kCreditMax) {
      jobs_.push_back({std::move(message), std::move(done)});
      wake_.notify_one();
      return;
    }
  }
  done({ledger::NakKind::unavailable, "stopping", 0});
}

std::vector<SendQueue::Job> SendQueue::take(std::size_t bytes_max) {
  std::vector<Job> taken;
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
  std::size_t bytes = 0;
  while (!stopping_ && !jobs_.empty() &&
         (taken.empty() || bytes + jobs_.front().message.bytes.size() <= bytes_max)) {
    bytes += jobs_.front().message.bytes.size();
    taken.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
  }
  return taken;
}

void SendQueue::stop() {
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(jobs_);
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  for (const Job& job : left) job.done({ledger::NakKind::unavailable, "stopping", 0});
}

}  // namespace carehub::adapters
