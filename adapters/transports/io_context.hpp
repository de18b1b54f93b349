#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "adapters/transports/io_thread.hpp"

/// What is behind IoThread, for the sources of this folder that open sockets.
namespace carehub::adapters {

struct IoThread::Impl {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work =
      boost::asio::make_work_guard(context);
  std::thread thread;
};

}  // namespace carehub::adapters
