#include "adapters/console/password_worker.hpp"

#include "adapters/console/accounts.hpp"

namespace carehub::adapters {

PasswordWorker::PasswordWorker() : thread_([this] { run(); }) {}

PasswordWorker::~PasswordWorker() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool PasswordWorker::compare(std::string hash, SecretText password, std::function<void(bool right)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (over_ || waiting_.size() >= kWaitingMax) return false;
    waiting_.push_back({std::move(hash), std::move(password), std::move(done)});
  }
  changed_.notify_one();
  return true;
}

void PasswordWorker::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
    if (over_) return;
    Work work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const bool right = is_password(work.hash, work.password.view());
    wipe(work.hash);
    work.done(right);
    work = {};
    lock.lock();
  }
}

}  // namespace carehub::adapters
