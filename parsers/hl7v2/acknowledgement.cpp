#include "parsers/hl7v2/acknowledgement.h"

#include <array>
#include <utility>

#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/timestamp.h"

namespace cannula::hl7v2 {
namespace {

struct NamedCode {
  std::string_view name;
  AckCode code;
};
constexpr std::array<NamedCode, 6> kCodes = {{{"AA", AckCode::AA},
                                              {"AE", AckCode::AE},
                                              {"AR", AckCode::AR},
                                              {"CA", AckCode::CA},
                                              {"CE", AckCode::CE},
                                              {"CR", AckCode::CR}}};

bool is_commit(AckCode code) {
  return code == AckCode::CA || code == AckCode::CE || code == AckCode::CR;
}

// MSH-15 and MSH-16 by table 0155. A condition that the table does not know is taken as "always":
// an answer too many is ignored, one too few stops the sender.
bool is_wanted(std::string_view condition, AckOutcome outcome) {
  const bool accepted = outcome == AckOutcome::accepted;
  if (condition == "NE") return false;
  if (condition == "ER") return !accepted;
  if (condition == "SU") return accepted;
  return true;
}

// Before 2.5 ERR has one field that holds location and code together (ERR-1); later ones read ERR-2
// and on.
bool is_before_2_5(std::string_view version) {
  return version.size() >= 3 && version[0] == '2' && version[1] == '.' && version[2] >= '0' &&
         version[2] < '5' && (version.size() == 3 || version[3] == '.');
}

// Message structures came with 2.3.1; before, MSH-9 has two components.
bool is_before_2_3_1(std::string_view version) {
  return version == "2.1" || version == "2.2" || version == "2.3";
}

struct ErrorText {
  std::string_view code;
  std::string_view text;
};
// Table 0357, message error condition codes.
constexpr std::array<ErrorText, 13> kErrorTexts = {{{"0", "Message accepted"},
                                                    {"100", "Segment sequence error"},
                                                    {"101", "Required field missing"},
                                                    {"102", "Data type error"},
                                                    {"103", "Table value not found"},
                                                    {"200", "Unsupported message type"},
                                                    {"201", "Unsupported event code"},
                                                    {"202", "Unsupported processing id"},
                                                    {"203", "Unsupported version id"},
                                                    {"204", "Unknown key identifier"},
                                                    {"205", "Duplicate key identifier"},
                                                    {"206", "Application record locked"},
                                                    {"207", "Application internal error"}}};

constexpr std::string_view kFraming = "\n\v\r\x1C";  // of segments and of MLLP blocks

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ';
}

// Writes the segments of an acknowledgement in the delimiters of the message that it answers.
class AckWriter {
 public:
  explicit AckWriter(const Header& header) : header_(header), delimiters_(header.delimiters) {
    out_.reserve(320);
  }

  std::string write(AckCode code, const AckDetails& details) {
    write_msh(code, details);
    write_msa(code, details);
    if (is_positive(code) && details.errors.empty()) return std::move(out_);
    if (details.errors.empty()) {
      const AckError one{std::string(details.error_code), std::string(details.location), "",
                         std::string(details.text), std::string(details.diagnostics)};
      write_errors({&one, 1});
    } else {
      write_errors(details.errors);
    }
    return std::move(out_);
  }

 private:
  void field(std::string_view encoded = {}) {
    out_ += delimiters_.field;
    out_ += encoded;
  }
  // What the other side, or a script, has written. Line ends are escaped; what else would end a
  // block is left out.
  void escaped(std::string_view text) {
    std::string kept;
    for (const char c : text) {
      if (!is_control(c) || c == '\r' || c == '\n' || c == '\t') kept += c;
    }
    escape_to(out_, kept, delimiters_);
  }
  void escaped_field(std::string_view text) {
    out_ += delimiters_.field;
    escaped(text);
  }
  void component(std::string_view text) {
    out_ += delimiters_.component;
    out_ += text;
  }

  // Encoded text of the message that is answered, without control characters: a sender that puts
  // them there must not have its acknowledgement torn by them. The escape character stays where the
  // message names a character set, which may switch with it (2.14.9.18).
  void echo(std::string_view encoded) {
    for (const char c : encoded) {
      const bool switches = c == '\x1B' && !header_.character_set.empty();
      if (!is_control(c) || switches) out_ += c;
    }
  }
  void echo_field(std::string_view encoded) {
    out_ += delimiters_.field;
    echo(encoded);
  }
  // MSA-2 is MSH-10 (2.8.2): as it came, but for what would end the segment or the block.
  void control_id_field(std::string_view id) {
    out_ += delimiters_.field;
    for (const char c : id) {
      if (kFraming.find(c) == std::string_view::npos) out_ += c;
    }
  }

