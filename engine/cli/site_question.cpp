#include "engine/cli/site_question.h"

#include <nlohmann/json.hpp>

#include "engine/cli/operated_site.h"
#include "engine/ops/text.h"

namespace cannula::cli {

int answer_question(const std::string& site, const std::string& question,
                    const nlohmann::json& request, const Context& context,
                    const std::function<std::string(const nlohmann::json&)>& as_text) {
  const auto operated = OperatedSite::open(site, context);
  if (!operated) return kUsage;
  const auto answer = operated->ask(question, request);
  if (!answer) return operated->fail(answer.error());
  print(context.out, context.json ? ops::dump(*answer) + "\n" : as_text(*answer));
  if (!context.json && answer->contains("index_behind")) {
    print(context.err, "note: the newest may be missing: " +
                           (*answer)["index_behind"].get<std::string>() + "\n");
  }
  return kFine;
}

}  // namespace cannula::cli
