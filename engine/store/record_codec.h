// Records as bytes. Numbers are varints (7 bits a byte, low ones first), texts a varint length and
// their bytes, lists a count and for each entry its length. Fields stand in a fixed order and new
// ones are added at the end: a reader skips what it does not know and takes the default for what is
// not there. Layout: docs/reference/store-format.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/store/record.h"
#include "parsers/text/result.h"

namespace cannula::store {

enum class RecordType : std::uint8_t {
  closed = 0,  // no record: the journal was closed cleanly here
  accepted = 1,
  outcome = 2,
  attempt = 3,
  resent = 4,
  discarded = 5,
  forgotten = 6,
  ledger = 7,
};

RecordType type_of(const Record& record);
const std::string& channel_of(const Record& record);

// Appends the payload of a frame. Its first eight bytes are the message id, so that it can be
// filled in later.
void encode(const Record& record, std::string& into);
void put_message_id(char* payload, MessageId id);

// Takes any bytes; J108 when they are no record. `closed` and unknown types are no records either.
Result<Record> decode(RecordType type, std::string_view payload);
// The message id without the rest; 0 when the payload is too short.
MessageId message_id_of(std::string_view payload);

}  // namespace cannula::store
