// What an operator asks about keeping and forgetting: what is due, forgetting it now, legal holds.
// As Operations: on a store that was opened for it, or of a running engine.
#pragma once

#include <memory>

#include <nlohmann/json_fwd.hpp>

#include "engine/config/site.h"
#include "engine/pipeline/holds.h"
#include "engine/store/store.h"

namespace cannula::pipeline {
class Engine;
}
namespace cannula::store {
struct PruneReport;
}

namespace cannula::ops {

// Thread-safe.
class Keeping {
 public:
  // `engine` is null when none runs.
  Keeping(store::Store& store, pipeline::Engine* engine, std::shared_ptr<const config::Site> site)
      : store_(store), engine_(engine), site_(std::move(site)) {}

  static nlohmann::json progress_json(const store::PruneReport& report);
  // Forgets all that is due and gives its room back, or tells what that would be: {"dry_run",
  // "actor"}. Of a running engine it goes on by itself. Answers, as pruning() does, with {"state":
  // "running", "done", "failed" or "ended_early", "dry_run", "messages", "bodies", "bytes" (about,
  // in the journal), "channels": {NAME: {"messages", "bodies", "bytes"}}, "held": {WHY: messages},
  // "segments": {"packed", "removed", "pinned", "damaged", "without_room"}, "bytes_freed",
  // "error"}.
  Result<nlohmann::json> prune(const nlohmann::json& asked);
  Result<nlohmann::json> pruning() const;

  // {"id", "mrn", "accession", "name", "channel", "from", "to", "actor", "reason"}: all that is
  // given has to be so. Answers {"hold": {…}, "messages": how many it covers now, of up to 10,000}.
  Result<nlohmann::json> hold(const nlohmann::json& asked);
  // {"hold", "actor", "reason"}; answers {"released": {…}}.
  Result<nlohmann::json> release(const nlohmann::json& asked);
  // {"holds": [{"hold", "what", "at", "actor", "reason", "message", "kind", "channel", "from",
  // "to"}…]}
  Result<nlohmann::json> holds() const;

 private:
  template <class Act>
  auto with_holds(Act act) const -> decltype(act(std::declval<pipeline::Holds&>()));

  store::Store& store_;
  pipeline::Engine* engine_;
  std::shared_ptr<const config::Site> site_;
};

}  // namespace cannula::ops
