// What waits because an earlier message of its order key is parked, dead or held, and so holds the
// key: for status and metrics.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/store/record.h"

namespace cannula::pipeline {

struct HeldBack {
  std::size_t keys = 0;      // that are held, with something behind them
  std::size_t messages = 0;  // or deliveries, behind them
  // The oldest of those that hold them.
  struct Holder {
    MessageId message;
    std::size_t behind = 0;  // it alone would let these go, unless another holds them too
  };
  std::vector<Holder> holders{};

  static constexpr std::size_t kMostHolders = 3;
  static constexpr std::size_t kMostLookedAt = 200;
};

// `held`: an ordered map from the message that holds to its keys, or to several sets of them.
// `behind` counts what waits behind one of these.
template <class Held, class Behind>
std::vector<HeldBack::Holder> oldest_holders(const Held& held, Behind behind) {
  std::vector<HeldBack::Holder> holders;
  std::size_t looked_at = 0;
  for (const auto& [message, keys] : held) {
    if (holders.size() == HeldBack::kMostHolders || ++looked_at > HeldBack::kMostLookedAt) break;
    if (const std::size_t count = behind(keys); count > 0) holders.push_back({message, count});
  }
  return holders;
}

}  // namespace cannula::pipeline
