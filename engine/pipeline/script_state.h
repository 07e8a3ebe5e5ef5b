// The durable `state` of a channel's script, shared by the workers that run it.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/record.h"

namespace cannula::pipeline {

// Thread-safe. Scripts see what was written last, also while it is on its way to the disk. Once
// nothing is, they see what the journal says, which is what a restart would read: writes that
// another order reached the disk in than they were made in end as they stand there.
class ScriptState {
 public:
  std::optional<std::string> get(const std::string& key) const {
    std::scoped_lock lock(mutex_);
    auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : found->second.seen;
  }

  // What an earlier run left.
  void restore(const std::vector<store::StateWrite>& writes) {
    std::scoped_lock lock(mutex_);
    for (const auto& write : writes) {
      if (write.value) values_[write.key] = {write.value, write.value, 0};
      if (!write.value) values_.erase(write.key);
    }
  }

  // `submit` hands the writes to the store. No other writes come between, so that the order in
  // memory is that of the journal unless the disk fails.
  template <class Submit>
  void write(const std::vector<store::StateWrite>& writes, Submit submit) {
    if (writes.empty()) return submit();
    std::scoped_lock order(order_);
    {
      std::scoped_lock lock(mutex_);
      for (const auto& write : writes) {
        Value& value = values_[write.key];
        value.seen = write.value;
        ++value.on_their_way;
      }
    }
    submit();
  }

  // They are on disk; called in the order of the journal.
  void committed(const std::vector<store::StateWrite>& writes) {
    std::scoped_lock lock(mutex_);
    for (const auto& write : writes) {
      const auto found = values_.find(write.key);
      if (found == values_.end()) continue;
      found->second.on_record = write.value;
      arrived(found);
    }
  }
  // They will not come to the disk after all.
  void dropped(const std::vector<store::StateWrite>& writes) {
    std::scoped_lock lock(mutex_);
    for (const auto& write : writes) {
      const auto found = values_.find(write.key);
      if (found != values_.end()) arrived(found);
    }
  }

 private:
  struct Value {
    std::optional<std::string> seen;
    std::optional<std::string> on_record;
    std::size_t on_their_way = 0;  // writes of it
  };
  using Values = std::map<std::string, Value>;

  void arrived(Values::iterator place) {
    Value& value = place->second;
    if (--value.on_their_way > 0) return;
    value.seen = value.on_record;
    if (!value.seen) values_.erase(place);
  }

  std::mutex order_;
  mutable std::mutex mutex_;
  Values values_;
};

}  // namespace cannula::pipeline
