#include <cerrno>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/verb.h"

namespace cannula::cli {
namespace {

namespace fs = std::filesystem;

struct NewFile {
  std::string_view name;
  std::string_view text;
};

constexpr NewFile kFiles[] = {
    {"site.toml",
     R"(# The engine as a whole. Everything here has a default, so this file may also be empty.
# docs/reference/config.md lists all keys; `cannula check` says what is wrong.

[store]
directory = "state"            # the journal and its index; on a local disk, never in git

[admin]
listen = "127.0.0.1:8089"      # /livez, /readyz and /metrics; on this machine only

# [secrets]                    # scripts say secret("ehr"); the secret itself stands elsewhere
# ehr = "env:EHR_PASSWORD"     # or "file:/etc/cannula/ehr-password"
)"},
    {"partners/example-lab.toml",
     R"(# Who may connect, and what they may send. The file's name is the partner's.
name = "Example Laboratory"
from = ["127.0.0.1", "::1"]    # addresses and blocks such as "10.1.0.0/16"
may  = ["ORU^R01", "ADT^*"]    # anything else is refused and recorded

# [agreement]                  # `cannula check` warns when it has expired
# document = "BAA-0001"
# signed = 2026-01-15
# expires = 2027-01-15
)"},
    {"channels/results/channel.toml",
     R"(description = "Results from the laboratory, passed on as files"

[source]
type    = "mllp"
listen  = "127.0.0.1:2575"
partner = "example-lab"
ack     = "stored"             # answered when the message is on disk

[order]
by = "PID-3.1"                 # in order for each patient, in parallel across patients

[[destination]]
name      = "archive"
type      = "file"
directory = "archive"            # there already: a folder that is missing may be a disk not mounted
)"},
    {"channels/results/main.lua",
     R"(-- Runs once for each message. Received bytes never change; edits are on a copy.
-- Only what is sent here leaves the channel; an error in the script sends nothing.

function main(msg)
  if msg.type ~= "ORU^R01" then
    return skip("not a result")          -- ends as `filtered`, with this reason
  end

  -- msg["PID-3.1"] reads by path; msg["PID-3[1].4"] = "GEN" writes by path; nil clears.

  send("archive", msg)                   -- the name of a [[destination]] in channel.toml
  log.info("archived", { mrn = phi(msg["PID-3.1"]) })   -- phi() is masked in logs
end
)"},
    {"README.md", R"(# A Cannula site

    cannula check                                   is everything right?
    cannula run                                     start the engine; it says when it is ready
    cannula send 127.0.0.1:2575 messages/result.hl7 send the sample message, from another terminal
    cannula status                                  messages and deliveries, by channel and state

`site.toml` is about the engine, `partners/` about who may send, `channels/` about what is done with a message: the
`channel.toml` says where it comes from and where it may go, the `main.lua` beside it decides. Modules that several scripts
share go into `lib/`, mapping tables into `tables/`, rules into `rules/`. Results arrive in `archive/`. What the engine
keeps is in `state/`, which is not for git.
)"},
    {"messages/result.hl7",
     R"(MSH|^~\&|LAB|EXAMPLE-LAB|EHR|GENERAL|20260115083000+0000||ORU^R01^ORU_R01|EXAMPLE-1|P|2.5.1
PID|1||90001^^^GENERAL^MR||Example^Erin||19800214|F
OBR|1|ORD-1|ACC-1|K^Potassium^L|||20260115080000+0000
OBX|1|NM|K^Potassium^L||4.1|mmol/L|3.5-5.1|N|||F|||20260115080000+0000
)"},
    {"archive/.gitignore", "# What is delivered here is not for git.\n*\n!.gitignore\n"},
    {".gitignore", "# What the engine keeps: messages, keys, sockets.\nstate/\n"},
};

int fail(const Context& context, std::string message, std::string hint) {
  print_error(context, {"U104", std::move(message), std::move(hint), {}});
  return kUsage;
}

int make_site(const fs::path& folder, const Context& context) {
  std::error_code error;
  for (const NewFile& file : kFiles) {
    if (fs::symlink_status(folder / file.name, error).type() != fs::file_type::not_found) {
      return fail(context, fmt::format("{} is there already", (folder / file.name).string()),
                  "nothing was written; name a folder that does not hold a site yet");
    }
  }
  nlohmann::ordered_json written = nlohmann::ordered_json::array();
  for (const NewFile& file : kFiles) {
    const fs::path path = folder / file.name;
    fs::create_directories(path.parent_path(), error);
    std::ofstream out(path, std::ios::binary);
    out << file.text;
    out.close();
    if (error || !out) {
      return fail(context,
                  fmt::format("{} cannot be written: {}", path.string(),
                              error ? error.message() : std::strerror(errno)),
                  "choose a folder that you may write to");
    }
    written.push_back(path.string());
  }
  if (context.json) {
    print(context.out,
          nlohmann::ordered_json{{"site", folder.string()}, {"files", written}}.dump(2) + "\n");
  } else {
    print(context.out, fmt::format("{} is a site; start with its README.md\n", folder.string()));
  }
  return kFine;
}

}  // namespace

Verb new_verb() {
  auto folder = std::make_shared<std::string>();
  return {.name = "new",
          .summary = "Make a small working site in a new folder. Nothing is ever overwritten.",
          .example = "cannula new my-site",
          .declare =
              [folder](Arguments& arguments) {
                arguments.positional("SITE", *folder, "The folder to make.", true);
              },
          .run = [folder](const Context& context) { return make_site(*folder, context); }};
}

}  // namespace cannula::cli
