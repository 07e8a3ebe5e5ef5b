// What a transport gives the engine: receivers, which take messages in for a channel, and senders,
// which deliver them to a destination; and the ports that both are given. One Transport value a
// folder, wired in engine/app.cpp.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "channels/transport/intake.h"
#include "channels/transport/options.h"

namespace cannula {

// Where a transport says what happened on the wire: logged under the channel's name and counted.
// Text is without patient data. Any thread.
class Report {
 public:
  virtual ~Report() = default;
  enum class Level { debug, info, warning, error };
  virtual void log(Level level, std::string_view text) = 0;
  // Adds to a counter of the channel or destination, such as "connections_total",
  // "bytes_received_total".
  virtual void count(std::string_view counter, std::int64_t by = 1) = 0;
  // A connection that came from `address` and brought nothing, because it was refused, evicted or
  // did not agree on TLS: counted, and put on record where account is kept of such.
  virtual void turned_away(std::string_view counter, const std::string& /*address*/,
                           const Error& /*why*/) {
    count(counter);
  }
  // A source that goes to where its messages are, to a server or a folder, says at each try whether
  // it got there. Until it does the channel takes nothing, and only the status can tell.
  virtual void reached() {}
  virtual void not_reached(const Error& /*why*/) {}
};

// The ports a receiver or sender is given. The references outlive it.
struct Ports {
  boost::asio::any_io_executor executor;  // one thread serves it: no locks are needed on top of it
  Report& report;
  // Reads a secret when it is needed; the error names the variable or file, never the value.
  std::function<Result<std::string>(const SecretReference&)> secret;
  std::filesystem::path site;  // what relative paths of the configuration start from
};

// Takes messages in for one channel ("source" in its configuration). All members are called on its
// executor.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // Opens whatever it listens on or watches; nothing is taken in before. The error names the
  // address or folder.
  virtual Result<void> start() = 0;
  // Takes nothing new, finishes what is being offered and answered, for at most `grace`, then
  // closes.
  virtual boost::asio::awaitable<void> stop(std::chrono::milliseconds grace) = 0;
  // What it is reached by, with the port really bound: "127.0.0.1:2575". Empty when it does not
  // listen.
  virtual std::string address() const = 0;
};

// One delivery on its way.
struct Parcel {
  MessageId message;
  std::string key;  // idempotency key, the same at every attempt: "0K2H8ZQ4R7T1C-ehr-1"
  Bytes payload;
  std::string event;  // of the message it came from
  std::string channel;
  // What the script asked of this delivery beyond the payload, as a JSON object, or empty: of HTTP
  // {"method", "path", "headers": {name: text}, "content_type"}.
  std::string attributes{};
  // Of the attempt that delivered it before, when it is delivered again: its Answer::attributes, by
  // which a transport knows what the other side made of it. Otherwise empty.
  std::string before{};
  // Tells the deliveries of one message to one destination apart, and is the same when a later run
  // of the script asks for them again: empty for the first that a run of main() asked for, "2" for
  // its second; "r5" for what on_response asked for, by the number of the delivery.
  std::string among{};
};

// How an attempt ended. Only `delivered` and `refused` are the other side's word; in doubt it is
// `retry`.
struct Answer {
  enum class Kind {
    delivered,  // the other side has it
    retry,  // it may or may not have it: no connection, time-out, closed, busy; the same parcel is
            // sent again
    refused,  // it read it and will not take it (AR, AE, 4xx): sending it again would not help
  } kind = Kind::retry;
  Bytes response;  // what came back, whole; null when nothing did
  Error reason;    // for retry and refused
  std::optional<std::chrono::milliseconds> retry_after;  // the other side's own wish
  // What came with `response`, as a JSON object, or empty: of HTTP {"status": 201, "headers":
  // {name: text}} with names in small letters.
  std::string attributes{};
  // `reason` has no word of the other side's, although there is a response: it may be logged.
  bool own_words = false;
  // The other side's words that belong to `reason`, with control characters made visible. Kept with
  // the message, and never logged: they may name a patient.
  std::string quoted{};
  // What came back and is no answer to this parcel (cut off, garbage, an answer to something else),
  // as it came and as far as it is kept; only where `response` is null. It is kept with the attempt
  // as a response is, and says nothing of what the other side made of the parcel.
  Bytes received{};
};

// Delivers to one destination. Several deliver() may be under way at once, up to concurrency(); the
// engine never has two of one order key under way. All members are called on its executor.
class Sender {
 public:
  virtual ~Sender() = default;
  // Once, before the first deliver(), when the destination it belongs to is in use. `reachable` may
  // be called from then on, on the executor, when an other side that was away is known to be there
  // again, so that nothing waits for its next attempt any longer.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): senders keep it
  virtual void start(std::function<void()> /*reachable*/) {}
  virtual boost::asio::awaitable<Answer> deliver(const Parcel& parcel) = 0;
  virtual std::size_t concurrency() const = 0;
  // Ends deliveries under way (they answer `retry`) and closes connections.
  virtual boost::asio::awaitable<void> stop() = 0;
};

struct Transport {
  std::string_view type;                        // "mllp"
  std::string_view description;                 // a sentence for the reference
  std::span<const Option> source_options;       // empty: cannot be a source
  std::span<const Option> destination_options;  // empty: cannot be a destination
  std::function<Result<std::unique_ptr<Receiver>>(const Values&, Ports, Intake&)> make_receiver;
  std::function<Result<std::unique_ptr<Sender>>(const Values&, Ports)> make_sender;
  // What is wrong with values that are right one by one, such as two that exclude each other; asked
  // by `cannula check`. May be empty.
  std::function<Result<void>(const Values&)> check_source{};
  std::function<Result<void>(const Values&)> check_destination{};
  // What stands on this machine in the way of a source with these values, such as a link where a
  // folder should be; the path is the site's. Asked by `cannula check` only, which may run as
  // another user than the engine, and elsewhere: what is not there yet is no error. May be empty.
  std::function<Result<void>(const Values&, const std::filesystem::path&)> look_at_source{};
};

}  // namespace cannula
