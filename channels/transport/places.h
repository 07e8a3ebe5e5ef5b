// The places of a listener. Where there are no more, the connection that has waited longest for
// nothing gives up its own, so that those that only sit there cannot shut out those that work.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace cannula {

// On one executor. Outlives its places.
class Places {
 public:
  using Clock = std::chrono::steady_clock;

  struct Limits {
    std::size_t all = 0;
    std::size_t of_one_address = 0;  // zero: no limit of its own
  };

  // A connection, as its place sees it.
  class Holder {
   public:
    // Since when it holds its place for nothing; nothing while it is at work.
    virtual std::optional<Clock::time_point> waiting_since() const = 0;
    // It has lost its place: to be closed at once.
    virtual void evict() = 0;

   protected:
    ~Holder() = default;
  };

  // Held from construction until it is left, taken away or destroyed. The holder outlives it.
  class Place {
   public:
    Place(Places& places, std::string address, Holder& holder);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool held() const { return held_; }
    const std::string& address() const { return address_; }

   private:
    friend class Places;
    void leave();

    Places& places_;
    const std::string address_;
    Holder& holder_;
    bool held_ = true;
  };

  enum class Room { free, made, none };
  struct Verdict {
    Room room = Room::free;
    bool of_one_address = false;  // what is full: the places of this address, or all
    std::size_t taken = 0;        // of what is full, before room was made
  };
  // A place for one more connection from `address`.
  Verdict make_room(const std::string& address, const Limits& limits);

 private:
  std::unordered_set<Place*> held_;
  std::unordered_map<std::string, std::size_t> from_address_;
  std::size_t leaving_ = 0;  // taken away, and not yet destroyed
};

}  // namespace cannula
