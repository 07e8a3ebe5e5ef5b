// Legal holds: what may not be forgotten, whatever its age, until somebody lets it go. A file of
// JSON lines, `state/holds.jsonl`, only ever appended to. It can be read without the store's keys,
// so what a hold finds messages of a patient by stands in it as the store's keyed hash alone.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/store/retention.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

// All that is given has to be so of a message.
struct Hold {
  std::string name;  // "H1"; counted from 1
  store::Timestamp at = 0;
  std::string actor;
  std::string reason;
  MessageId message{};  // one message; 0: not by its id
  std::string kind{};   // "mrn", "accession", "name": what `search` are hashes of; empty: none
  store::SearchKeys search{};  // a message with one of them is held
  std::string channel{};       // empty: all
  store::Timestamp received_from = 0;
  store::Timestamp received_to = 0;  // exclusive; 0: no bound

  // Also true where not all that the message is found by could be read, and it may.
  bool covers(const store::MessageRow& row, const store::FoundBy& found_by) const;
  // In words, without a reason or a name: "mrn, channel lab".
  std::string what() const;
};

// Thread-safe. Writing blocks on the disk.
class Holds {
 public:
  // Reads what is there. P331 when the file cannot be read: nothing may be forgotten then.
  static Result<std::unique_ptr<Holds>> open(const std::filesystem::path& directory);

  // Gives it its name. On disk when this returns; P331 when it is not.
  Result<Hold> add(Hold hold);
  // P332 when there is no such hold.
  Result<Hold> release(const std::string& name, store::Timestamp at, const std::string& actor,
                       const std::string& reason);
  // Those in force, by their number.
  std::vector<Hold> all() const;
  // The name of one that covers the message, or may cover it; empty: none does.
  std::string covering(const store::MessageRow& row, const store::FoundBy& found_by) const;
  // Runs `work` while none is added: what it judges by covering() stays so until it returns.
  Result<void> while_none_is_added(const std::function<Result<void>()>& work) const;
  // The name of one that covers some message of a channel.
  Result<std::string> covering_in(const store::Store& store, const std::string& channel) const;

 private:
  explicit Holds(std::filesystem::path file) : file_(std::move(file)) {}
  Result<void> append(const std::string& line);

  const std::filesystem::path file_;
  mutable std::mutex adding_;  // before mutex_
  mutable std::mutex mutex_;
  std::vector<Hold> holds_;
  std::uint64_t last_ = 0;
};

}  // namespace cannula::pipeline
