#include "engine/cli/operated_site.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/ops/control.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

bool is_error(const Diagnostic& finding) {
  return finding.severity == Severity::error;
}

}  // namespace

std::optional<OperatedSite> OperatedSite::open(const std::string& named, const Context& context) {
  const auto folder = site_folder(named);
  if (!folder) {
    print_error(context, folder.error());
    return std::nullopt;
  }
  OperatedSite site(config::load_site(*folder, context.transports), folder->string(), context);
  site.note_mistakes();
  return site;
}

void OperatedSite::note_mistakes() const {
  if (loaded_.site) return;
  const auto count = std::count_if(loaded_.findings.begin(), loaded_.findings.end(), is_error);
  print(context_->err,
        fmt::format("cannula: note: the site's files have {} mistake{}, with which it would not "
                    "start; `cannula check {}` shows {}\n",
                    count, count == 1 ? "" : "s", name_, count == 1 ? "it" : "them"));
}

Error OperatedSite::unreadable(std::string what) const {
  return {"U110", std::move(what),
          fmt::format("mend what `cannula check {}` shows, then ask again", name_), std::nullopt};
}

Result<void> OperatedSite::needs_store() const {
  if (loaded_.site || loaded_.store_known) return {};
  return unreadable(
      "no engine answers, and [store], [keys] or [audit] of site.toml has a mistake, so that the "
      "store is not opened");
}

Result<json> OperatedSite::ask(const std::string& question, const json& request) const {
  if (loaded_.site) return ops::ask_site(*loaded_.site, question, request);
  if (auto answer = TRY(ops::ask_engine(site(), question, request))) return *std::move(answer);
  TRY(needs_store());
  // How long a channel keeps its messages is the channel's to say.
  if (question == "prune") {
    return unreadable(
        "no engine runs, and while the site's files have mistakes it is not known what is to be "
        "kept how long");
  }
  return ops::ask_site(site(), question, request);
}

int OperatedSite::fail(const Error& error) const {
  print_error(*context_, error);
  return error.code == "U110" ? kInvalidSite : kFailed;
}

}  // namespace cannula::cli