  // Addresses swapped, processing id and version as in the message (2.8.2). A commit leaves MSH-15
  // and 16 empty; an application acknowledgement in enhanced mode asks for nothing more (2.8.3).
  void write_msh(AckCode code, const AckDetails& details) {
    out_ += "MSH";
    field(header_.encoding_characters);  // what all of it is written in
    echo_field(header_.receiving_application);
    echo_field(header_.receiving_facility);
    echo_field(header_.sending_application);
    echo_field(header_.sending_facility);
    field(format_timestamp(details.time));
    field();
    field("ACK");
    const std::string_view trigger = header_.trigger();
    if (!trigger.empty()) {
      out_ += delimiters_.component;
      echo(trigger);
      if (!is_before_2_3_1(header_.version_id())) component("ACK");
    }
    escaped_field(details.control_id);
    echo_field(header_.processing_id.empty() ? "P" : header_.processing_id);
    echo_field(header_.version.empty() ? "2.5.1" : header_.version);
    const bool answers_enhanced = header_.enhanced() && !is_commit(code);
    // What answers UTF-16 is not itself UTF-16, and must not be labelled so.
    const std::string_view character_set =
        header_.converted ? std::string_view() : header_.character_set;
    if (answers_enhanced || !character_set.empty()) {
      for (int number = 13; number <= 14; ++number) field();
      for (int number = 15; number <= 16; ++number) field(answers_enhanced ? "NE" : "");
    }
    if (!character_set.empty()) {
      field();
      echo_field(character_set);
    }
    out_ += '\r';
  }

  void write_msa(AckCode code, const AckDetails& details) {
    out_ += "MSA";
    field(name_of(code));
    control_id_field(header_.control_id);
    const bool counted = details.expected_sequence.has_value();
    if (!details.text.empty()) {
      escaped_field(text_for_msa(details.text));
    } else if (counted) {
      field();
    }
    if (counted) field(std::to_string(*details.expected_sequence));
    out_ += '\r';
  }

  // MSA-3 has 80 characters up to version 2.6. Where ERR-8 holds the whole text it is kept to them;
  // older versions have no other place for it, and a text too long is better than none.
  std::string text_for_msa(std::string_view text) const {
    constexpr std::size_t kLongest = 80;
    constexpr std::string_view kGoesOn = " ...";
    const std::string_view version = header_.version_id();
    if (is_before_2_5(version) || !(version == "2.5" || version == "2.5.1" || version == "2.6")) {
      return std::string(text);
    }
    if (text.size() <= kLongest) return std::string(text);
    // Between two words, where there are any, and not inside of what stands in parentheses.
    const std::string_view fits = text.substr(0, kLongest - kGoesOn.size() + 1);
    std::size_t blank = fits.rfind(' ');
    const std::size_t open = fits.rfind(" (");
    if (open != std::string_view::npos && fits.find(')', open) == std::string_view::npos)
      blank = open;
    if (blank != std::string_view::npos && blank >= kLongest / 2)
      return std::string(text.substr(0, blank)).append(kGoesOn);
    std::size_t end = kLongest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return std::string(text.substr(0, end));
  }

  void write_errors(std::span<const AckError> errors) {
    if (is_before_2_5(header_.version_id())) {
      write_old_errors(errors);
    } else {
      for (const AckError& error : errors) write_error(error);
    }
  }

  static std::string_view code_of(const AckError& error) {
    return error.code.empty() ? std::string_view("207") : std::string_view(error.code);
  }
  static std::string_view name_of_code(std::string_view code) {
    for (const ErrorText& known : kErrorTexts) {
      if (known.code == code) return known.text;
    }
    return {};
  }

  // A location of ^ as the caller writes it, in the delimiters of the message.
  void location(std::string_view text) {
    for (const char c : text) {
      if (is_control(c)) continue;
      out_ += c == '^' ? delimiters_.component : c;
    }
  }

  void write_error(const AckError& error) {
    out_ += "ERR";
    field();
    field();
    location(error.location);
    field();
    escaped(code_of(error));
    component(name_of_code(code_of(error)));
    component("HL70357");
    escaped_field(error.severity.empty() ? std::string_view("E") : error.severity);
    if (!error.text.empty() || !error.diagnostics.empty()) {
      field();
      field();
      escaped_field(error.diagnostics);
    }
    if (!error.text.empty()) escaped_field(error.text);
    out_ += '\r';
  }

  // ERR-1 (ELD): segment, its number, field, and the code as its fourth component; it repeats.
  void write_old_errors(std::span<const AckError> errors) {
    out_ += "ERR";
    bool first = true;
    for (const AckError& error : errors) {
      if (!first && delimiters_.repetition == 0) break;
      out_ += std::exchange(first, false) ? delimiters_.field : delimiters_.repetition;
      std::string_view rest = error.location;
      for (int i = 0; i < 3; ++i) {
        location(rest.substr(0, rest.find('^')));
        rest = rest.find('^') == std::string_view::npos ? "" : rest.substr(rest.find('^') + 1);
        out_ += delimiters_.component;
      }
      escaped(code_of(error));
      if (delimiters_.subcomponent == 0) continue;
      out_ += delimiters_.subcomponent;
      out_ += name_of_code(code_of(error));
      out_ += delimiters_.subcomponent;
      out_ += "HL70357";
    }
    out_ += '\r';
  }

