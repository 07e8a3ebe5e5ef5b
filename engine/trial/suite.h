// The channel tests of a site: found, run, and their expected payloads written anew.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/trial/check.h"

namespace cannula::trial {

struct TestResult {
  std::string channel;
  std::string name;
  std::string description;
  std::vector<Diagnostic> mistakes;  // of the test file: it was not run
  std::vector<Failure> failures;
  std::vector<std::filesystem::path> updated;  // files written

  bool passed() const { return failures.empty() && !has_errors(mistakes); }
};

// Runs the tests of a channel, in order of their names. With `update`, expected payloads that
// differ are replaced by what came, in the test file and in the files beside it; what else was
// expected still fails. A channel without tests gives none.
std::vector<TestResult> run_tests(const config::Site& site, const config::ChannelConfig& channel,
                                  bool update);

}  // namespace cannula::trial
