#pragma once

#include <string>
#include <vector>

namespace carehub::simulation {

/// The first promise that a run saw broken, and what led to it where that is asked for.
class Verdict {
 public:
  explicit Verdict(bool tells) : tells_(tells) {}

  void broken(std::string promise, std::string how) {
    if (failed()) return;
    promise_ = std::move(promise);
    how_ = std::move(how);
    tell("BROKEN: " + promise_ + ": " + how_);
  }
  bool failed() const { return !promise_.empty(); }
  const std::string& promise() const { return promise_; }
  const std::string& how() const { return how_; }

  bool tells() const { return tells_; }
  void tell(std::string line) {
    if (tells_) history_.push_back(std::move(line));
  }
  const std::vector<std::string>& history() const { return history_; }

 private:
  bool tells_;
  std::string promise_;
  std::string how_;
  std::vector<std::string> history_;
};

}  // namespace carehub::simulation
