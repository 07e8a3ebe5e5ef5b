// A verb of the command line: one file each, which gives a Verb and knows nothing of how arguments
// are parsed.
//
//   Verb check_verb() {
//     auto options = std::make_shared<CheckOptions>();
//     return {.name = "check",
//             .summary = "…",
//             .example = "cannula check my-site",
//             .declare =
//                 [options](Arguments& arguments) {
//                   arguments.positional("SITE", options->site, "…");
//                 },
//             .run = [options](const Context& context) { return check(*options, context); }};
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "channels/transport/options.h"
#include "channels/transport/transport.h"
#include "parsers/text/error_codes.h"
#include "parsers/text/result.h"

namespace cannula::cli {

// Exit codes, the same for every verb.
enum Exit : int {
  kFine = 0,
  kFailed = 1,       // the work failed: a test, a message
  kUsage = 2,        // wrong usage
  kInvalidSite = 78  // the site is not valid (EX_CONFIG of sysexits.h)
};

struct Verb;

// What a verb works with. The spans are those given to run_command_line().
struct Context {
  std::span<const Transport> transports;
  std::span<const std::span<const ErrorCode>> error_codes;  // of all rooms
  std::span<const Verb> verbs;
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool json = false;  // --json, which every verb takes
};

// Takes the text of an argument; gives what is wrong with it, or nothing.
using Taker = std::function<std::optional<std::string>(const std::string&)>;

struct Argument {
  enum class Kind { flag, option, positional } kind = Kind::option;
  std::string name;   // "--count", or "SITE" for a positional
  std::string value;  // what stands for the value in help: "N"; empty for a flag
  std::string description;
  std::string default_text;
  bool required = false;
  bool repeated = false;
  Taker take;
};

// A verb's options, declared with the variables they fill. The variables outlive the parsing; their
// values at the time of the declaration are the defaults shown.
class Arguments {
 public:
  void flag(std::string name, bool& target, std::string description);
  void text(std::string name, std::string value, std::string& target, std::string description);
  // Without it the verb is not run (U102).
  void required_text(std::string name, std::string value, std::string& target,
                     std::string description);
  void texts(std::string name, std::string value, std::vector<std::string>& target,
             std::string description);
  void number(std::string name, std::string value, std::int64_t& target, std::int64_t minimum,
              std::int64_t maximum, std::string description);
  void duration(std::string name, std::chrono::milliseconds& target, std::string description);
  void choice(std::string name, std::string& target, std::vector<std::string> choices,
              std::string description);
  void positional(const std::string& name, std::string& target, std::string description,
                  bool required = false);
  void positionals(const std::string& name, std::vector<std::string>& target,
                   std::string description, bool required = false);

  const std::vector<Argument>& all() const { return all_; }

 private:
  std::vector<Argument> all_;
};

struct Verb {
  std::string name;     // "check", or "msg show": the first word then names the group
  std::string summary;  // a sentence
  std::string example;  // lines to type, with what they do where that is not plain
  std::function<void(Arguments&)> declare;
  std::function<int(const Context&)> run;
  bool hidden = false;  // not in `cannula --help`
};

// What `cannula VERB --help` prints, and the verb's part of docs/reference/cli.md.
std::string help_text(const Verb& verb);

// The site folder a verb works on: `named`, or else the nearest folder at or above the working
// directory with a site.toml, written relative to it. The error (U103, exit code kUsage) says that
// there is none, and names a site near by that is spelled nearly so.
Result<std::filesystem::path> site_folder(const std::string& named);
// Whether the folder holds a site.toml.
bool is_site(const std::filesystem::path& folder);

// A text that names commands, "`cannula msg show ID SITE`", with the site as the person named it,
// who can paste them then; without it where they left it out.
std::string with_site(std::string text, const std::string& named);

// "error[U101]: message", the hint, on `context.err`.
void print_error(const Context& context, const Error& error);
void print(std::FILE* to, std::string_view text);

// The verbs of this room.
Verb audit_export_verb();
Verb audit_list_verb();
Verb audit_accept_verb();
Verb audit_verify_verb();
Verb channel_acts_verb();
Verb channel_discard_verb();
Verb channel_pause_verb();
Verb channel_resume_verb();
Verb check_verb();
Verb diff_verb();
Verb explain_verb();
Verb listen_verb();
Verb lua_types_verb();
Verb msg_discard_verb();
Verb keys_begin_verb();
Verb keys_list_verb();
Verb keys_rotate_verb();
Verb keys_drop_old_verb();
Verb keys_shred_verb();
Verb msg_dead_verb();
Verb msg_edit_verb();
Verb msg_list_verb();
Verb msg_replay_verb();
Verb msg_replay_cancel_verb();
Verb msg_replays_verb();
Verb msg_resend_verb();
Verb msg_show_verb();
Verb new_verb();
Verb parse_verb();
Verb path_verb();
Verb reference_verb();
Verb reload_verb();
Verb rules_check_verb();
Verb rules_explain_verb();
Verb rules_test_verb();
Verb run_verb();
Verb send_verb();
Verb status_verb();
Verb store_backup_verb();
Verb store_check_verb();
Verb store_hold_verb();
Verb store_holds_verb();
Verb store_prune_verb();
Verb store_release_verb();
Verb store_restore_verb();
Verb store_stats_verb();
Verb table_check_verb();
Verb table_list_verb();
Verb table_lookup_verb();
Verb table_unmapped_verb();
Verb test_verb();
Verb try_verb();
Verb validate_verb();
Verb version_verb();

}  // namespace cannula::cli
