// A channel's Lua script, sandboxed: loaded once a worker, run once a message as a coroutine,
// sliced so that no script starves another. What the sandbox refuses and why:
// docs/explanation/sandbox.md.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "channels/transport/reply.h"
#include "parsers/hl7v2/message.h"
#include "parsers/text/diagnostic.h"
#include "parsers/text/result.h"
#include "rules/language/resources.h"

namespace cannula::script {

// Everything a channel's script is made of, as read when the configuration was loaded. Shared,
// immutable.
struct Program {
  std::string channel;
  std::shared_ptr<const Source> main;  // channels/NAME/main.lua
  std::map<std::string, std::shared_ptr<const Source>>
      modules;                            // lib/NAME.lua, by the name given to require
  std::vector<std::string> destinations;  // the names send() takes
  std::string timezone{};  // of the source, IANA: for times without an offset; empty: not known
  std::string charset{};   // of the source, when MSH-18 is not to be believed; empty: as it says
};

struct Limits {
  std::size_t memory = 64u << 20;        // bytes a Lua state may hold
  std::chrono::milliseconds time{2000};  // of Lua running, a message
  std::chrono::milliseconds unyielding{
      100};  // of Lua running where it cannot be suspended (inside a C callback)
};

// Memory of all Lua states together. Thread-safe.
class MemoryPool {
 public:
  explicit MemoryPool(std::size_t limit) : limit_(limit) {}
  bool take(std::size_t bytes);
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

// The ports a script reaches the engine by. Called on worker threads, for many channels at once.
class Host {
 public:
  virtual ~Host() = default;
  virtual std::int64_t now() const = 0;  // microseconds since 1970-01-01 UTC
  // The channel's durable `state`: the committed JSON text of a key. Writes travel in
  // Conclusion::state_writes.
  virtual std::optional<std::string> state(const std::string& channel,
                                           const std::string& key) const = 0;
  // A named secret of site.toml; the error names it, never its value.
  virtual Result<std::string> secret(const std::string& channel, const std::string& name) const = 0;
  // What came with the answer when the n-th delivery of the message to a destination was made
  // before (Answer::attributes); empty when it was not. May read from the disk.
  virtual Result<std::string> delivered_before(const std::string& /*message*/,
                                               const std::string& /*destination*/,
                                               std::size_t /*n*/) const {
    return std::string();
  }
  // The tables and rule sets as they are now; a run keeps what it began with. Never null.
  virtual std::shared_ptr<const rules::Resources> resources() const = 0;
};

// The answer of a destination, given to on_response(msg, destination, response).
struct Response {
  std::uint32_t ordinal = 0;
  std::string destination;
  Bytes body;                // null when nothing came back
  std::string attributes{};  // what came with it, as Answer::attributes
};

struct Input {
  std::string id;                                // the message's, as text
  Bytes body;                                    // as received
  std::shared_ptr<const hl7v2::Message> parsed;  // of `body`, when someone has parsed it already
  std::int64_t received_at = 0;                  // microseconds since 1970-01-01 UTC
  std::string partner;
  std::string attributes;            // of its Arrival: JSON object or empty
  std::optional<Response> response;  // set: run on_response instead of main
};

struct Send {
  std::string destination;
  Bytes payload;                   // null: the received bytes, unchanged
  std::optional<std::string> key;  // the order key at the destination, when the script gave one
  bool stat = false;
  bool always = false;     // goes also when the run does not finish
  std::string attributes;  // as Parcel::attributes; empty when the script gave none
};

// A lookup that found no row: counted on the worklist.
struct Miss {
  std::string table;
  std::string key;   // its parts joined by U+001F where a table has several key columns
  std::string text;  // what the script knows of the code besides, such as its local name
  friend bool operator==(const Miss&, const Miss&) = default;
};

struct StateWrite {
  std::string key;
  std::optional<std::string> value;  // JSON text; nothing = removed
};

struct Conclusion {
  enum class Kind {
    finished,  // what it sent is to be delivered (nothing sent: done)
    skipped,   // skip(reason)
    parked,    // park(reason)
    rejected,  // reject(reason)
    failed,    // an error, or a limit: the message is dead
  } kind = Kind::finished;
  std::string code;                      // "L2xx" for failed
  std::string reason;                    // with file, line and traceback for an error
  std::vector<Send> sends;               // unless finished only those that go always
  std::vector<StateWrite> state_writes;  // empty unless finished
  std::vector<Miss> misses;              // in the order of the lookups, each once; in every kind
  bool until_mapped = false;             // parked: run again by itself once every miss has its row
  std::optional<Reply> reply;  // finished, skipped or rejected: for a sender that waits for it
  // What the script looked at and said, as JSON lines: {"at","level","text","fields"} for a log
  // line, {"lookup": …} for a lookup, {"rules": …} for a verdict. phi() is masked.
  std::string trace;
  bool hit_limit = false;  // memory, time or pattern budget: the Runtime is now closed
};

class Run;

// One Lua state. Not thread-safe: belongs to one worker. Runs begun from it must end before it
// does.
class Runtime {
 public:
  // Compiles and runs the top level of the script, under the limits. The findings point into `main`
  // or a module.
  static std::variant<std::unique_ptr<Runtime>, std::vector<Diagnostic>> load(
      std::shared_ptr<const Program> program, const Limits& limits, Host& host, MemoryPool& pool);
  virtual ~Runtime() = default;

  virtual std::unique_ptr<Run> begin(Input input) = 0;
  virtual const std::vector<Diagnostic>& warnings() const = 0;  // of its loading, no errors
  virtual bool has_response_handler() const = 0;                // the script defines on_response
  virtual bool closed() const = 0;  // a limit was hit: begin() no longer works, load another
  virtual std::size_t memory_used() const = 0;
};

// One message under way in a Runtime; several may be.
class Run {
 public:
  virtual ~Run() = default;
  enum class Step { suspended, finished };
  // Runs for about `slice`, then suspends where that is possible.
  virtual Step resume(std::chrono::microseconds slice) = 0;
  // After `finished`, once.
  virtual Conclusion conclusion() = 0;
};

// Only compiles: the findings of `cannula check` for a script and its modules. Runs nothing.
std::vector<Diagnostic> check(const Program& program);
// Destinations, tables and rule sets that the script names outright and that are not there, where a
// message would fail: errors L212, L230 and L233. Only compiles, and says nothing of what cannot be
// compiled. In modules, which several channels share, destinations are not looked at.
std::vector<Diagnostic> check_names(const Program& program, const rules::Resources& resources);

}  // namespace cannula::script
