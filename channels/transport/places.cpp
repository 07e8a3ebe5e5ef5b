#include "channels/transport/places.h"

#include <utility>

namespace cannula {

Places::Place::Place(Places& places, std::string address, Holder& holder)
    : places_(places), address_(std::move(address)), holder_(holder) {
  places_.held_.insert(this);
  ++places_.from_address_[address_];
}

Places::Place::~Place() {
  if (held_) {
    leave();
  } else {
    --places_.leaving_;
  }
}

void Places::Place::leave() {
  held_ = false;
  places_.held_.erase(this);
  const auto same = places_.from_address_.find(address_);
  if (--same->second == 0) places_.from_address_.erase(same);
}

Places::Verdict Places::make_room(const std::string& address, const Limits& limits) {
  const auto same = from_address_.find(address);
  const std::size_t of_same = same != from_address_.end() ? same->second : 0;
  Verdict verdict;
  verdict.of_one_address = limits.of_one_address > 0 && of_same >= limits.of_one_address;
  verdict.taken = verdict.of_one_address ? of_same : held_.size();
  if (!verdict.of_one_address && held_.size() < limits.all) return verdict;
  verdict.room = Room::none;
  // What had come of a message when its place was taken away is kept, and may wait for the disk.
  if (leaving_ >= limits.all) return verdict;
  Place* longest = nullptr;
  std::optional<Clock::time_point> since;
  for (Place* place : held_) {
    if (verdict.of_one_address && place->address_ != address) continue;
    const auto waiting = place->holder_.waiting_since();
    if (!waiting || (since && *since <= *waiting)) continue;
    since = waiting;
    longest = place;
  }
  if (longest == nullptr) return verdict;
  longest->leave();
  ++leaving_;
  longest->holder_.evict();
  verdict.room = Room::made;
  return verdict;
}

}  // namespace cannula
