// What is counted on a message's way. Written by any thread without locks, read by engine/ops.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace cannula::pipeline {

using Counter = std::atomic<std::uint64_t>;

// Times in buckets whose upper bounds are powers of two of a microsecond: 1 µs … 2^26 µs (67 s),
// and beyond.
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 27;

  void record(std::chrono::nanoseconds time) {
    const auto microseconds =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count()) / 1000);
    const std::size_t bucket =
        microseconds <= 1 ? 0 : static_cast<std::size_t>(std::bit_width(microseconds - 1));
    counts_[std::min(bucket, kBuckets)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(microseconds, std::memory_order_relaxed);
  }
  // The number of times in bucket `i`: at most 2^i µs; i = kBuckets holds what was longer.
  std::uint64_t count(std::size_t i) const { return counts_[i].load(std::memory_order_relaxed); }
  std::uint64_t sum_microseconds() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::array<Counter, kBuckets + 1> counts_{};
  Counter sum_{0};
};

// Counters that a transport names itself, such as "connections_total".
class NamedCounters {
 public:
  void add(std::string_view name, std::int64_t by) {
    std::scoped_lock lock(mutex_);
    auto found = counters_.find(name);
    if (found == counters_.end()) found = counters_.emplace(std::string(name), 0).first;
    found->second += by;
  }
  std::map<std::string, std::int64_t, std::less<>> snapshot() const {
    std::scoped_lock lock(mutex_);
    return counters_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::int64_t, std::less<>> counters_;
};

struct ChannelMetrics {
  Counter received{0};   // accepted, on disk
  Counter refused{0};    // kept as rejected
  Counter not_taken{0};  // the sender was told to try again
  Counter received_bytes{0};
  Counter finished{0}, filtered{0}, parked{0}, rejected{0},
      dead{0};  // by what the script concluded
  Counter limit_hits{0};
  Counter validation_errors{0}, validation_warnings{0};  // findings that [validate] does not ignore
  Counter validation_parked{0},
      validation_rejected{0};  // messages, by the policy on their findings
  Histogram
      acknowledge;  // from the whole message read to its acknowledgement handed to the transport
  Histogram work;   // of the script, parse and encode included
  NamedCounters transport;
};

struct DestinationMetrics {
  Counter delivered{0}, retried{0}, dead{0}, held{0};
  Histogram deliver;  // of one attempt
  NamedCounters transport;
};

}  // namespace cannula::pipeline
