// File calls off the executor: a network share that hangs must not stop the connections that the
// same thread serves.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cannula::file {

// One thread. Destroying it waits for the call under way.
class Background {
 public:
  explicit Background(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  ~Background() { join(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Calls `work` on the thread and returns what it gives on the executor. Not to be called with a
  // closure within a coroutine, but from a function that returns the awaitable: g++ 12 destroys a
  // temporary closure in a co_await expression twice.
  template <class Work>
  boost::asio::awaitable<std::invoke_result_t<Work>> run(Work work) {
    using Value = std::invoke_result_t<Work>;
    auto outcome = std::make_shared<Outcome<Value>>(executor_);
    boost::asio::post(thread_, [work = std::move(work), outcome, executor = executor_]() mutable {
      try {
        outcome->value.emplace(work());
      } catch (...) {
        outcome->failure = std::current_exception();
      }
      // Moved, so that nothing is destroyed on this thread: what `work` holds could own it.
      boost::asio::post(executor, [work = std::move(work), outcome = std::move(outcome)] {
        outcome->settled = true;
        outcome->done.cancel();
      });
    });
    return wait_for(std::move(outcome));
  }

  // Waits for the call under way; none can be made afterwards.
  void join() { thread_.join(); }

 private:
  template <class Value>
  struct Outcome {
    explicit Outcome(const boost::asio::any_io_executor& executor)
        : done(executor, boost::asio::steady_timer::time_point::max()) {}
    boost::asio::steady_timer done;
    std::optional<Value> value;
    std::exception_ptr failure;
    bool settled = false;  // on the executor, where the other two may be looked at then
  };

  template <class Value>
  static boost::asio::awaitable<Value> wait_for(std::shared_ptr<Outcome<Value>> outcome) {
    // It may have ended before this began to wait.
    while (!outcome->settled) {
      co_await outcome->done.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    if (outcome->failure) std::rethrow_exception(outcome->failure);
    co_return *std::move(outcome->value);
  }

  boost::asio::any_io_executor executor_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace cannula::file
