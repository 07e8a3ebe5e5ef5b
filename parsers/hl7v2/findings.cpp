// What is odd about a received message. None of it stops anybody from reading the message: it is
// what one tells the sender.
#include <array>

#include <fmt/format.h>

#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/message_state.h"
#include "parsers/hl7v2/types.h"

namespace cannula::hl7v2 {
namespace {

// Collects findings up to a limit; says once that there are more.
class Findings {
 public:
  explicit Findings(std::size_t limit) : limit_(limit) {}

  bool full() const { return full_; }

  void add(std::string code, Span span, std::string path, std::string message, std::string hint) {
    if (full_) return;
    if (found_.size() == limit_) {
      full_ = true;
      found_.push_back({Severity::note, "H209",
                        fmt::format("there is more than the {} findings shown", limit_), nullptr,
                        std::nullopt, "correct these first, then look again", ""});
      return;
    }
    found_.push_back({Severity::warning, std::move(code), std::move(message), nullptr, span,
                      std::move(hint), std::move(path)});
  }

  std::vector<Diagnostic> take() { return std::move(found_); }

 private:
  std::size_t limit_;
  bool full_ = false;
  std::vector<Diagnostic> found_;
};

bool is_segment_name(std::string_view name) {
  if (name.size() != 3 || name[0] < 'A' || name[0] > 'Z') return false;
  for (char c : name) {
    if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return false;
  }
  return true;
}

struct RequiredField {
  std::uint32_t number;
  std::string_view name;
  std::string_view consequence;
};
constexpr std::array kRequired = {
    RequiredField{9, "message type", "it cannot be told which event this is"},
    RequiredField{10, "message control id",
                  "an acknowledgement cannot name the message, nor a duplicate be recognized"},
    RequiredField{11, "processing id",
                  "it cannot be told whether this is production, training or debugging"},
    RequiredField{12, "version id", "the version of the standard is not known"},
};

}  // namespace

// Of the bytes as they were received: edits are the analyst's own.
std::vector<Diagnostic> Message::findings(std::size_t limit) const {
  Findings findings(limit);
  const Message received(received_);
  const Tables& tables = received_->tables;
  const std::string_view bytes = *received_->bytes;

  const std::string_view characters = received.raw(Place{0, 2});
  if (characters.size() < 4 || characters.size() > 5) {
    const auto begin = static_cast<std::size_t>(tables.text_begin(0, 1));
    findings.add(
        "H203", {begin, begin + characters.size()}, "MSH-2",
        fmt::format("MSH-2 has {} characters, where the standard has 4 or 5", characters.size()),
        "the sender's MSH-2 should be ^~\\&");
  }
  for (const RequiredField& each : kRequired) {
    if (!received.raw(Place{0, each.number}).empty()) continue;
    findings.add("H202", {tables.begin(0), tables.end(0)}, fmt::format("MSH-{}", each.number),
                 fmt::format("MSH-{} ({}) is empty: {}", each.number, each.name, each.consequence),
                 "have the sender fill it in");
  }

  std::size_t observation = 0;
  for (std::uint32_t segment = 0; segment < tables.size() && !findings.full(); ++segment) {
    const Span span{tables.begin(segment), tables.end(segment)};
    const std::string_view name = received.name_of(segment);
    if (!is_segment_name(name)) {
      const bool after_line_feed = span.begin > 0 && bytes[span.begin - 1] == '\n';
      findings.add(
          "H201", {span.begin, span.begin + std::min<std::size_t>(name.size(), 3)}, "",
          fmt::format("line {} does not begin with a segment name", segment + 1),
          after_line_feed
              ? "perhaps a line feed inside of a field, which should be sent as \\X0A\\ or \\.br\\"
              : "it is kept as it is, and no path leads into it");
    } else if (segment > 0 && name == "MSH") {
      findings.add("H204", span, "MSH", fmt::format("line {} is a second MSH segment", segment + 1),
                   "split a file of several messages before it is parsed");
    } else if (tables.separators(segment) == 0) {
      findings.add("H205", span, std::string(name),
                   fmt::format("line {} has a segment name and no fields", segment + 1),
                   "leave out segments that say nothing");
    }
    if (name != "OBX") continue;
    ++observation;
    const std::string_view type = received.raw(Place{segment, 2});
    if (type.empty() && !received.raw(Place{segment, 5, Place::kWholeField}).empty()) {
      findings.add("H206", span, fmt::format("OBX[{}]-2", observation),
                   "OBX-2 is empty, so the type of OBX-5 is not known",
                   "have the sender name it (table 0125); the value is read as text");
    }
  }
  // Bytes of MLLP that somebody kept with the message: they are no part of it, and stay.
  const std::size_t end = bytes.find_last_not_of("\r\n\t \x0B\x1C");
  const std::size_t begin = tables.begin(0);
  const std::string_view around[] = {bytes.substr(0, begin), bytes.substr(end + 1)};
  for (const std::string_view part : around) {
    const std::size_t at = part.find_first_of("\x0B\x1C");
    if (at == std::string_view::npos) continue;
    const auto offset = static_cast<std::size_t>(part.data() - bytes.data()) + at;
    findings.add("H208", {offset, offset + 1}, "",
                 fmt::format("there is a block character of MLLP at offset {}, {} the message",
                             offset, offset < begin ? "before" : "behind"),
                 "it is kept and never read; take it off where the message is stored");
  }
  if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos) {
    findings.add("H207", {nul, nul + 1}, "", fmt::format("there is a zero byte at offset {}", nul),
                 "perhaps UTF-16, or a binary value that should be sent as ED in Base64");
  }
  return findings.take();
}

}  // namespace cannula::hl7v2
