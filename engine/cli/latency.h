// Latencies of many messages in a fixed amount of memory: counted in buckets no wider than 1.6 % of
// their value.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace cannula::cli {

class Latencies {
 public:
  void add(std::chrono::nanoseconds latency) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(0, latency.count()));
    ++buckets_[bucket_of(value)];
    ++count_;
    smallest_ = std::min(smallest_, value);
    largest_ = std::max(largest_, value);
  }

  std::uint64_t count() const { return count_; }
  double smallest_ms() const { return count_ == 0 ? 0 : static_cast<double>(smallest_) / 1e6; }
  double largest_ms() const { return static_cast<double>(largest_) / 1e6; }
  // The latency that `share` (0 to 1) of all messages stayed at or below.
  double quantile_ms(double share) const;

 private:
  static constexpr unsigned kBits = 6;  // 64 buckets for each power of two

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < (1u << kBits)) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (static_cast<std::size_t>(shift + 1) << kBits) +
           ((value >> shift) & ((1u << kBits) - 1));
  }
  static std::uint64_t upper_end(std::size_t bucket);

  std::array<std::uint64_t, 64u << kBits> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t smallest_ = UINT64_MAX;
  std::uint64_t largest_ = 0;
};

}  // namespace cannula::cli
