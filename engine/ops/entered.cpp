#include "engine/ops/entered.h"

#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/ops/asked_or_at_rest.h"
#include "engine/ops/audited.h"
#include "engine/ops/control.h"
#include "engine/pipeline/audit_trail.h"
#include "engine/store/backup.h"
#include "engine/store/store_files.h"

namespace cannula::ops {
namespace {

using nlohmann::json;

}  // namespace

Result<std::uint64_t> enter(const config::Site& site, const std::string& verb, const json& request,
                            const std::function<void()>& at_rest) {
  const auto number_of = [](const json& answer) { return answer.value("entry", std::uint64_t{0}); };
  return asked_or_at_rest<std::uint64_t>(
      [&]() -> Result<std::optional<std::uint64_t>> {
        const auto answer = TRY(ask_engine(site, verb, request));
        if (!answer) return std::optional<std::uint64_t>();
        return std::optional<std::uint64_t>(number_of(*answer));
      },
      [&]() -> Result<std::uint64_t> {
        // The trail's one writer is whoever holds the store.
        const auto lock =
            TRY(store::FileSystem::real().lock(store::lock_path(site.store.directory)));
        const auto log = TRY(pipeline::open_audit_at_rest(site));
        const auto done = audited(log.get(), person(::getuid(), request.value("actor", "")), verb,
                                  request, [&]() -> Result<json> {
                                    if (at_rest) at_rest();
                                    return json::object();
                                  });
        return number_of(TRY(Result<json>(done)));
      });
}

Result<json> entered(const config::Site& site, const std::string& verb, json request,
                     const std::function<Result<json>()>& act) {
  std::error_code ignored;
  if (!std::filesystem::exists(site.store.directory, ignored)) {
    return Error{"U205", "the site has no store yet: " + site.store.directory.string(),
                 "it is made when the site runs for the first time"};
  }
  request["outcome"] = "begun";
  const std::uint64_t begun = TRY(enter(site, verb, request));
  Result<json> answer = act();
  request["entry"] = fmt::format("the end of {}", begun);
  request["outcome"] = answer ? "done" : "failed";
  if (answer) {
    for (const auto& [name, value] : answer->items()) {
      if (value.is_string()) request[name] = value;
      if (!value.is_array()) continue;
      std::string texts;
      for (const json& one : value) {
        if (one.is_string()) texts += (texts.empty() ? "" : ", ") + one.get<std::string>();
      }
      request[name] = texts;
    }
  } else {
    request["code"] = answer.error().code;
    request["error"] = answer.error().message;
  }
  const auto ended = enter(site, verb, request);
  if (answer && !ended) (*answer)["audit_trouble"] = ended.error().text();
  return answer;
}

Result<std::uint64_t> end_of_journal(const config::Site& site, bool& running) {
  return asked_or_at_rest<store::Position>(
      [&]() -> Result<std::optional<store::Position>> {
        const auto answer = TRY(ask_engine(site, "store", json::object()));
        running = running || answer.has_value();
        if (!answer) return std::optional<store::Position>();
        return std::optional<store::Position>((*answer)["journal"]["end"].get<store::Position>());
      },
      [&] { return store::end_at_rest(site.store.directory); });
}

}  // namespace cannula::ops
