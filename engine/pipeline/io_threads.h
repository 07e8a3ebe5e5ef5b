// The threads that serve sockets and timers. Each has an io_context of its own, so what lives on
// one needs no locks.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

namespace cannula::pipeline {

class IoThreads {
 public:
  explicit IoThreads(std::size_t count);
  ~IoThreads();

  // The threads in turn. Thread-safe.
  boost::asio::any_io_executor next();
  std::size_t size() const { return threads_.size(); }
  // Ends when nothing is left to do; what still waits is dropped.
  void stop();

 private:
  struct Thread;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::atomic<std::size_t> next_{0};
};

}  // namespace cannula::pipeline
