// What a message can be found by without anybody being able to read it in the index.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/store.h"
#include "parsers/hl7v2/message.h"

namespace cannula::pipeline {

// Keyed hashes of the patient's numbers (PID-3.1, each repetition), the name (PID-5.1, and with the
// given name PID-5.2), and the accession or filler numbers (OBR-3.1, OBR-18, ORC-3.1). At most a
// few dozen.
//
// A name is hashed as the text that it is in the message's character set, folded
// (parsers/text/fold.h). One with other characters than ASCII has its hash as the bytes that came
// besides, which is what it was looked for by in earlier versions: holds of then are still in
// force. Numbers are hashed as they came.
//
// `message` is of `body`, null where that could not be parsed: a message in UTF-16 is decoded here.
// `body` may be null without a message. `charset` is the channel's, empty where it has none.
std::vector<std::uint64_t> search_keys_of(const hl7v2::Message* message, const Bytes& body,
                                          std::string_view charset, const store::Store& store);

// The hashes of what a person typed, in UTF-8: a message that has one of them is meant. Case of
// ASCII letters, blanks around, and whether family and given name are parted by a comma or `^` make
// no difference; in names neither do the case of other letters and how accents are written.
store::SearchKeys search_keys_for(std::string_view kind, std::string_view text,
                                  const store::Store& store);

}  // namespace cannula::pipeline
