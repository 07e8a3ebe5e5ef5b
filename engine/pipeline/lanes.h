// Hands out items so that two which share an order key are never out at once and keep the order
// they were added in. Used for the work of a channel and for the deliveries of a destination. Not
// thread-safe: its owner locks.
//
// Urgent items go before others, but never before an earlier one of their keys: so whatever stands
// before an urgent item in a lane is urgent with it.
#pragma once

#include <algorithm>
#include <cassert>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/store/record.h"

namespace cannula::pipeline {

template <class Item>
class Lanes {
 public:
  class Entry {
   public:
    Item item;
    const store::OrderKeys& keys() const { return keys_; }

   private:
    friend class Lanes;
    enum class Place { waiting, ready, out };
    Entry(Item&& what, store::OrderKeys&& keys) : item(std::move(what)), keys_(std::move(keys)) {}
    store::OrderKeys keys_;
    Place place_ = Place::waiting;
    bool passes_holds_ = false;
    bool urgent_ = false;
    std::size_t held_keys_ = 0;  // of its keys, those that are held
  };

  // At the end of the lanes of its keys. `urgent` items are handed out before others, but not
  // before earlier ones of a key.
  void add(Item item, store::OrderKeys keys, bool urgent = false) {
    insert(std::move(item), std::move(keys), urgent, false);
  }
  // Before what waits in its lanes, behind what was added so before, and in spite of holds on them:
  // what a person puts back to work.
  void add_first(Item item, store::OrderKeys keys, bool urgent = false) {
    insert(std::move(item), std::move(keys), urgent, true);
  }

  // The next item that may go, or null. It is out until release() or put_back().
  Entry* next(bool urgent_only = false) {
    while (true) {
      std::deque<Entry*>& queue = urgent_.empty() && !urgent_only ? ready_ : urgent_;
      if (queue.empty()) return nullptr;
      Entry* entry = queue.front();
      queue.pop_front();
      if (blocked(*entry)) {  // a hold was set since it became ready
        entry->place_ = Entry::Place::waiting;
        continue;
      }
      move_to(entry, Entry::Place::out);
      return entry;
    }
  }

  // The same, but of the urgent ones that may go, or where there is none of the others, the first
  // one of the least `rank(item)`: a look at each.
  template <class Rank>
  Entry* next_by(Rank rank, bool urgent_only = false) {
    Entry* entry = least_of(urgent_, rank);
    if (!entry && !urgent_only) entry = least_of(ready_, rank);
    if (entry) move_to(entry, Entry::Place::out);
    return entry;
  }

  // It is done with: the next ones of its keys may go.
  void release(Entry* entry) {
    assert(entry->place_ == Entry::Place::out);
    for (std::uint64_t key : entry->keys_) {
      auto lane = lanes_.find(key);
      auto& entries = lane->second.entries;
      entries.erase(std::find(entries.begin(), entries.end(), entry));
      settle(lane);
    }
    entries_.erase(entry);
  }

  // It keeps its place and may be handed out again.
  void put_back(Entry* entry) {
    assert(entry->place_ == Entry::Place::out);
    move_to(entry, Entry::Place::waiting);
    wake(entry);
  }

  // While a key is held, nothing of it is handed out. Holds are counted.
  void hold(const store::OrderKeys& keys) {
    for (std::uint64_t key : keys) {
      Lane& lane = lanes_[key];
      if (++lane.holds > 1) continue;
      if (lane.waiting > 0) ++keys_held_back_;
      for (Entry* entry : lane.entries) {
        if (++entry->held_keys_ == 1 && waits(*entry)) ++held_back_;
      }
    }
  }
  void unhold(const store::OrderKeys& keys) {
    for (std::uint64_t key : keys) {
      auto lane = lanes_.find(key);
      if (lane == lanes_.end() || lane->second.holds == 0) continue;
      if (--lane->second.holds == 0) {
        if (lane->second.waiting > 0) --keys_held_back_;
        for (Entry* entry : lane->second.entries) {
          if (--entry->held_keys_ == 0 && waits(*entry)) --held_back_;
        }
      }
      settle(lane);
    }
  }
  bool held(const store::OrderKeys& keys) const {
    return std::any_of(keys.begin(), keys.end(), [this](std::uint64_t key) {
      auto lane = lanes_.find(key);
      return lane != lanes_.end() && lane->second.holds > 0;
    });
  }

  // What waits behind holds, and the keys that have such behind them. Kept as things change, so
  // that asking costs nothing.
  std::size_t held_back() const { return held_back_; }
  std::size_t keys_held_back() const { return keys_held_back_; }
  // Of these keys; what has two of them counts twice.
  std::size_t held_back_of(const store::OrderKeys& keys) const {
    std::size_t count = 0;
    for (std::uint64_t key : keys) {
      auto lane = lanes_.find(key);
      if (lane != lanes_.end() && lane->second.holds > 0) count += lane->second.waiting;
    }
    return count;
  }

  // Removes the items that `unwanted` names, except those that are out. Returns how many.
  template <class Predicate>
  std::size_t remove_if(Predicate unwanted) {
    std::vector<Entry*> found;
    for (auto& [entry, owned] : entries_) {
      if (entry->place_ != Entry::Place::out && unwanted(entry->item)) found.push_back(entry);
    }
    for (Entry* entry : found) {
      std::erase(ready_, entry);
      std::erase(urgent_, entry);
      move_to(entry, Entry::Place::out);
      release(entry);
    }
    return found.size();
  }

