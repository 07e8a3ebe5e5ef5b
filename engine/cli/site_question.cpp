#include "engine/cli/site_question.h"

#include <nlohmann/json.hpp>

#include "engine/config/site.h"
#include "engine/ops/control.h"
#include "engine/ops/text.h"

namespace cannula::cli {

int answer_question(const std::string& site, const std::string& question,
                    const nlohmann::json& request, const Context& context,
                    const std::function<std::string(const nlohmann::json&)>& as_text) {
  const auto folder = site_folder(site);
  if (!folder) {
    print_error(context, folder.error());
    return kUsage;
  }
  config::LoadedSite loaded = config::load_site(*folder, context.transports);
  if (!loaded.site) {
    print(context.err, render(loaded.findings));
    return kInvalidSite;
  }
  const auto answer = ops::ask_site(*loaded.site, question, request);
  if (!answer) {
    print_error(context, answer.error());
    return kFailed;
  }
  print(context.out, context.json ? ops::dump(*answer) + "\n" : as_text(*answer));
  if (!context.json && answer->contains("index_behind")) {
    print(context.err, "note: the newest may be missing: " +
                           (*answer)["index_behind"].get<std::string>() + "\n");
  }
  return kFine;
}

}  // namespace cannula::cli
