#include "engine/pipeline/io_threads.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <pthread.h>

namespace cannula::pipeline {
namespace asio = boost::asio;

struct IoThreads::Thread {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread;
};

IoThreads::IoThreads(std::size_t count) {
  for (std::size_t i = 0; i < std::max<std::size_t>(1, count); ++i) {
    auto thread = std::make_unique<Thread>();
    thread->thread = std::thread([context = &thread->context, number = i + 1] {
      ::pthread_setname_np(::pthread_self(), fmt::format("io {}", number).c_str());
      context->run();
    });
    threads_.push_back(std::move(thread));
  }
}

IoThreads::~IoThreads() {
  stop();
}

asio::any_io_executor IoThreads::next() {
  return threads_[next_++ % threads_.size()]->context.get_executor();
}

void IoThreads::stop() {
  for (auto& thread : threads_) {
    thread->work.reset();
    thread->context.stop();
  }
  for (auto& thread : threads_) {
    if (thread->thread.joinable()) thread->thread.join();
  }
}

}  // namespace cannula::pipeline
