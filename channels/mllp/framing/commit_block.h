// The commit acknowledgement of MLLP release 2 (ANSI/HL7 V3 TRMLLP R2-2006): a block of one byte,
// by which the receiver of a block says whether it has it in safe storage.
#pragma once

#include <optional>
#include <string_view>

namespace cannula::mllp {

constexpr std::string_view kCommitted = "\x0B\x06\x1C\r";     // VT ACK FS CR
constexpr std::string_view kNotCommitted = "\x0B\x15\x1C\r";  // VT NAK FS CR

// What the content of a frame says as a commit acknowledgement; nothing when it is none. No message
// can be taken for one: it would have one byte.
constexpr std::optional<bool> committed(std::string_view content) {
  if (content == "\x06") return true;
  if (content == "\x15") return false;
  return std::nullopt;
}

}  // namespace cannula::mllp
