// One message under way: what the script was given and what it did so far. Lives as long as its
// Run; the objects that the script holds name it by serial number, so that a later use is noticed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/script/machine.h"
#include "engine/script/runtime.h"
#include "parsers/hl7v2/message.h"

namespace cannula::script {

// A message in a script's hands. The received one is shared and copied at the first edit.
class MessageBox {
 public:
  MessageBox(Bytes body, std::shared_ptr<const hl7v2::Message> shared, bool received)
      : body_(std::move(body)), shared_(std::move(shared)), received_(received) {}
  explicit MessageBox(hl7v2::Message message) : own_(std::move(message)) {}

  // Parses at the first call. Throws ScriptError when the bytes are not HL7 v2.
  const hl7v2::Message& read();
  hl7v2::Message& edit();
  const Bytes& bytes();
  // The message's bytes as they are to be sent; null for the received bytes, unchanged.
  Bytes payload();
  bool received() const { return received_; }

 private:
  Bytes body_;
  std::shared_ptr<const hl7v2::Message> shared_;
  std::optional<hl7v2::Message> own_;
  bool received_ = false;
};

struct Session {
  Session(std::uint64_t number, Input given, std::int64_t time)
      : serial(number), input(std::move(given)), now(time) {}

  const std::uint64_t serial;
  Input input;
  const std::int64_t now;  // microseconds since 1970-01-01 UTC, the same for the whole run
  Machine::Usage usage;
  std::size_t charged = 0;  // bytes, given back at the end

  std::deque<MessageBox> messages;  // addresses stay: the script's objects point here
  MessageBox* response_message = nullptr;

  std::vector<Send> sends;
  std::map<std::string, std::optional<std::string>> state_writes;
  std::string trace;
  bool trace_full = false;
  Conclusion::Kind end = Conclusion::Kind::finished;
  std::string end_reason;
};

// Charges `bytes` to the session's script; throws at the limit.
void charge(lua_State* L, Session& session, std::size_t bytes);

}  // namespace cannula::script
