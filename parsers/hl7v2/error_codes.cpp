#include "parsers/hl7v2/error_codes.h"

#include <array>

namespace cannula::hl7v2 {
namespace {

constexpr std::array kCodes = {
    ErrorCode{"H001", "A path cannot be read",
              "A path names a segment, a field and, where wanted, repetition, component and "
              "subcomponent: PID-3, "
              "PID-3[2].1, OBX[*]-5, or 3.1 inside a segment. The message names the character "
              "where reading stopped and "
              "what was expected there."},
    ErrorCode{"H002", "A number in a path is out of range",
              "Everything in HL7 counts from 1. Fields, repetitions and components go up to 65535, "
              "segments to 9999999. "
              "A zero is nearly always an index that was counted from 0."},
    ErrorCode{"H101", "No MSH segment at the start",
              "A message begins with MSH, behind nothing but blanks, a byte order mark or an MLLP "
              "start block. The error "
              "shows the first characters found instead. Look for a sender that speaks another "
              "format (XML, JSON, HTTP) "
              "to this port, for UTF-16, or for a file that was cut."},
    ErrorCode{"H102", "MSH does not name its delimiters",
              "MSH-1 is the character behind the name, MSH-2 the characters up to the next field "
              "separator, as a rule "
              "^~\\&. The segment ends before them, or MSH-2 is empty, so the message cannot be "
              "divided."},
    ErrorCode{"H103", "A character cannot be a delimiter",
              "Delimiters are punctuation characters of ASCII, each used once. Letters, digits, "
              "blanks and the quotation "
              "mark would make values ambiguous. The sender must correct MSH-1 or MSH-2."},
    ErrorCode{"H104", "The message is too large",
              "Offsets have 32 bits, so a message may have up to 4 GB. Documents of that size "
              "belong beside a message, with "
              "a reference (RP) in OBX-5."},
    ErrorCode{"H105", "A batch where one message was expected",
              "The bytes begin with FHS or BHS. A file source splits batches into their messages; "
              "an MLLP sender must send "
              "each message in a frame of its own."},
    ErrorCode{"H201", "A line does not begin with a segment name",
              "A segment name is a capital letter and two capitals or digits. Often the line "
              "before holds a text with a line "
              "feed, which should have been escaped. The line is kept byte for byte."},
    ErrorCode{"H202", "A required field of MSH is empty",
              "MSH-9, MSH-10, MSH-11 and MSH-12 are required by every version of the standard. The "
              "message is worked "
              "nevertheless."},
    ErrorCode{"H203", "MSH-2 has an unusual length",
              "Four characters, or five with the truncation character of version 2.7, are "
              "expected. With ^~& there is no "
              "escape character, and special characters cannot be sent."},
    ErrorCode{"H204", "A second MSH segment",
              "Several messages stand in one frame or file. Everything behind the second MSH is "
              "taken for a part of the "
              "first message."},
    ErrorCode{"H205", "A segment without fields", "A name alone says nothing. It is kept."},
    ErrorCode{"H206", "OBX-5 without a type in OBX-2",
              "OBX-2 says how OBX-5 is to be read. Without it the value is read as it looks."},
    ErrorCode{"H207", "A zero byte",
              "Zero bytes are not text in any character set that HL7 v2 uses. The message may be "
              "UTF-16, or hold binary data "
              "that should be Base64."},
    ErrorCode{"H208", "A block character of MLLP beside the message",
              "Messages are sent between the bytes 0B and 1C. Somebody stored them with the "
              "message. They belong to no segment, are kept, and change nothing."},
    ErrorCode{"H209", "There are more findings",
              "Only as many findings are listed as were asked for."},
    ErrorCode{"H301", "A place that cannot be written",
              "Fields and their parts are written; segments are added and removed. MSH-1 and MSH-2 "
              "say how the message is "
              "divided and stay as received."},
    ErrorCode{"H302", "A segment that is no longer in the message",
              "It was removed by the script, or belongs to another message. Look it up again."},
    ErrorCode{"H303", "A text that cannot be added as a segment",
              "It begins with a name of three capitals or digits, then encoded fields: "
              "NTE|1||text. A line end in it would "
              "make two segments."},
    ErrorCode{"H304", "A segment beyond the next one",
              "Writing to a segment that is not there adds it, but only the next of its name: "
              "OBX[3] where there are two. "
              "The error says which one that is."},
    ErrorCode{"H305", "The message has no delimiter for this",
              "MSH-2 names no repetition separator or subcomponent separator, so only one value "
              "can be written."},
    ErrorCode{"H401", "An answer without MSA",
              "The partner answered with a message that is no acknowledgement. Delivery counts as "
              "not confirmed and is "
              "tried again."},
    ErrorCode{"H402", "An unknown acknowledgement code",
              "MSA-1 must be one of AA, AE, AR, CA, CE and CR (table 0008). Delivery counts as not "
              "confirmed and is tried "
              "again."},
    ErrorCode{"H501", "A text that is no time",
              "DTM and TS are a year and, as far as they are known, month, day, hour, minute, "
              "second and fraction, each of two digits, and an offset from UTC: "
              "20260115093042.5+0100. The error says which part is wrong. The field is kept as it "
              "came; only who asked for a time gets this error."},
    ErrorCode{"H502", "A value that is no ED",
              "An embedded document is source^type^subtype^encoding^data, the encoding A, Hex or "
              "Base64. Where OBX-2 says ED but the value looks otherwise, the text can be read and "
              "decoded by hand, with base64() where it is Base64 alone."},
    ErrorCode{"H503", "Fragments that cannot be joined",
              "A long message may be sent in pieces: each ends with DSC, whose DSC-1 stands in "
              "MSH-14 of the next. The error says which piece is missing or given twice. A "
              "segment ADD goes on with the segment before it, and there must be one besides MSH."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::hl7v2
