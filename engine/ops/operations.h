// What an operator asks of a site and does to it: one implementation for the command line (on a
// store it has opened itself, when no engine runs) and for the control socket of a running engine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/store/store.h"
#include "parsers/text/result.h"

namespace cannula::config {
struct Site;
}
namespace cannula::pipeline {
class ActLog;
struct Act;
struct BulkOrder;
class Engine;
}  // namespace cannula::pipeline
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
  // `site` is the one in use, and outlives the Operations.
  Operations(store::Store& store, pipeline::Engine* engine,
             std::shared_ptr<const rules::Resources> resources, const config::Site& site)
      : store_(store), engine_(engine), resources_(std::move(resources)), site_(site) {}

  // {"running", "channels": {NAME: {"messages": {STATE: n}, "destinations": {NAME: {STATE: n}},
  // "address", "paused", …}}}
  Result<nlohmann::json> status() const;
  // How large the store is and where: {"identity", "journal": {"segments", "begin", "end", "bytes",
  // "file_bytes"}, "index": {"bytes", "up_to"}, "audit_bytes", "other_bytes", "free_bytes",
  // "messages", "bytes_per_message", "oldest", "newest", "counts": [{"channel", "destination",
  // "state", "count"}…]}. "end" is where the journal is on disk.
  Result<nlohmann::json> store_stats() const;
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
  // Instead of "delivery" resend() takes "destination", for its deliveries to it ("*": to all);
  // answers {"resent": id, "deliveries": n}.
  Result<nlohmann::json> resend(const nlohmann::json& asked);
  Result<nlohmann::json> discard(const nlohmann::json& asked);
  // {"channel", "parts" (of "intake", "work", "to:NAME"; empty or absent: all of it), "paused",
  // "actor", "reason"}; answers {"channel", "paused", "parts"}.
  Result<nlohmann::json> pause(const nlohmann::json& asked);
  // The begin or the end of a backup that another process makes: {"actor", "to", "outcome", "began"
  // (of one that is made: microseconds since 1970), …}; answers {}. Entered, and the time is kept.
  Result<nlohmann::json> backup(const nlohmann::json& asked);
  // What has died, is held or the like, by its cause: {"groups": [{"channel", "destination" (empty:
  // the message itself), "state", "code", "place", "count", "first_at", "last_at", "sample"}…],
  // "total"}, the largest first. Asked as many_of() reads it.
  Result<nlohmann::json> causes(const nlohmann::json& asked) const;
  // Sends all that is asked for again, or ends it: as for causes(), and {"rate", "actor",
  // "reason"}. Answers with how far it is (of a running engine it goes on by itself): {"replay":
  // number, "act", "state", "total", "done", "passed_over", …}.
  Result<nlohmann::json> replay(const nlohmann::json& asked);
  Result<nlohmann::json> discard_waiting(const nlohmann::json& asked);
  // {"replays": [progress…]}, the newest first; only one when asked {"replay": number}.
  Result<nlohmann::json> replays(const nlohmann::json& asked) const;
  // {"replay": number, "actor"}; answers with how far it came.
  Result<nlohmann::json> cancel_replay(const nlohmann::json& asked);
  // A new message of another one: {"id", "body" or "body_base64" or "set": [[path, value]…],
  // "actor", "reason", "force" (optional)}; answers {"edited": id, "as": id}, and where it has
  // other segments than the original "segments": {NAME: how many more} and "differs", which says
  // so. P338 for what looks like a mistake (edited_message.h), unless forced.
  Result<nlohmann::json> edit(const nlohmann::json& asked);
  // {"acts": [act…]}, the newest first. Query: {"limit", "channel" (optional)}.
  Result<nlohmann::json> acts(const nlohmann::json& query) const;

 private:
  Result<void> known_channel(const std::string& name) const;
  Result<void> known_destination(const std::string& name) const;
  Result<nlohmann::json> begin(pipeline::BulkOrder order);
  Result<nlohmann::json> resend_deliveries(MessageId id, const nlohmann::json& asked);
  Result<Bytes> edited_body(const store::MessageRow& row, const nlohmann::json& asked) const;
  Result<std::unique_ptr<pipeline::ActLog>> act_log_at_rest() const;
  Result<void> know_channel(const std::string& name) const;
  Result<std::vector<pipeline::Act>> pauses() const;
  std::vector<std::string> why_not_at_once(MessageId id, std::uint32_t ordinal) const;
  bool engine_has_paused_work_of(const std::string& channel) const;
  Result<void> record_pause(const std::string& channel, const std::string& part, bool paused,
                            const std::string& actor, const std::string& reason);
  store::Store& store_;
  pipeline::Engine* engine_;
  std::shared_ptr<const rules::Resources> resources_;
  const config::Site& site_;
};

}  // namespace cannula::ops
