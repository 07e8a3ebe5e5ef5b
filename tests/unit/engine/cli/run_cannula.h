// The command line in this process: what a person would see of it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/cli/command_line.h"
#include "engine/cli/error_codes.h"
#include "engine/config/error_codes.h"

namespace cannula::cli {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

inline std::span<const Transport> test_transports() {
  static const Option kListen[] = {
      {.name = "listen", .type = OptionType::endpoint, .description = "Where.", .required = true}};
  static const Option kDirectory[] = {
      {.name = "directory", .type = OptionType::file, .description = "Where.", .required = true}};
  static const Transport kTransports[] = {{"mllp", "By wire.", kListen, {}, {}, {}},
                                          {"file", "As files.", {}, kDirectory, {}, {}}};
  return kTransports;
}

inline Outcome run_cannula(std::vector<std::string> arguments) {
  static const std::span<const ErrorCode> kCodes[] = {config::error_codes(), error_codes()};
  char *out = nullptr, *err = nullptr;
  std::size_t out_size = 0, err_size = 0;
  Context context;
  context.transports = test_transports();
  context.error_codes = kCodes;
  context.out = open_memstream(&out, &out_size);
  context.err = open_memstream(&err, &err_size);
  std::vector<const char*> argv{"cannula"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  const Verb verbs[] = {new_verb(),         path_verb(),          diff_verb(),
                        validate_verb(),    check_verb(),         send_verb(),
                        listen_verb(),      explain_verb(),       version_verb(),
                        reference_verb(),   parse_verb(),         table_lookup_verb(),
                        table_list_verb(),  table_check_verb(),   store_stats_verb(),
                        store_check_verb(), status_verb(),        msg_list_verb(),
                        msg_show_verb(),    channel_pause_verb(), table_unmapped_verb(),
                        keys_list_verb(),   audit_list_verb(),    store_prune_verb(),
                        rules_check_verb(), rules_test_verb(),    rules_explain_verb(),
                        test_verb(),        try_verb(),           run_verb()};
  Outcome outcome;
  outcome.code = run_command_line(static_cast<int>(argv.size()), argv.data(), verbs, context);
  std::fclose(context.out);
  std::fclose(context.err);
  outcome.out.assign(out, out_size);
  outcome.err.assign(err, err_size);
  std::free(out);
  std::free(err);
  return outcome;
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/cannula-cli-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace cannula::cli
