#include "adapters/transports/io_thread.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>

#include "adapters/transports/io_context.hpp"

namespace carehub::adapters {

IoThread::IoThread() : impl_(std::make_unique<Impl>()) {
  impl_->thread = std::thread([this] { impl_->context.run(); });
}

IoThread::~IoThread() {
  impl_->work.reset();
  impl_->context.stop();
  impl_->thread.join();
}

void IoThread::post(std::function<void()> work) { boost::asio::post(impl_->context, std::move(work)); }

void IoThread::post_after(std::uint32_t delay_ms, std::function<void()> work) {
  boost::asio::post(impl_->context, [this, delay_ms, work = std::move(work)]() mutable {
    auto timer =
        std::make_shared<boost::asio::steady_timer>(impl_->context, std::chrono::milliseconds(delay_ms));
    timer->async_wait([timer, work = std::move(work)](boost::system::error_code error) {
      if (!error) work();
    });
  });
}

void IoThread::run(const std::function<void()>& work) {
  if (inside()) {
    std::fputs("IoThread::run called on its own thread: it would wait for itself for ever\n", stderr);
    std::abort();
  }
  std::promise<void> done;
  boost::asio::post(impl_->context, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

bool IoThread::inside() const { return impl_->thread.get_id() == std::this_thread::get_id(); }

}  // namespace carehub::adapters
