// One entry of the audit trail: who did what to which object, when, and what came of it. Never what
// a message says: of a patient's data only the message's id may stand here.
// Form on disk: docs/reference/audit-trail.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "parsers/text/result.h"

namespace cannula::audit {

struct Actor {
  enum class Kind {
    engine,   // of itself: a start, a table taken in
    person,   // at the command line or the control socket
    partner,  // the other side of a connection
  };
  Kind kind = Kind::engine;
  std::string name{};                  // login name of the uid; the partner's name
  std::optional<std::uint32_t> uid{};  // of a person, as the kernel says (SO_PEERCRED)
  std::string says{};                  // whom a person says to be, such as $SUDO_USER; unchecked
  std::string address{};               // of a partner
};

struct Object {  // what is empty is not said
  std::string message{};
  std::uint32_t delivery = 0;
  std::string channel{};
  std::string destination{};
  std::string file{};
  std::string key{};  // the name of a key, never the key
};

enum class Outcome {
  begun,    // an act that changes something; an entry with its end follows
  done,     // as asked
  refused,  // not allowed, or not possible as things stand
  failed,   // something of ours failed
};

struct Entry {
  Actor actor{};
  std::string act{};  // "message.show", "engine.start"; the list is in the reference
  Object object{};
  Outcome outcome = Outcome::done;
  std::string code{};    // of an error
  std::string reason{};  // a person's, or the error's
  std::map<std::string, std::string> detail{};
};

// Acts that say something of the trail itself: it was not as it had been left (the engine); a
// person stands for it up to an entry, an anchor in detail "up_to".
constexpr const char* kDamaged = "audit.damaged";
constexpr const char* kAccept = "audit.accept";

std::string_view name_of(Actor::Kind kind);
std::string_view name_of(Outcome outcome);

// Where a trail ends: what the next entry continues.
struct Head {
  std::uint64_t sequence = 0;  // of the last entry; 0: there is none
  std::string mac = std::string(64, '0');
};

// "NUMBER:SEAL", as the engine's log and `audit verify` say where a trail stands.
std::string anchor_text(const Head& head);
// Nothing when it is none.
std::optional<Head> anchor_of(std::string_view text);

// Seals entries: SHA-256 of a line, or HMAC-SHA-256 when there is a key. Thread-safe.
class Sealer {
 public:
  Sealer() = default;
  explicit Sealer(std::string key);

  // 64 hexadecimal digits.
  std::string mac(std::string_view bytes) const;
  // Tells keys apart without telling them: 8 hexadecimal digits, empty without a key.
  const std::string& key_id() const { return key_id_; }

 private:
  std::string key_;
  std::string key_id_;
};

// The entry as a line of JSON without line end, that continues `before`. `at`: microseconds since
// 1970. Texts longer than 2000 bytes are cut; what is not UTF-8 is replaced.
std::string line_of(const Entry& entry, std::int64_t at, const Head& before, const Sealer& sealer);

// A line taken apart as far as the chain needs it.
struct ChainLink {
  std::uint64_t sequence = 0;
  std::string before;
  std::string mac;
  std::string key_id;
  std::string_view sealed;  // the bytes that the mac is of
};
// Nothing when it is not a line that line_of() could have written. Views point into `line`.
std::optional<ChainLink> link_of(std::string_view line);

// SHA-256 in hexadecimal digits.
std::string sha256(std::string_view bytes);

// "2026-11-23T15:04:05.123456Z"
std::string time_text(std::int64_t at);

}  // namespace cannula::audit
