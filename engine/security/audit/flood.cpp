#include "engine/security/audit/flood.h"

#include <cstdlib>

namespace cannula::audit {

namespace {
constexpr std::int64_t kMinute = 60'000'000;
}

bool Flood::lets_through(const Entry& entry, std::int64_t at) {
  if (std::abs(at - minute_) >= kMinute && kinds_.empty()) {
    minute_ = at;
    let_through_ = 0;
  }
  if (let_through_ < kOneByOne) {
    ++let_through_;
    return true;
  }
  std::string name = entry.act + '\n' + entry.object.channel + '\n' + entry.code;
  if (!kinds_.contains(name) && kinds_.size() >= kKinds) name = "…";
  Kind& kind = kinds_[name];
  if (kind.count++ == 0) {
    kind.first = entry;
    std::string& address = kind.first.actor.address;  // there were many
    if (!address.empty() && kind.first.reason.find(address) != std::string::npos)
      kind.first.reason.clear();
    address.clear();
    kind.first.detail.clear();
    if (name == "…") kind.first.object = {};
  }
  return false;
}

std::vector<Entry> Flood::counted(std::int64_t at, bool now) {
  std::vector<Entry> entries;
  if (!now && std::abs(at - minute_) < kMinute) return entries;
  for (auto& [name, kind] : kinds_) {
    kind.first.detail["more_of_these"] = std::to_string(kind.count);
    entries.push_back(std::move(kind.first));
  }
  kinds_.clear();
  return entries;
}

}  // namespace cannula::audit
