#include "engine/pipeline/act_log.h"

#include <cerrno>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/security/keys/whole_file.h"

namespace cannula::pipeline {
namespace {

using nlohmann::json;

constexpr std::size_t kRemembered = 1000;
constexpr const char* kSeeToTheDisk = "nothing was done; see to the disk and the file's rights";

Error failed(const std::filesystem::path& file, const char* what) {
  return Error{"P316", file.string() + " cannot be " + what + ": " + std::strerror(errno),
               kSeeToTheDisk};
}

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
  // A line of its own, also behind one that a crash cut off.
  const std::string line = to_json(act).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  std::scoped_lock lock(mutex_);
  std::error_code ignored;
  std::filesystem::create_directories(file_.parent_path(), ignored);
  const int file = ::open(file_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return failed(file_, "opened");
  char last = '\n';
  const off_t size = ::lseek(file, 0, SEEK_END);
  if (size > 0) static_cast<void>(::pread(file, &last, 1, size - 1));
  const std::string text = last == '\n' ? line : "\n" + line;
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fdatasync(file) == 0;
  const int number = errno;
  // What was refused must not be in force after the next start.
  if (!written && size >= 0) static_cast<void>(::ftruncate(file, size));
  ::close(file);
  if (!written) {
    errno = number;
    return failed(file_, "written");
  }
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
