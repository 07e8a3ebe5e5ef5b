// One message under way: what the script was given and what it did so far. Lives as long as its
// Run; the objects that the script holds name it by serial number, so that a later use is noticed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/script/machine.h"
#include "engine/script/runtime.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/message.h"
#include "parsers/tree/document.h"

namespace cannula::script {

// A message in a script's hands. Its texts are UTF-8, whatever character set it came in
// (parsers/hl7v2/encoding.h); its bytes are in that set. The received one is shared and copied at
// the first edit.
class MessageBox {
 public:
  enum class From { source, destination, script };
  // `parsed` is of `body`, when someone has parsed it already.
  // `told`: the character set that the channel's configuration gives its source.
  MessageBox(Bytes body, std::shared_ptr<const hl7v2::Message> parsed, From from,
             std::optional<CharacterSet> told = std::nullopt)
      : body_(std::move(body)), shared_(std::move(parsed)), from_(from), told_(told) {}

  // Parses at the first call. Throws ScriptError when the bytes are not HL7 v2.
  const hl7v2::Message& read();
  hl7v2::Message& edit();
  // Throws ScriptError when the message's character set cannot hold a text to be written.
  void check_writable(std::string_view text);
  MessageBox copy();

  const Bytes& bytes() const { return body_; }  // as received, or as the script wrote it
  std::string encode();                         // as it is to be sent
  Bytes payload();  // the same; null for the bytes of the source, unchanged
  bool received() const { return from_ == From::source; }
  // What was odd about the character set: warnings, known after the first read().
  std::span<const Diagnostic> findings() const { return findings_; }

 private:
  const hl7v2::Encoding& encoding();
  hl7v2::Decoded decode() const;

  Bytes body_;  // not null
  std::shared_ptr<const hl7v2::Message> shared_;
  bool read_ = false;   // shared_ is there, and UTF-8
  bool plain_ = false;  // it came as ASCII: encoding_ is looked up when a text is written
  std::optional<hl7v2::Encoding> encoding_;
  std::vector<Diagnostic> findings_;
  std::optional<hl7v2::Message> own_;
  From from_;
  std::optional<CharacterSet> told_;
};

// A document in a script's hands: parsed at the first use, or made by the script. One box holds
// all that a run makes without bytes of its own (Session::made), as trees side by side.
class DocumentBox {
 public:
  enum class From { source, destination, script };
  // `body` may be null: an empty document. Bytes that are not JSON are an empty document too,
  // unless they begin like one.
  // `memory`, in bytes, bounds what the document may take while it is parsed.
  DocumentBox(Bytes body, From from, std::size_t memory)
      : body_(std::move(body)), from_(from), memory_(memory) {}

  static bool looks_like_json(std::string_view text);

  // Parses at the first call. Throws ScriptError when the bytes are not JSON.
  tree::Document& read();
  bool received() const { return from_ == From::source; }
  const Bytes& bytes() const { return body_; }
  std::vector<Diagnostic> findings() const;

  // For another run: as new, with room.
  void clear();

  std::size_t charged = 0;  // of the document's memory, to the script
  std::uint64_t edits = 0;  // by the script, of any tree in here

 private:
  Bytes body_;
  From from_;
  std::size_t memory_;
  bool parsed_ = false;
  tree::Document document_;
};

struct Session {
  Session(std::uint64_t number, Input given, std::int64_t time,
          std::shared_ptr<const rules::Resources> known)
      : serial(number), input(std::move(given)), now(time), resources(std::move(known)) {}

  const std::uint64_t serial;
  Input input;
  const std::int64_t now;  // microseconds since 1970-01-01 UTC, the same for the whole run
  const std::shared_ptr<const rules::Resources> resources;  // the same for the whole run
  Machine::Usage usage;
  std::size_t charged = 0;  // bytes, given back at the end

  std::deque<MessageBox> messages;  // addresses stay: the script's objects point here
  MessageBox* response_message = nullptr;
  std::deque<DocumentBox> documents;
  std::unique_ptr<DocumentBox> made;  // what the script makes itself
  DocumentBox* response_document = nullptr;
  std::uint32_t references = 0;     // how many urn:uuid the run made
  std::uint32_t made_messages = 0;  // by hl7.new

  std::deque<rules::Verdict> verdicts;

  std::vector<Send> sends;
  std::vector<Miss> misses;
  std::optional<Reply> reply;
  std::map<std::string, std::optional<std::string>> state_writes;
  std::string trace;
  bool trace_full = false;
  Conclusion::Kind end = Conclusion::Kind::finished;
  std::string end_reason;
  bool until_mapped = false;
};

// Charges `bytes` to the session's script; throws at the limit.
void charge(lua_State* L, Session& session, std::size_t bytes);
// Charges what the document grew by since it was charged last.
void charge(lua_State* L, Session& session, DocumentBox& box);

}  // namespace cannula::script
