// Log lines that others cause: of those about one address the first is said at once, and so are a
// few that say something else, and then one in ten seconds, with how many there were between. What
// each of them was is counted elsewhere.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cannula {

// On one executor.
class Complaints {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kBetween{10};
  static constexpr std::size_t kMostDifferent = 4;  // about one address in that time

  // What is to be logged, `text` or more; nothing when it is kept back.
  std::optional<std::string> about(const std::string& address, std::string text,
                                   Clock::time_point now = Clock::now());

 private:
  struct Said {
    Clock::time_point when;
    std::size_t kept_back = 0;
    std::vector<std::size_t> texts{};  // hashes of what was said since `when`
  };
  std::unordered_map<std::string, Said> said_;
};

}  // namespace cannula
