#pragma once

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

namespace carehub::fakes {

/// What is logged while this lives, in place of where it went before. To be made before the threads that log,
/// and to outlive them.
class CapturedLog {
 public:
  CapturedLog() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink_));
  }
  ~CapturedLog() { spdlog::set_default_logger(before_); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::string text() const { return sink_->text(); }
  bool has(const std::string& words) const { return text().find(words) != std::string::npos; }
  /// How many lines hold these words.
  std::size_t lines_with(const std::string& words) const {
    const std::string all = text();
    std::size_t count = 0;
    for (std::size_t at = all.find(words); at != std::string::npos;) {
      ++count;
      const std::size_t end = all.find('\n', at);
      at = end == std::string::npos ? end : all.find(words, end + 1);
    }
    return count;
  }

 private:
  class Sink final : public spdlog::sinks::base_sink<std::mutex> {
   public:
    std::string text() {
      const std::lock_guard lock(mutex_);
      return text_;
    }

   private:
    void sink_it_(const spdlog::details::log_msg& message) override {
      spdlog::memory_buf_t line;
      formatter_->format(message, line);
      text_.append(line.data(), line.size());
    }
    void flush_() override {}

    std::string text_;
  };

  std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace carehub::fakes
