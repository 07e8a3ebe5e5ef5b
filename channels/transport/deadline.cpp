#include "channels/transport/deadline.h"

#include <algorithm>
#include <utility>

namespace cannula {

Deadlines::Deadlines(const boost::asio::any_io_executor& executor, std::function<void()> expire)
    : state_(std::make_shared<State>(executor, std::move(expire))) {}

void Deadlines::arm(Direction direction, std::chrono::milliseconds timeout) {
  if (timeout.count() <= 0) return disarm(direction);
  const Clock::time_point due = Clock::now() + timeout;
  state_->due[direction] = due;
  if (due < state_->next_look) look_at(state_, due);
}

void Deadlines::disarm(Direction direction) {
  state_->due[direction] = Clock::time_point::max();
}

bool Deadlines::expired() const {
  return state_->expired;
}

void Deadlines::look_at(const std::shared_ptr<State>& state, Clock::time_point when) {
  state->next_look = when;
  state->timer.expires_at(when);
  state->timer.async_wait([weak = std::weak_ptr<State>(state)](boost::system::error_code failure) {
    const std::shared_ptr<State> self = weak.lock();
    if (failure || !self || self->expired) return;
    const Clock::time_point due = std::min(self->due[reading], self->due[writing]);
    if (due <= Clock::now()) {
      self->expired = true;
      self->expire();
    } else if (due != Clock::time_point::max()) {
      look_at(self, due);
    } else {
      self->next_look = Clock::time_point::max();
    }
  });
}

}  // namespace cannula
