// Acknowledgements, built and read: original mode (AA, AE, AR) and enhanced mode (CA, CE, CR), HL7
// v2 2.8.2 and 2.8.3.
//
// An ACK means that the message is stored: whoever builds one has committed it first. Time and
// control id are given by the caller, because a parser has no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "parsers/hl7v2/header.h"
#include "parsers/text/result.h"

namespace cannula::hl7v2 {

// The second letter is the outcome: Accept, Error, Reject. The first: an application's answer, or a
// commit.
enum class AckCode { AA, AE, AR, CA, CE, CR };
std::string_view name_of(AckCode code);
constexpr bool is_positive(AckCode code) {
  return code == AckCode::AA || code == AckCode::CA;
}

// accepted: stored or processed. error: something in it or with us is wrong, the same message may
// be sent again after a correction. rejected: its type, version or processing id (MSH-9, 12, 11) is
// not taken here, or the system is down.
enum class AckOutcome { accepted, error, rejected };

// One error of the ERR segments. Texts are plain; they are escaped when written.
struct AckError {
  std::string code;         // table 0357, "207" when empty
  std::string location;     // where, as encoded text "PID^1^3^1" (segment, its number, field …)
  std::string severity;     // table 0516: E, W, I or F; "E" when empty
  std::string text;         // ERR-8, for the sender's staff
  std::string diagnostics;  // ERR-7, for whoever looks after the sender
  friend bool operator==(const AckError&, const AckError&) = default;
};

struct AckDetails {
  std::int64_t time = 0;  // microseconds since 1970-01-01 UTC, for MSH-7
  std::string_view
      control_id;  // MSH-10 of the ACK, new for each; at most 20 characters before version 2.7
  // For outcomes other than accepted; each may be empty.
  std::string_view text;         // what a person should read: MSA-3 and ERR-8
  std::string_view error_code;   // ERR-3.1 of table 0357, "207" when empty (application error)
  std::string_view location;     // ERR-2 as encoded text "PID^1^3^1", empty when unknown
  std::string_view diagnostics;  // ERR-7, for whoever looks after the sender; such as "H201"
  // In place of the one error that the four above make. From version 2.5 on one ERR segment for
  // each; before, repetitions of ERR-1, which has room for place and code only: what a person
  // should know belongs in `text`.
  std::span<const AckError> errors{};
  std::optional<std::int64_t> expected_sequence{};  // MSA-4 (2.9.1)
};

// The answer that goes back on the connection the message came by, once it is stored or refused:
//   original mode: AA, AE or AR, always;
//   enhanced mode: CA, CE or CR where MSH-15 asks for it (AL always, ER for errors and rejects, SU
//   for success, NE never); where it does not, the sender waits for an application's answer alone:
//   AA, AE, AR where MSH-16 asks.
// What is repeated of the message (MSH-2 to 6, 9, 11, 12, 18) comes without control characters;
// MSA-2 is MSH-10 without line ends, VT and FS, which would end the segment or the MLLP block.
// nullopt: the sender wants no answer for this outcome. An acknowledgement itself (MSH-9.1 = ACK
// with an MSA and no MSH-15) must never be answered; that is for the caller to see to.
std::optional<std::string> acknowledge(const Header& header, AckOutcome outcome,
                                       const AckDetails& details);

// One with a code that the caller has chosen, such as the later application acknowledgement of a
// `processed` source.
std::string build_acknowledgement(const Header& header, AckCode code, const AckDetails& details);

// The commit's code for an application's and the other way round: AE for CE. The outcome of a code.
AckOutcome outcome_of(AckCode code);
AckCode code_of(AckOutcome outcome, bool commit);
std::optional<AckCode> ack_code(std::string_view name);

// Whether MSH-15 asks for a commit acknowledgement of this outcome.
bool wants_commit_ack(const Header& header, AckOutcome outcome);
// Whether MSH-16 asks for an application acknowledgement of this outcome as an exchange of its own,
// later and begun by the receiver (2.8.3.1): it is valued, and not NE.
bool wants_application_ack(const Header& header, AckOutcome outcome);

// For bytes without a usable MSH: AR with default delimiters, no addresses and an empty MSA-2.
std::string acknowledge_unreadable(const AckDetails& details);

// What a partner answered. Copies, so that it may outlive the bytes; texts are unescaped.
struct Acknowledgement {
  AckCode code = AckCode::AA;
  std::string control_id;  // MSA-2: the control id of the message it answers
  // MSA-3, or the ERR-8 that it is the beginning of, or the texts of ERR (ERR-8, ERR-7, ERR-3), or
  // ""; for people
  std::string text;
  std::string error_code;           // ERR-3.1, or ERR-1.4.1 before version 2.5, or ""
  std::string expected_sequence{};  // MSA-4, or ""

  bool positive() const { return is_positive(code); }

  // Fails (H4xx) without MSH or MSA, or when MSA-1 is none of the six codes. Also for query
  // responses and the like: all that counts is MSA.
  static Result<Acknowledgement> parse(std::string_view bytes);
};

}  // namespace cannula::hl7v2
