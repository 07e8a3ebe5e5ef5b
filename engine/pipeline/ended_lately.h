// What ended without the queue having come to its place, by name: as long as the index has not
// followed, it shows that as waiting still, and whoever reads the queue from disk passes it over.
// Not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <utility>

#include "engine/store/store.h"

namespace cannula::pipeline {

template <class Name>
class EndedLately {
 public:
  // `end`: of the journal, once it is on record that it ended. Never less than at the last call.
  void add(const Name& name, store::Position end) {
    ends_[name] = end;
    in_order_.emplace_back(end, name);
  }

  // Whether what the index shows as waiting at this place of the queue has ended. What was put back
  // to work afterwards stands behind its end.
  bool contains(const Name& name, store::Position queued) const {
    const auto found = ends_.find(name);
    return found != ends_.end() && queued < found->second;
  }

  // The index has come to here, and no answer of it from before is still to be looked at.
  void forget(store::Position indexed_up_to) {
    while (!in_order_.empty() && in_order_.front().first <= indexed_up_to) {
      const auto& [end, name] = in_order_.front();
      const auto found = ends_.find(name);
      if (found != ends_.end() && found->second == end) ends_.erase(found);
      in_order_.pop_front();
    }
  }

 private:
  std::map<Name, store::Position> ends_;
  std::deque<std::pair<store::Position, Name>> in_order_;
};

}  // namespace cannula::pipeline
