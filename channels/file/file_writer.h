// Writes files: under a name there is never a part of one, and files that wait together share what
// it costs to bring them to disk.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "channels/transport/transport.h"

namespace cannula::file {

class FileWriter {
 public:
  // How many may usefully wait at once: each is an open file while they are written.
  static constexpr std::size_t kAtOnce = 32;

  // A file to be written. Its result is there when write() has returned.
  struct Request {
    std::string name;  // below the directory; folders that are missing are made
    // Of the delivery: of what is written there at a time no other has the same. Names the file
    // until it is whole.
    std::string key;
    Bytes content;
    Result<void> result{};
    bool written = false;  // or failed
  };

  // `directory` is not made when it is missing: it may be a disk that is not mounted. It may be a
  // link; below it none is followed.
  explicit FileWriter(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // Puts the request behind those that wait. Never blocks for long.
  void add(std::shared_ptr<Request> request);

  // Returns when the request, which was added before, is on disk or has failed, with whatever else
  // waits by then. Of one name the last added stays. Blocks; one thread at a time. (F202; F205 when
  // a link or a file stands where a folder of `name` should be) Throws where there is no memory.
  Result<void> write(const Request& request);

  // What write() has under way gets no name any more. Any thread.
  void abandon() { abandoned_ = true; }

 private:
  using Requests = std::vector<std::shared_ptr<Request>>;

  Requests take_batch();

  const std::filesystem::path directory_;
  std::atomic<bool> abandoned_{false};
  std::mutex lock_;
  Requests waiting_;
};

}  // namespace cannula::file
