// The port through which a source hands messages to the engine. Implemented by engine/pipeline;
// sources know no more of the engine than this.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "channels/transport/message_id.h"
#include "channels/transport/reply.h"
#include "parsers/text/result.h"

namespace cannula {

// Who is on the other end of a connection.
struct Peer {
  std::string address;  // "10.1.2.3" or "::1", without the port
  std::vector<std::string>
      certificate_names;  // subject alternative names of a verified client certificate
  bool over_tls = false;
};

// A message as it came from the wire, with what the transport could see of it without parsing the
// body.
struct Arrival {
  Bytes body;         // exactly the bytes received, without the transport's framing
  std::string event;  // MSH-9 as "ORU^R01", or the transport's own word; empty when there is none
  std::string control_id;  // MSH-10 or the transport's own id; empty when there is none
  std::string peer_address;
  std::string attributes;  // what else the transport knows, as a JSON object, or empty
  // Set when the transport already knows that this cannot be taken (no MSH, cut off): it is kept on
  // record as rejected.
  std::optional<Error> defect;
  // Who sent it, in the transport's words (of HL7 v2 MSH-3 and MSH-4): control ids are unique
  // within one sender only.
  std::string sender{};
};

enum class Disposition {
  accepted,  // on disk; it will be worked and delivered
  refused,   // will never be taken as it is (not allowed, not readable); on record as rejected
  failed,    // could not be taken now (disk full, stopping); nothing is kept, the sender should try
             // again
};

struct Receipt {
  Disposition disposition = Disposition::failed;
  MessageId id;  // none when failed
  Error reason;  // why refused or failed; what the acknowledgement tells the sender
  // What the channel's script answers, in place of the transport's own acknowledgement; also with
  // `refused`, when the script replied before it rejected.
  std::optional<Reply> reply;
};

class Intake {
 public:
  virtual ~Intake() = default;

  // May this peer connect to this channel at all (address allow-list, certificate)? Asked once a
  // connection, before anything is read. A refusal is audited here; the source then closes without
  // an answer.
  virtual Result<void> admit(const Peer& peer) = 0;
  // Whether an address by itself would be admitted, as long as it need show no certificate. Asked
  // when a connection comes, before it costs a handshake or takes the place of another; who may not
  // is then named to admit(), for the log and the audit. Any thread, also when the intake has gone.
  // Empty: every address would.
  virtual std::function<bool(const std::string& address)> address_filter() const { return {}; }

  // Why nothing is taken just now (the disk is nearly full, people have paused it): a source that
  // fetches leaves what it would find where it is. Nothing: offer away.
  virtual std::optional<Error> closed() const { return std::nullopt; }

  // Takes messages in this order and returns one receipt for each, in the same order, when the
  // channel's `ack` says so: after they are on disk (`stored`), after the script has run
  // (`processed`), after a destination has it (`delivered:…`). All messages offered at once share
  // one wait for the disk. Does not return while the engine has no room: not reading on meanwhile
  // is the back-pressure. Called and resumed on the source's executor.
  virtual boost::asio::awaitable<std::vector<Receipt>> offer(const Peer& peer,
                                                             std::vector<Arrival> arrivals) = 0;
};

}  // namespace cannula
