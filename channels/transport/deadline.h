// Time-outs of one connection, at the cost of a look at the clock. Internal to the room.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace cannula {

// Calls `expire` once when an armed deadline has passed. There is one timer for both directions,
// and it is only ever set when it would fire too late: a deadline that moves on, as it does with
// every message, is looked at again when the timer fires. Lives on one executor. `expire` is not
// called after the Deadlines are gone.
class Deadlines {
 public:
  enum Direction : std::size_t { reading, writing };
  using Clock = std::chrono::steady_clock;

  Deadlines(const boost::asio::any_io_executor& executor, std::function<void()> expire);

  void arm(Direction direction, std::chrono::milliseconds timeout);  // zero: none
  void disarm(Direction direction);
  // Whether `expire` has been called: then every operation that failed did so for that reason.
  bool expired() const;

 private:
  struct State {
    State(const boost::asio::any_io_executor& executor, std::function<void()> when_due)
        : timer(executor), expire(std::move(when_due)) {}
    boost::asio::steady_timer timer;
    std::function<void()> expire;
    std::array<Clock::time_point, 2> due{Clock::time_point::max(), Clock::time_point::max()};
    Clock::time_point next_look = Clock::time_point::max();
    bool expired = false;
  };
  static void look_at(const std::shared_ptr<State>& state, Clock::time_point when);

  std::shared_ptr<State> state_;
};

}  // namespace cannula
