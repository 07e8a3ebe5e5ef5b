// File calls off the executor: a network share that hangs must not stop the connections that the
// same thread serves.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cannula::file {

// One thread. All members are called on the executor. Destroying it waits for the call under way,
// unless that was abandoned.
class Background {
 public:
  // What run() throws when finish() has not waited for its call.
  struct Abandoned : std::runtime_error {
    Abandoned() : std::runtime_error("the file system did not answer") {}
  };

  explicit Background(const boost::asio::any_io_executor& executor)
      : way_(std::make_shared<Way>(executor)), calls_(std::make_shared<Calls>(executor)) {}
  ~Background() { join(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Calls `work` on the thread and returns what it gives on the executor. Not to be called with a
  // closure within a coroutine, but from a function that returns the awaitable: g++ 12 destroys a
  // temporary closure in a co_await expression twice.
  template <class Work>
  boost::asio::awaitable<std::invoke_result_t<Work>> run(Work work) {
    using Value = std::invoke_result_t<Work>;
    auto outcome = std::make_shared<Outcome<Value>>(calls_);
    boost::asio::post(
        *thread_, [work = std::move(work), waiting = std::weak_ptr(outcome), way = way_]() mutable {
          std::optional<Value> value;
          std::exception_ptr failure;
          try {
            value.emplace(work());
          } catch (...) {
            failure = std::current_exception();
          }
          // `work` goes too, so that it is not destroyed on this thread: what it holds could own
          // it.
          way->send([work = std::move(work), waiting = std::move(waiting), value = std::move(value),
                     failure]() mutable {
            const auto waited_for = waiting.lock();
            if (!waited_for) return;
            waited_for->value = std::move(value);
            waited_for->settle(failure);
          });
        });
    return wait_for(std::move(outcome));
  }

  // Waits for the calls that were made, for at most `grace`. Those that hang longer are abandoned,
  // and no call can be made afterwards: the thread is left to itself with what they hold. False
  // when that was so.
  boost::asio::awaitable<bool> finish(std::chrono::milliseconds grace) {
    if (!calls_->waiting.empty()) {
      calls_->all_settled.expires_after(grace);
      co_await calls_->all_settled.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    if (calls_->waiting.empty()) co_return true;
    way_->close();
    static_cast<void>(thread_.release());  // cannot be interrupted
    for (Call* call : std::exchange(calls_->waiting, {})) {
      call->settle(std::make_exception_ptr(Abandoned()));
    }
    co_return false;
  }

  // Waits for the call under way; none can be made afterwards.
  void join() {
    if (thread_) thread_->join();
  }

 private:
  // From the thread to the executor, which a call that was abandoned can outlive.
  class Way {
   public:
    explicit Way(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
    template <class Handler>
    void send(Handler handler) {
      const std::scoped_lock guard(lock_);
      if (executor_) boost::asio::post(*executor_, std::move(handler));
    }
    void close() {
      const std::scoped_lock guard(lock_);
      executor_.reset();
    }

   private:
    std::mutex lock_;
    std::optional<boost::asio::any_io_executor> executor_;
  };

  struct Call;
  struct Calls {
    explicit Calls(const boost::asio::any_io_executor& executor) : all_settled(executor) {}
    std::unordered_set<Call*> waiting;
    boost::asio::steady_timer all_settled;  // cancelled when `waiting` becomes empty
  };
  struct Call {
    explicit Call(std::shared_ptr<Calls> among)
        : calls(std::move(among)),
          done(calls->all_settled.get_executor(), boost::asio::steady_timer::time_point::max()) {
      calls->waiting.insert(this);
    }
    ~Call() { leave(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    void settle(std::exception_ptr with) {
      leave();
      failure = std::move(with);
      settled = true;
      done.cancel();
    }
    void leave() {
      if (calls->waiting.erase(this) > 0 && calls->waiting.empty()) calls->all_settled.cancel();
    }

    std::shared_ptr<Calls> calls;
    boost::asio::steady_timer done;
    std::exception_ptr failure;
    bool settled = false;
  };
  template <class Value>
  struct Outcome : Call {
    using Call::Call;
    std::optional<Value> value;
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

  std::shared_ptr<Way> way_;
  std::shared_ptr<Calls> calls_;
  std::unique_ptr<boost::asio::thread_pool> thread_ = std::make_unique<boost::asio::thread_pool>(1);
};

}  // namespace cannula::file
