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
              "The bytes begin with FHS or BHS. Sources of type file and mllp take batches apart "
              "themselves; here one message was expected."},
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
    // Validation (validation/validation.h).
    ErrorCode{
        "H701", "A required field is empty",
        "The standard requires the field in this version whenever its segment is sent. A sender "
        "that has nothing to say there breaks the standard; a profile can say what your site "
        "does about it."},
    ErrorCode{"H702", "A required component is empty",
              "The field is there, and a component that its data type requires is not, such as the "
              "number itself in an identifier (CX.1)."},
    ErrorCode{
        "H703", "A value is too long",
        "Versions before 2.7 give a length to nearly every field. Longer values are kept whole "
        "here; the receiver behind may cut them. For codes that a site makes itself it is a note."},
    ErrorCode{
        "H704", "A code is not in its table",
        "Fields of type ID take their codes from a table that HL7 keeps. An error where the "
        "table is closed; a note where it grows, and for versions whose tables are newer than "
        "those in the dictionary (2.6). User-defined tables are not looked at."},
    ErrorCode{
        "H705", "A value has not the form of its type",
        "Numbers (NM, SI), dates (DT), times (TM) and dates with times (TS, DTM) have a form. "
        "The message says which one was expected. Often a unit or a `<` stands in a number, "
        "which asks for the type SN."},
    ErrorCode{"H706", "A field is repeated that may not be",
              "More repetitions came than the version allows. All are kept; receivers look at the "
              "first."},
    ErrorCode{
        "H707", "An unknown segment",
        "No version of the standard has it (warning), or only another version than the one in "
        "MSH-12 (note). Segments of a site begin with Z. It is kept."},
    ErrorCode{"H708", "A segment is not part of the message structure",
              "The standard does not list it for this event. It is kept, and stays in the group it "
              "stands in."},
    ErrorCode{
        "H709", "A segment stands where it may not",
        "The structure has the segment, but not here: it is out of order, or there more often "
        "than it may be."},
    ErrorCode{
        "H710", "A required segment or group is missing",
        "The structure of the event requires it. The path names the segment; what the finding "
        "points at is the one behind which it should stand."},
    ErrorCode{
        "H711", "A field that is kept for older receivers",
        "The version lists the field only so that older receivers find it. New receivers look "
        "elsewhere, as a rule at a field behind it."},
    ErrorCode{
        "H712", "More than the definition has",
        "There are more fields or components than the version of MSH-12 knows; often the sender "
        "speaks a newer one. Receivers ignore them (2.7.1); they are kept here."},
    ErrorCode{"H713", "An unknown version",
              "MSH-12 names no version from 2.1 on. The message is looked at as one of 2.5.1."},
    ErrorCode{"H714", "An event without a known structure",
              "The version has no structure for what MSH-9 says, so the order of segments is not "
              "looked at. Fields are."},
    ErrorCode{"H715", "OBX-2 does not name a data type",
              "OBX-2 says how OBX-5 is read. It is empty, or holds what is no data type of the "
              "version."},
    ErrorCode{"H719", "More findings than are shown",
              "A message had so many findings that the rest was only counted."},
    ErrorCode{"H721", "Required by the profile", "The site's profile requires what is missing."},
    ErrorCode{"H722", "Forbidden by the profile", "The site's profile forbids what was sent."},
    ErrorCode{"H723", "Not of the length the profile asks for",
              "The value is shorter or longer than the site's profile allows."},
    ErrorCode{
        "H724", "A code the profile does not know",
        "The value is not among the codes that the site's profile lists, or not in the table it "
        "names."},
    ErrorCode{"H725", "Not of the type the profile asks for",
              "The value has not the form that the site's profile asks for, such as a number."},
    ErrorCode{"H726", "Repeated more often than the profile allows",
              "The site's profile limits how often the field may come."},
    ErrorCode{
        "H731", "A line of a profile or a segments file cannot be read",
        "The caret stands where something else was expected; the message says what. The forms "
        "are listed in docs/reference/profiles.md."},
    ErrorCode{"H732", "A profile names what the standard does not have",
              "A segment that no version has, or a field behind the last one. The rule would never "
              "apply: as a rule it is a slip of the pen."},
    ErrorCode{"H733", "A profile names an unknown table",
              "There is neither a list of codes of that name above the line, nor a table of the "
              "standard with codes."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::hl7v2
