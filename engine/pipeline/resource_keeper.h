// The tables and rules in use. Clinical staff save a file and the engine goes over to it within a
// second or two, without anyone restarting or reloading anything; a file with a mistake, or with
// rules of which a test fails, is reported and the last good one stays in use. Reading, compiling
// and testing are the keeper's own thread's; messages are worked meanwhile.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "parsers/text/diagnostic.h"
#include "rules/language/resources.h"

namespace cannula::pipeline {

// Files as they were saved last that are not in use, because of what is wrong with them: what they
// said before is.
struct RefusedFiles {
  std::int64_t at = 0;               // when they were read; microseconds since 1970
  std::vector<Diagnostic> findings;  // errors only
};

// Thread-safe.
class ResourceKeeper {
 public:
  // `site` is the folder. `settle` is called on the keeper's thread after start(), after each
  // change, and after look_again(): it puts parked messages back to work whose rows are there now,
  // and says whether it could look at all of them (false: it is called again soon). `taken_in` is
  // called there when files that changed have been read.
  ResourceKeeper(
      std::filesystem::path site, std::shared_ptr<const rules::Resources> first,
      std::function<bool(const rules::Resources&)> settle, std::function<void()> taken_in = [] {});
  ~ResourceKeeper() { stop(); }
  ResourceKeeper(const ResourceKeeper&) = delete;
  ResourceKeeper& operator=(const ResourceKeeper&) = delete;

  void start();
  void stop();

  std::shared_ptr<const rules::Resources> current() const;
  // Goes over to what a reload of the whole site has read.
  void replace(std::shared_ptr<const rules::Resources> resources);
  // What was saved and is not in use, since the files were last read.
  std::optional<RefusedFiles> refused() const;
  // A message has been parked until a row arrives: it may have looked at tables that have changed
  // meanwhile.
  void look_again();

 private:
  void run();
  void read_files();

  const std::filesystem::path site_;
  const std::function<bool(const rules::Resources&)> settle_;
  const std::function<void()> taken_in_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const rules::Resources> current_;
  std::optional<RefusedFiles> refused_;
  std::string stamp_;
  bool due_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cannula::pipeline
