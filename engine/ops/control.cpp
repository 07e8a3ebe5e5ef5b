#include "engine/ops/control.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/ops/asked_or_at_rest.h"
#include "engine/ops/audited.h"
#include "engine/ops/keeping.h"
#include "engine/ops/prometheus.h"
#include "engine/ops/text.h"
#include "engine/pipeline/audit_trail.h"
#include "engine/security/site_keys.h"

namespace cannula::ops {
namespace {

using nlohmann::json;

json error_json(const Error& error) {
  return json{{"error", {{"code", error.code}, {"message", error.message}, {"hint", error.hint}}}};
}

// Whom a request says it comes from; it may be of any form.
std::string says(const json& request) {
  if (!request.is_object()) return {};
  const auto actor = request.find("actor");
  return actor != request.end() && actor->is_string() ? actor->get<std::string>() : std::string();
}

Result<json> perform(Operations& operations, Keeping& keeping, const std::string& verb,
                     const json& request) {
  try {  // nlohmann/json throws where a member has another type than asked for
    if (verb == "status") return operations.status();
    if (verb == "store") return operations.store_stats();
    if (verb == "list") return operations.list(request);
    if (verb == "show") return operations.show(request.value("id", ""));
    if (verb == "unmapped") return operations.unmapped(request);
    if (verb == "resend") return operations.resend(request);
    if (verb == "discard") return operations.discard(request);
    if (verb == "audit-list" || verb == "audit-export") return json::object();  // entered, no more
    if (verb == "backup") return operations.backup(request);
    if (is_done_elsewhere(verb)) return json::object();
    if (verb == "discard_waiting") return operations.discard_waiting(request);
    if (verb == "causes") return operations.causes(request);
    if (verb == "replay") return operations.replay(request);
    if (verb == "replays") return operations.replays(request);
    if (verb == "replay_cancel") return operations.cancel_replay(request);
    if (verb == "edit") return operations.edit(request);
    if (verb == "pause") return operations.pause(request);
    if (verb == "acts") return operations.acts(request);
    if (verb == "prune") return keeping.prune(request);
    if (verb == "pruning") return keeping.pruning();
    if (verb == "hold") return keeping.hold(request);
    if (verb == "release") return keeping.release(request);
    if (verb == "holds") return keeping.holds();
  } catch (const json::exception& wrong) {
    return Error{"U201",
                 std::string("the request is not of the form it should have: ") + wrong.what(), "",
                 std::nullopt};
  }
  return Error{"U204", "the engine has no verb \"" + verb + "\"",
               "engine and command line may be of two versions", std::nullopt};
}

// One channel whose secret or port is not there does not make the engine unready: the others work.
std::string channels_that_wait(const pipeline::Engine& engine) {
  std::string text;
  engine.each_channel([&](const pipeline::ChannelView& view) {
    if (view.not_open) {
      text +=
          "channel " + view.channel.name() + " takes nothing: " + view.not_open->why.message + "\n";
    }
  });
  return text;
}

}  // namespace

HttpHandler control_handler(pipeline::Engine& engine, Reload reload) {
  return [&engine, reload = std::move(reload)](const HttpRequest& request) -> HttpReply {
    const std::string verb = request.target.substr(std::min<std::size_t>(1, request.target.size()));
    json object = json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
    if (object.is_discarded()) object = json::object();
    const audit::Actor who = person(request.uid.value_or(::getuid()), says(object));
    if (verb == "reload") {
      std::vector<Diagnostic> findings;
      const auto done = audited(engine.audit(), who, verb, object, [&]() -> Result<json> {
        findings = reload();
        if (findings.empty()) return json::object();
        return Error{findings.front().code, "the old configuration stays in use"};
      });
      if (!done && findings.empty())
        return {422, "application/json", dump(error_json(done.error()))};
      return {findings.empty() ? 200u : 422u, "application/json",
              dump(json{{"findings", render(findings)}})};
    }
    const auto site = engine.site();
    Operations operations(engine.store(), &engine, engine.resources(), *site);
    Keeping keeping(engine.store(), &engine, site);
    auto answer = audited(engine.audit(), who, verb, object,
                          [&] { return perform(operations, keeping, verb, object); });
    if (answer) return {200, "application/json", dump(*answer)};
    return {422, "application/json", dump(error_json(answer.error()))};
  };
}

HttpHandler admin_handler(const pipeline::Engine& engine) {
  return [&engine](const HttpRequest& request) -> HttpReply {
    if (request.method != "GET" && request.method != "HEAD")
      return {405, "text/plain", "only GET is answered here\n"};
    if (request.target == "/livez") return {200, "text/plain", "ok\n"};
    if (request.target == "/readyz") {
      if (const auto why = engine.why_not_ready())
        return {503, "text/plain", "not ready: " + *why + "\n"};
      return {200, "text/plain", "ready\n" + channels_that_wait(engine)};
    }
    if (request.target == "/metrics") {
      return {200, "text/plain; version=0.0.4", prometheus_page(engine)};
    }
    return {404, "text/plain", "there are /livez, /readyz and /metrics\n"};
  };
}

std::filesystem::path control_socket(const config::Site& site) {
  return site.store.directory / "control.sock";
}

Result<std::optional<json>> ask_engine(const config::Site& site, const std::string& verb,
                                       const json& request) {
  const auto answer = ask(control_socket(site), {"POST", "/" + verb, dump(request)});
  if (!answer && answer.error().code == "U202") return std::optional<json>();
  if (!answer) return answer.error();
  json value = json::parse(answer->body, nullptr, false);
  if (value.is_discarded()) {
    return Error{"U203", "the engine's answer cannot be read",
                 "engine and command line may be of two versions", std::nullopt};
  }
  if (auto error = value.find("error"); error != value.end()) {
    return Error{error->value("code", ""), error->value("message", ""), error->value("hint", ""),
                 std::nullopt};
  }
  return std::optional<json>(std::move(value));
}

namespace {

Result<json> ask_at_rest(const config::Site& site, const std::string& verb, const json& request) {
  if (!std::filesystem::exists(site.store.directory)) {
    return Error{"U205", "the site has no store yet: " + site.store.directory.string(),
                 "it is made when the site runs for the first time", std::nullopt};
  }
  store::Options options;
  options.directory = site.store.directory;
  options.segment_size = site.store.segment_size;
  options.keys = TRY(security::open_site_keys(site));
  auto store = TRY(store::Store::open(options));
  Operations operations(*store, nullptr, site.resources, site);
  Keeping keeping(*store, nullptr, {std::shared_ptr<void>(), &site});  // which outlives it
  std::unique_ptr<audit::Log> log;
  if (is_audited(verb)) log = TRY(pipeline::open_audit_at_rest(site));
  auto result = audited(log.get(), person(::getuid(), says(request)), verb, request,
                        [&] { return perform(operations, keeping, verb, request); });
  log.reset();  // while the store is held: one process at a time writes the trail
  store->close();
  return result;
}

}  // namespace

Result<json> ask_site(const config::Site& site, const std::string& verb, const json& request) {
  return asked_or_at_rest<json>([&] { return ask_engine(site, verb, request); },
                                [&] { return ask_at_rest(site, verb, request); });
}

}  // namespace cannula::ops
