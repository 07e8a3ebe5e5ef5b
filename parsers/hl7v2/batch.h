// A batch or file: [FHS]{[BHS]{MSH …}[BTS]}[FTS], or simply several messages one after the other
// (HL7 v2 2.10.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/hl7v2/delimiters.h"
#include "parsers/text/result.h"
#include "parsers/text/span.h"

namespace cannula::hl7v2 {

// Where each message of `bytes` stands, from its MSH up to the next MSH, batch or file segment, or
// the end; MLLP start and end blocks between messages belong to none. Empty when there is no MSH at
// the start of a line.
std::vector<Span> split_messages(std::string_view bytes);

// Whether there is more than one message, or a batch or file header (FHS, BHS) before the first.
bool is_batch(std::string_view bytes);

// How many lines begin a message or belong to an envelope (MSH, FHS, BHS, BTS, FTS). Counts no
// further than `most`.
std::size_t count_headers(std::string_view bytes, std::size_t most);

// The first line behind the one that `bytes` begin with that begins a message or belongs to an
// envelope (MSH, FHS, BHS, BTS, FTS), also behind a start block (VT) within a line: where readers
// may find another message than the one that the first line announces. Nothing when there is none.
struct HeaderLine {
  Span name;             // where it stands
  std::size_t line = 1;  // counted as lines are, segments therefore; VT ends none
};
std::optional<HeaderLine> second_header(std::string_view bytes);

// FHS or BHS, whose fields have the same places (2.14.2, 2.14.6). Views into the bytes read, as
// encoded text.
struct BatchHeader {
  std::string_view text;  // the whole segment, without its end
  Delimiters delimiters;
  std::string_view encoding_characters;    // 2
  std::string_view sending_application;    // 3
  std::string_view sending_facility;       // 4
  std::string_view receiving_application;  // 5
  std::string_view receiving_facility;     // 6
  std::string_view name;                   // 9: name, id or type
  std::string_view control_id;             // 11
  std::string_view reference;              // 12: control id of the batch that this one answers

  // nullopt when the segment does not name its delimiters.
  static std::optional<BatchHeader> read(std::string_view segment);
};

// What stands between BHS and BTS, or messages that stand in no batch.
struct MessageBatch {
  std::optional<BatchHeader> header;
  std::vector<Span> messages;
  std::string_view trailer{};              // BTS, empty when it is not there
  std::optional<std::uint64_t> announced;  // BTS-1, the count of messages
};

// A file of batches, taken apart. Views into the bytes read.
struct BatchFile {
  std::optional<BatchHeader> header;
  std::vector<MessageBatch> batches;
  std::string_view trailer{};              // FTS
  std::optional<std::uint64_t> announced;  // FTS-1, the count of batches
  // What does not agree (H50x): counts, headers without trailers. The messages are good as they
  // are.
  std::vector<Error> findings;

  std::size_t message_count() const;
  // Never fails: what is no envelope belongs to the message before it, and what comes before the
  // first message and is neither is left out.
  static BatchFile read(std::string_view bytes);
};

// For writing an envelope; texts are plain.
struct BatchDetails {
  std::int64_t time = 0;        // microseconds since 1970-01-01 UTC, for FHS-7 and BHS-7
  std::string_view control_id;  // FHS-11 and BHS-11
  std::string_view comment{};   // BTS-2
  std::string_view name{};      // BHS-9 and FHS-9: name, id or type
};

// The batch that answers `file`: envelopes with the addresses swapped where it had some, with
// FHS-12 and BHS-12 naming what they answer and counts in BTS-1 and FTS-1. `answers` has one text
// for each message, in order over all batches, empty where that one is not to be acknowledged (the
// receiver acknowledges errors only, 2.10.3.3): a batch may be empty.
std::string acknowledge_batch(const BatchFile& file, const std::vector<std::string>& answers,
                              const BatchDetails& details);

// Puts messages into one batch, addressed as its first message is: BHS, the messages, BTS; `file`
// puts FHS and FTS around it. Each ends with CR. Empty for no messages, or when the first has no
// readable MSH.
std::string build_batch(const std::vector<std::string_view>& messages, const BatchDetails& details,
                        bool file = false);

}  // namespace cannula::hl7v2
