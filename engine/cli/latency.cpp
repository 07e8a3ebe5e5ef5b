#include "engine/cli/latency.h"

#include <algorithm>
#include <cmath>

namespace cannula::cli {

std::uint64_t Latencies::upper_end(std::size_t bucket) {
  const std::size_t group = bucket >> kBits;
  const std::uint64_t within = bucket & ((1u << kBits) - 1);
  if (group == 0) return within;
  const std::size_t shift = group - 1;
  return (((1u << kBits) + within + 1) << shift) - 1;
}

double Latencies::quantile_ms(double share) const {
  if (count_ == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= std::max<std::uint64_t>(rank, 1)) {
      return static_cast<double>(std::min(upper_end(bucket), largest_)) / 1e6;
    }
  }
  return largest_ms();
}

}  // namespace cannula::cli
