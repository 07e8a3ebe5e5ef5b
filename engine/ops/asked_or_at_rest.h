// A question about a site that has an answer with an engine and without one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <thread>

#include "parsers/text/result.h"

namespace cannula::ops {

inline constexpr std::chrono::milliseconds kAskAgain{100};
inline constexpr int kMostTimes = 300;  // that a store is asked for which another process has

// Asks the running engine, or does it with the store at rest. Who just opens the store, or asks it
// something else at rest, answers neither way: that passes.
template <class T>
Result<T> asked_or_at_rest(const std::function<Result<std::optional<T>>()>& ask,
                           const std::function<Result<T>()>& at_rest) {
  for (int time = 0;; ++time) {
    if (auto answer = TRY(ask())) return *std::move(answer);
    auto done = at_rest();
    if (done || done.error().code != "J101") return done;
    if (time >= kMostTimes) {
      return Error{"J101", done.error().message, "ask again when the engine is ready"};
    }
    std::this_thread::sleep_for(kAskAgain);
  }
}

}  // namespace cannula::ops
