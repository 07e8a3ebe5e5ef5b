#include "engine/ops/control.h"

#include <nlohmann/json.hpp>

#include "engine/ops/prometheus.h"
#include "engine/ops/text.h"

namespace cannula::ops {
namespace {

using nlohmann::json;

json error_json(const Error& error) {
  return json{{"error", {{"code", error.code}, {"message", error.message}, {"hint", error.hint}}}};
}

Result<json> perform(Operations& operations, const std::string& verb, const json& request) {
  try {  // nlohmann/json throws where a member has another type than asked for
    if (verb == "status") return operations.status();
    if (verb == "list") return operations.list(request);
    if (verb == "show") return operations.show(request.value("id", ""));
    if (verb == "unmapped") return operations.unmapped(request);
    if (verb == "resend") return operations.resend(request);
    if (verb == "discard") return operations.discard(request);
  } catch (const json::exception& wrong) {
    return Error{"U201",
                 std::string("the request is not of the form it should have: ") + wrong.what(), "",
                 std::nullopt};
  }
  return Error{"U204", "the engine has no verb \"" + verb + "\"",
               "engine and command line may be of two versions", std::nullopt};
}

}  // namespace

HttpHandler control_handler(pipeline::Engine& engine, Reload reload) {
  return [&engine, reload = std::move(reload)](const HttpRequest& request) -> HttpReply {
    const std::string verb = request.target.substr(std::min<std::size_t>(1, request.target.size()));
    if (verb == "reload") {
      const std::vector<Diagnostic> findings = reload();
      return {findings.empty() ? 200u : 422u, "application/json",
              dump(json{{"findings", render(findings)}})};
    }
    json object = json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
    if (object.is_discarded()) object = json::object();
    Operations operations(engine.store(), &engine, engine.resources());
    auto answer = perform(operations, verb, object);
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
      if (engine.ready()) return {200, "text/plain", "ready\n"};
      return {503, "text/plain", "not ready: starting, stopping, or waiting for the disk\n"};
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

Result<json> ask_site(const config::Site& site, const std::string& verb, const json& request) {
  auto answer = ask(control_socket(site), {"POST", "/" + verb, dump(request)});
  if (answer) {
    json value = json::parse(answer->body, nullptr, false);
    if (value.is_discarded()) {
      return Error{"U203", "the engine's answer cannot be read",
                   "engine and command line may be of two versions", std::nullopt};
    }
    if (auto error = value.find("error"); error != value.end()) {
      return Error{error->value("code", ""), error->value("message", ""), error->value("hint", ""),
                   std::nullopt};
    }
    return value;
  }
  if (answer.error().code != "U202") return answer.error();
  if (!std::filesystem::exists(site.store.directory)) {
    return Error{"U205", "the site has no store yet: " + site.store.directory.string(),
                 "it is made when the site runs for the first time", std::nullopt};
  }
  store::Options options;
  options.directory = site.store.directory;
  options.segment_size = site.store.segment_size;
  auto store = TRY(store::Store::open(options));
  Operations operations(*store, nullptr, site.resources);
  auto result = perform(operations, verb, request);
  store->close();
  return result;
}

}  // namespace cannula::ops
