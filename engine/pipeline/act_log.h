// What people did to a site beyond single messages, and why: a file of JSON lines,
// `state/acts.jsonl`, only ever appended to. What is paused is what it says was paused last, so a
// restart goes on with it.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine/store/record.h"
#include "parsers/text/result.h"

namespace cannula::pipeline {

struct Act {
  store::Timestamp at = 0;
  std::string what;     // "pause", "resume", "replay", "cancel", "discard"
  std::string channel;  // empty: of several
  std::string part;     // of pause and resume: "intake", "work" or "to:NAME" of a destination
  std::string actor;
  std::string reason;
  std::string detail{};  // what else was asked, in words
};

// Thread-safe. Writing blocks on the disk.
class ActLog {
 public:
  // Reads what is there; a last line that was cut off is passed over. Fails (P316) when the file
  // cannot be read. Nothing is made before the first record().
  static Result<std::unique_ptr<ActLog>> open(const std::filesystem::path& directory);

  // Returns when it is on disk; an error (P316) when it is not, and then the act must not be done.
  Result<void> record(const Act& act);
  // The pauses in force, by channel and part.
  std::vector<Act> paused() const;
  bool is_paused(const std::string& channel, const std::string& part) const;
  // The last acts, newest first.
  std::vector<Act> recent(std::size_t most) const;

 private:
  explicit ActLog(std::filesystem::path file) : file_(std::move(file)) {}
  void remember(const Act& act);

  const std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Act> paused_;
  std::vector<Act> recent_;
};

}  // namespace cannula::pipeline
