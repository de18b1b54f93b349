#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

namespace carehub::fakes {

/// Values that another thread gives. Copies share them, so a late giver finds them still there.
template <class T>
class Awaited {
 public:
  void give(T value) const {
    const std::lock_guard lock(shared_->mutex);
    shared_->values.push_back(std::move(value));
    shared_->given.notify_all();
  }
  /// The value number `index`; throws when it does not come within two minutes.
  T get(std::size_t index = 0) const {
    std::unique_lock lock(shared_->mutex);
    if (!shared_->given.wait_for(lock, std::chrono::minutes(2),
                                 [&] { return shared_->values.size() > index; })) {
      throw std::runtime_error("nothing came within two minutes");
    }
    return shared_->values[index];
  }
  std::size_t count() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->values.size();
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable given;
    std::vector<T> values;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

/// A callback that gives its argument.
template <class T>
std::function<void(T)> into(const Awaited<T>& awaited) {
  return [awaited](T value) { awaited.give(std::move(value)); };
}

}  // namespace carehub::fakes
