// Writes zeros ahead of the journal's end on a thread of its own. fdatasync of a file that grows
// must also commit its new size and blocks to the file system's log; over zeros it commits data
// alone (what that is worth here: tests/bench/store_bench.cpp). When it cannot keep up or the
// disk is full, the journal just grows the file itself.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/store/file_system.h"

namespace cannula::store {

class ZeroAhead {
 public:
  // Keeps at least half of `distance` bytes zeroed ahead of where the writer is.
  explicit ZeroAhead(std::size_t distance);
  ~ZeroAhead();

  // From now on `file`, which ends at `size` and grows to about `segment_size`. It must be a handle
  // of its own: the kernel reports a failed write-back once to each handle, and the journal's must
  // not miss it.
  void follow(std::shared_ptr<File> file, std::uint64_t size, std::uint64_t segment_size);
  // Stops work on the current file; afterwards nothing is written to it here.
  void release();

  // The writer is about to write bytes up to `end` of the file. Waits when zeros are being written
  // where it wants to write.
  void claim(std::uint64_t end);

 private:
  void run();

  const std::size_t distance_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::shared_ptr<File> file_;
  std::uint64_t written_ = 0;  // end of the journal's own bytes
  std::uint64_t zeroed_ = 0;   // end of the file
  std::uint64_t limit_ = 0;
  bool writing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cannula::store
