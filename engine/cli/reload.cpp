// `cannula reload`: has the running engine go over to the site's files as they are now.
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/operated_site.h"
#include "engine/cli/verb.h"
#include "engine/ops/control.h"
#include "engine/ops/text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

struct ReloadOptions {
  std::string site, reason;
};

int reload(const ReloadOptions& options, const Context& context) {
  const auto operated = OperatedSite::open(options.site, context);
  if (!operated) return kUsage;
  const auto answer = ops::ask_engine(operated->site(), "reload",
                                      json{{"reason", options.reason}, {"actor", acting_user()}});
  if (!answer) return operated->fail(answer.error());
  if (!*answer) {
    return operated->fail({"U202", "no engine runs here, so there is nothing to reload",
                           "`cannula run SITE` starts one with the files as they are now",
                           std::nullopt});
  }
  const std::string findings = (*answer)->value("findings", "");
  if (context.json) {
    print(context.out, ops::dump(**answer) + "\n");
  } else if (findings.empty()) {
    print(context.out, "the site's files as they are now are in use\n");
  } else {
    print(context.err, findings + "cannula: what was in use stays in use\n");
  }
  return findings.empty() ? kFine : kFailed;
}

}  // namespace

Verb reload_verb() {
  auto options = std::make_shared<ReloadOptions>();
  return {.name = "reload",
          .summary = "Have the running engine go over to the site's files as they are now.",
          .example = "cannula reload my-site --reason \"the new codes of the north ward\"",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.text("--reason", "TEXT", options->reason, "Why; recorded.");
              },
          .run = [options](const Context& context) { return reload(*options, context); }};
}

}  // namespace cannula::cli
