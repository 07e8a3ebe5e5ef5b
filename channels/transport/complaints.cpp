#include "channels/transport/complaints.h"

namespace cannula {
namespace {

// Of more addresses at a time than this, those that were said something of long enough ago are
// forgotten; and all, when that does not help.
constexpr std::size_t kMostAddresses = 1024;

}  // namespace

std::optional<std::string> Complaints::about(const std::string& address, std::string text,
                                             Clock::time_point now) {
  if (said_.size() >= kMostAddresses && !said_.contains(address)) {
    std::erase_if(said_, [now](const auto& said) { return now - said.second.when >= kBetween; });
    if (said_.size() >= kMostAddresses) said_.clear();
  }
  const auto [place, first] = said_.try_emplace(address, Said{now});
  Said& said = place->second;
  if (!first && now - said.when < kBetween) {
    ++said.kept_back;
    return std::nullopt;
  }
  if (said.kept_back > 0) {
    text += " (and " + std::to_string(said.kept_back) + " more about this address)";
  }
  said = {now, 0};
  return text;
}

}  // namespace cannula
