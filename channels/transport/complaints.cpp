#include "channels/transport/complaints.h"

#include <algorithm>
#include <functional>

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
  const std::size_t hash = std::hash<std::string>()(text);
  const auto [place, first] = said_.try_emplace(address, Said{now});
  Said& said = place->second;
  if (!first && now - said.when < kBetween) {
    const bool known = std::find(said.texts.begin(), said.texts.end(), hash) != said.texts.end();
    if (known || said.texts.size() >= kMostDifferent) {
      ++said.kept_back;
      return std::nullopt;
    }
    said.texts.push_back(hash);
    return text;
  }
  if (said.kept_back > 0) {
    text += " (and " + std::to_string(said.kept_back) + " more about this address)";
  }
  said = {now, 0, {hash}};
  return text;
}

}  // namespace cannula