  // Those that were handed out by next() and neither released nor put back.
  template <class Visitor>
  void each_out(Visitor visit) const {
    for (const auto& [entry, owned] : entries_) {
      if (entry->place_ == Entry::Place::out) visit(entry->item);
    }
  }

  bool has_ready(bool urgent_only = false) const {
    return !urgent_.empty() || (!urgent_only && !ready_.empty());
  }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

 private:
  struct Lane {
    std::deque<Entry*> entries;
    std::uint32_t holds = 0;
    std::size_t waiting = 0;  // of the entries, those that waits() names
  };
  using LaneIterator = typename std::unordered_map<std::uint64_t, Lane>::iterator;

  // Taken from the queue; null where none of it may go.
  template <class Rank>
  Entry* least_of(std::deque<Entry*>& queue, Rank rank) {
    auto best = queue.end();
    for (auto at = queue.begin(); at != queue.end(); ++at) {
      if (blocked(**at)) continue;
      if (best == queue.end() || rank((*at)->item) < rank((*best)->item)) best = at;
    }
    if (best == queue.end()) return nullptr;
    Entry* entry = *best;
    queue.erase(best);
    return entry;
  }

  void insert(Item&& item, store::OrderKeys&& keys, bool urgent, bool first) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    auto owned = std::unique_ptr<Entry>(new Entry(std::move(item), std::move(keys)));
    Entry* entry = owned.get();
    entry->urgent_ = urgent;
    entry->passes_holds_ = first;
    entries_.emplace(entry, std::move(owned));
    for (std::uint64_t key : entry->keys_) {
      auto& lane = lanes_[key].entries;
      if (first) {  // behind what is out already, which cannot be overtaken any more
        auto place = lane.begin();
        while (place != lane.end() &&
               ((*place)->place_ == Entry::Place::out || (*place)->passes_holds_)) {
          ++place;
        }
        lane.insert(place, entry);
      } else {
        lane.push_back(entry);
      }
    }
    for (std::uint64_t key : entry->keys_) {
      if (lanes_.find(key)->second.holds > 0) ++entry->held_keys_;
    }
    if (waits(*entry)) count_waiting(*entry, 1);
    if (urgent) hurry_what_is_before(entry);
    wake(entry);
  }

  // Whether it would be let go by a hold that ends, if one is on its keys.
  static bool waits(const Entry& entry) {
    return entry.place_ != Entry::Place::out && !entry.passes_holds_;
  }

  void move_to(Entry* entry, typename Entry::Place place) {
    const bool waited = waits(*entry);
    entry->place_ = place;
    if (waits(*entry) != waited) count_waiting(*entry, waited ? -1 : 1);
  }

  void count_waiting(const Entry& entry, int change) {
    if (entry.held_keys_ > 0) held_back_ += static_cast<std::size_t>(change);
    for (std::uint64_t key : entry.keys_) {
      Lane& lane = lanes_.find(key)->second;
      const bool before = lane.waiting > 0;
      lane.waiting += static_cast<std::size_t>(change);
      if (lane.holds == 0 || before == (lane.waiting > 0)) continue;
      keys_held_back_ += static_cast<std::size_t>(before ? -1 : 1);
    }
  }

  void hurry_what_is_before(Entry* urgent) {
    std::vector<Entry*> still_to_do{urgent};
    while (!still_to_do.empty()) {
      Entry* behind = still_to_do.back();
      still_to_do.pop_back();
      for (std::uint64_t key : behind->keys_) {
        const auto& lane = lanes_.find(key)->second.entries;
        auto place = std::find(lane.rbegin(), lane.rend(), behind);
        for (++place; place != lane.rend() && !(*place)->urgent_; ++place) {
          hurry(*place);
          still_to_do.push_back(*place);
        }
      }
    }
  }

  void hurry(Entry* entry) {
    entry->urgent_ = true;
    if (entry->place_ != Entry::Place::ready) return;
    std::erase(ready_, entry);
    urgent_.push_back(entry);
  }

  bool blocked(const Entry& entry) const {
    return std::any_of(entry.keys_.begin(), entry.keys_.end(), [&](std::uint64_t key) {
      const Lane& lane = lanes_.find(key)->second;
      return lane.entries.front() != &entry || (lane.holds > 0 && !entry.passes_holds_);
    });
  }

  void wake(Entry* entry) {
    if (entry->place_ != Entry::Place::waiting || blocked(*entry)) return;
    entry->place_ = Entry::Place::ready;
    (entry->urgent_ ? urgent_ : ready_).push_back(entry);
  }

  void settle(LaneIterator lane) {
    if (!lane->second.entries.empty()) {
      wake(lane->second.entries.front());
    } else if (lane->second.holds == 0) {
      lanes_.erase(lane);
    }
  }

  std::unordered_map<Entry*, std::unique_ptr<Entry>> entries_;
  std::unordered_map<std::uint64_t, Lane> lanes_;
  std::deque<Entry*> ready_;
  std::deque<Entry*> urgent_;
  std::size_t held_back_ = 0;
  std::size_t keys_held_back_ = 0;
};

}  // namespace cannula::pipeline