  const Header& header_;
  const Delimiters& delimiters_;
  std::string out_;
};

// Whether MSA-3 is no more than how `whole` begins, kept to its 80 characters.
bool is_cut_of(std::string_view text, std::string_view whole) {
  constexpr std::size_t kTooLittle = 20;  // to tell by
  while (text.ends_with('.') || text.ends_with(' ')) text.remove_suffix(1);
  return text.size() >= kTooLittle && whole.size() > text.size() && whole.starts_with(text);
}

std::string text_of_error(const Message& message, SegmentId error) {
  // ERR-8 user message, ERR-7 diagnostics, ERR-3.2 the code's text, ERR-1.4.2 the same before 2.5.
  for (const Place& place :
       {Place{error, 8}, Place{error, 7}, Place{error, 3, 1, 2}, Place{error, 1, 1, 4, 2}}) {
    if (auto text = message.get(place)) return *std::move(text);
  }
  return {};
}

}  // namespace

std::string_view name_of(AckCode code) {
  for (const NamedCode& known : kCodes) {
    if (known.code == code) return known.name;
  }
  return "AE";
}

AckOutcome outcome_of(AckCode code) {
  switch (code) {
    case AckCode::AA:
    case AckCode::CA:
      return AckOutcome::accepted;
    case AckCode::AE:
    case AckCode::CE:
      return AckOutcome::error;
    case AckCode::AR:
    case AckCode::CR:
      return AckOutcome::rejected;
  }
  return AckOutcome::error;
}

AckCode code_of(AckOutcome outcome, bool commit) {
  switch (outcome) {
    case AckOutcome::accepted:
      return commit ? AckCode::CA : AckCode::AA;
    case AckOutcome::error:
      return commit ? AckCode::CE : AckCode::AE;
    case AckOutcome::rejected:
      return commit ? AckCode::CR : AckCode::AR;
  }
  return commit ? AckCode::CE : AckCode::AE;
}

std::optional<AckCode> ack_code(std::string_view name) {
  for (const NamedCode& known : kCodes) {
    if (known.name == name) return known.code;
  }
  return std::nullopt;
}

bool wants_commit_ack(const Header& header, AckOutcome outcome) {
  return !header.accept_ack.empty() && is_wanted(header.accept_ack, outcome);
}

bool wants_application_ack(const Header& header, AckOutcome outcome) {
  return !header.application_ack.empty() && is_wanted(header.application_ack, outcome);
}

std::string build_acknowledgement(const Header& header, AckCode code, const AckDetails& details) {
  return AckWriter(header).write(code, details);
}

std::optional<std::string> acknowledge(const Header& header, AckOutcome outcome,
                                       const AckDetails& details) {
  const bool commit = wants_commit_ack(header, outcome);
  if (header.enhanced() && !commit && !wants_application_ack(header, outcome)) return std::nullopt;
  return build_acknowledgement(header, code_of(outcome, commit), details);
}

std::string acknowledge_unreadable(const AckDetails& details) {
  Header header;
  header.encoding_characters = "^~\\&";
  return build_acknowledgement(header, AckCode::AR, details);
}

Result<Acknowledgement> Acknowledgement::parse(std::string_view bytes) {
  const Message message = TRY(Message::parse(make_bytes(std::string(bytes))));
  const auto segment = message.find("MSA");
  if (!segment) {
    return Error{"H401", "the answer has no MSA segment, so it acknowledges nothing",
                 "the partner must answer with MSH and MSA", std::nullopt};
  }
  const std::string_view name = message.raw(Place{*segment, 1});
  const auto code = ack_code(name);
  if (!code) {
    return Error{"H402", "MSA-1 of the answer is none of AA, AE, AR, CA, CE and CR",
                 "the partner must put the acknowledgement code of table 0008 there", std::nullopt};
  }
  Acknowledgement answer;
  answer.code = *code;
  answer.control_id = message.get(Place{*segment, 2}).value_or("");
  answer.text = message.get(Place{*segment, 3}).value_or("");
  answer.expected_sequence = message.get(Place{*segment, 4}).value_or("");
  for (SegmentId error : message.each("ERR")) {
    if (answer.error_code.empty()) {
      answer.error_code = message.get(Place{error, 3, 1, 1}).value_or("");
    }
    if (answer.error_code.empty()) {
      answer.error_code = message.get(Place{error, 1, 1, 4, 1}).value_or("");
    }
    if (answer.text.empty()) {
      answer.text = text_of_error(message, error);
    } else if (auto whole = message.get(Place{error, 8}); whole && is_cut_of(answer.text, *whole)) {
      answer.text = *std::move(whole);
    }
  }
  return answer;
}

}  // namespace cannula::hl7v2
