#include "engine/pipeline/pauses.h"

#include <fmt/format.h>

#include "engine/config/former_names.h"
#include "engine/pipeline/clock.h"

namespace cannula::pipeline {
namespace {

constexpr std::string_view kTo = "to:";

// All names that a part has had: `part` is the present one.
std::vector<std::string> names_of_part(const config::ChannelConfig& channel,
                                       const std::string& part) {
  if (!part.starts_with(kTo)) return {part};
  const auto* destination = config::destination_known_as(channel, part.substr(kTo.size()));
  if (!destination) return {part};
  std::vector<std::string> names = config::names_of(*destination);
  for (std::string& name : names) name.insert(0, kTo);
  return names;
}

}  // namespace

Result<std::string> part_of(const config::ChannelConfig& channel, const std::string& part) {
  if (part == "intake" || part == "work") return part;
  if (!part.starts_with(kTo)) {
    return Error{"P317", "a channel has no part " + part, "intake, work or to:DESTINATION"};
  }
  const std::string name = part.substr(kTo.size());
  const auto* destination = config::destination_known_as(channel, name);
  if (!destination) {
    return Error{"P317", fmt::format("channel {} has no destination {}", channel.name, name),
                 "see `cannula status`"};
  }
  return std::string(kTo) + destination->name;
}

bool is_paused(const ActLog& acts, const config::ChannelConfig& channel, const std::string& part) {
  for (const std::string& name : config::names_of(channel)) {
    for (const std::string& known_as : names_of_part(channel, part)) {
      if (acts.is_paused(name, known_as)) return true;
    }
  }
  return false;
}

Result<void> record_pause(ActLog& acts, const config::ChannelConfig& channel,
                          const std::string& part, bool paused, const std::string& actor,
                          const std::string& reason) {
  const auto record = [&](const std::string& name, const std::string& known_as) {
    return acts.record(
        {now_microseconds(), paused ? "pause" : "resume", name, known_as, actor, reason});
  };
  if (!paused) {
    for (const std::string& name : config::names_of(channel)) {
      for (const std::string& known_as : names_of_part(channel, part)) {
        const bool present = name == channel.name && known_as == part;
        if (!present && acts.is_paused(name, known_as)) TRY(record(name, known_as));
      }
    }
  }
  return record(channel.name, part);
}

std::vector<Act> pauses(const ActLog& acts, const config::Site& site) {
  std::map<std::pair<std::string, std::string>, Act> by_part;
  for (Act act : acts.paused()) {
    if (const auto* channel = config::channel_known_as(site, act.channel)) {
      act.channel = channel->name;
      if (auto part = part_of(*channel, act.part)) act.part = *std::move(part);
    }
    const auto [place, added] = by_part.try_emplace({act.channel, act.part}, act);
    if (!added && act.at > place->second.at) place->second = std::move(act);
  }
  std::vector<Act> all;
  for (auto& [part, act] : by_part) all.push_back(std::move(act));
  return all;
}

}  // namespace cannula::pipeline
