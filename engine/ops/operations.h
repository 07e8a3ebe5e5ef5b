// What an operator asks of a site and does to it: one implementation for the command line (on a
// store it has opened itself, when no engine runs) and for the control socket of a running engine.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/store/store.h"
#include "parsers/text/result.h"

namespace cannula::pipeline {
class Engine;
}
namespace cannula::rules {
struct Resources;
}

namespace cannula::ops {

// Thread-safe. Every answer is JSON whose text is valid UTF-8; bytes that are not are given in
// base64.
class Operations {
 public:
  // `engine` is null when none runs: then resend and discard only write what a later start acts on.
  // `resources` are the tables in use; not null.
  Operations(store::Store& store, pipeline::Engine* engine,
             std::shared_ptr<const rules::Resources> resources)
      : store_(store), engine_(engine), resources_(std::move(resources)) {}

  // {"running", "channels": {NAME: {"messages": {STATE: n}, "destinations": {NAME: {STATE: n}},
  // "address", "paused", …}}}
  Result<nlohmann::json> status() const;
  // Query: {"channel", "state", "control_id", "destination", "delivery_state", "limit",
  // "oldest_first"}, all optional. Answer: {"messages": [row…]}.
  Result<nlohmann::json> list(const nlohmann::json& query) const;
  // {"message": row, "deliveries": [row…], "trail": [record…]}: all that is known of one message,
  // bodies included.
  Result<nlohmann::json> show(const std::string& id) const;
  // The worklist: what lookups did not find and what no table has still. Query: {"table", "limit"},
  // optional. Answer: {"unmapped": [{"table", "key", "text", "channel", "count", "first_at",
  // "last_at", "sample", "waiting"}…]}, the most frequent first.
  Result<nlohmann::json> unmapped(const nlohmann::json& query) const;
  // {"id", "delivery" (0 or absent: the message), "actor", "reason"}; answers {"resent": id}.
  Result<nlohmann::json> resend(const nlohmann::json& asked);
  Result<nlohmann::json> discard(const nlohmann::json& asked);

 private:
  store::Store& store_;
  pipeline::Engine* engine_;
  std::shared_ptr<const rules::Resources> resources_;
};

}  // namespace cannula::ops
