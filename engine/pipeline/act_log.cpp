#include "engine/pipeline/act_log.h"

#include <sstream>

#include <nlohmann/json.hpp>

#include "engine/security/keys/whole_file.h"

namespace cannula::pipeline {
namespace {

using nlohmann::json;

constexpr std::size_t kRemembered = 1000;
constexpr const char* kSeeToTheDisk = "nothing was done; see to the disk and the file's rights";

json to_json(const Act& act) {
  return json{{"at", act.at},        {"what", act.what},   {"channel", act.channel},
              {"part", act.part},    {"actor", act.actor}, {"reason", act.reason},
              {"detail", act.detail}};
}

std::optional<Act> act_of(const std::string& line) {
  const json value = json::parse(line, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  try {
    return Act{value.value("at", store::Timestamp{0}),
               value.value("what", ""),
               value.value("channel", ""),
               value.value("part", ""),
               value.value("actor", ""),
               value.value("reason", ""),
               value.value("detail", "")};
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

Result<std::unique_ptr<ActLog>> ActLog::open(const std::filesystem::path& directory) {
  std::unique_ptr<ActLog> log(new ActLog(directory / "acts.jsonl"));
  const auto text = security::read_whole(log->file_);
  // Without it nobody knows what is paused.
  if (!text) return Error{"P316", text.error().message, kSeeToTheDisk};
  std::istringstream lines(text->value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (const auto act = act_of(line)) log->remember(*act);
  }
  return log;
}

void ActLog::remember(const Act& act) {
  if (act.what == "pause") paused_[{act.channel, act.part}] = act;
  if (act.what == "resume") paused_.erase({act.channel, act.part});
  recent_.push_back(act);
  if (recent_.size() > 2 * kRemembered)
    recent_.erase(recent_.begin(), recent_.end() - static_cast<std::ptrdiff_t>(kRemembered));
}

Result<void> ActLog::record(const Act& act) {
  std::scoped_lock lock(mutex_);
  const auto written = security::append_line(
      file_, to_json(act).dump(-1, ' ', false, json::error_handler_t::replace));
  if (!written) return Error{"P316", written.error().message, kSeeToTheDisk};
  remember(act);
  return {};
}

std::vector<Act> ActLog::paused() const {
  std::scoped_lock lock(mutex_);
  std::vector<Act> acts;
  for (const auto& [part, act] : paused_) acts.push_back(act);
  return acts;
}

bool ActLog::is_paused(const std::string& channel, const std::string& part) const {
  std::scoped_lock lock(mutex_);
  return paused_.contains({channel, part});
}

std::vector<Act> ActLog::recent(std::size_t most) const {
  std::scoped_lock lock(mutex_);
  const std::size_t count = std::min(most, recent_.size());
  return {recent_.rbegin(), recent_.rbegin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace cannula::pipeline
