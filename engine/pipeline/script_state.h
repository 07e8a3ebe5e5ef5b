// The durable `state` of a channel's script, shared by the workers that run it.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/record.h"

namespace cannula::pipeline {

// Thread-safe. Holds what has been committed or is on its way to the disk in the order of the
// journal.
class ScriptState {
 public:
  std::optional<std::string> get(const std::string& key) const {
    std::scoped_lock lock(mutex_);
    auto found = values_.find(key);
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }
  void apply(const std::vector<store::StateWrite>& writes) {
    std::scoped_lock lock(mutex_);
    for (const auto& write : writes) {
      if (write.value) {
        values_[write.key] = *write.value;
      } else {
        values_.erase(write.key);
      }
    }
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> values_;
};

}  // namespace cannula::pipeline
