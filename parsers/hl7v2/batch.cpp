#include "parsers/hl7v2/batch.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/header.h"
#include "parsers/hl7v2/timestamp.h"

namespace cannula::hl7v2 {
namespace {

bool is_noise(char c) {
  return static_cast<unsigned char>(c) < ' ' && c != '\r' && c != '\n';
}

// The name at the start of a line, behind a byte order mark and control characters such as the MLLP
// start block.
std::size_t name_begin(std::string_view bytes, std::size_t line) {
  while (line < bytes.size()) {
    if (is_noise(bytes[line]) || bytes[line] == ' ') {
      ++line;
    } else if (bytes.substr(line, 3) == "\xEF\xBB\xBF") {
      line += 3;
    } else {
      break;
    }
  }
  return line;
}

bool is_header_name(std::string_view name) {
  return name == "MSH" || name == "FHS" || name == "BHS" || name == "BTS" || name == "FTS";
}

// Calls `found` with the offset and the name of each line that begins a message or belongs to a
// batch.
template <class Found>
void each_header(std::string_view bytes, Found found) {
  for (std::size_t line = 0; line < bytes.size();) {
    const std::size_t begin = name_begin(bytes, line);
    const std::string_view name = bytes.substr(begin, 3);
    if (is_header_name(name) && !found(begin, name)) return;
    line = bytes.find_first_of("\r\n", begin);
    if (line == std::string_view::npos) return;
    ++line;
  }
}

// Where a message ends that is followed by something else: without the MLLP end block and what
// leads to the next one.
std::size_t trimmed_end(std::string_view bytes, std::size_t begin, std::size_t end) {
  const std::size_t block_end = bytes.substr(begin, end - begin).find('\x1C');
  if (block_end != std::string_view::npos) return begin + block_end;
  while (end > begin && is_noise(bytes[end - 1])) --end;
  return end;
}

}  // namespace

std::vector<Span> split_messages(std::string_view bytes) {
  std::vector<Span> messages;
  bool open = false;
  const auto close = [&](std::size_t end) {
    if (open) messages.back().end = trimmed_end(bytes, messages.back().begin, end);
    open = false;
  };
  each_header(bytes, [&](std::size_t begin, std::string_view name) {
    close(begin);
    if (name == "MSH") {
      messages.push_back({begin, begin});
      open = true;
    }
    return true;
  });
  close(bytes.size());
  return messages;
}

std::size_t count_headers(std::string_view bytes, std::size_t most) {
  std::size_t count = 0;
  each_header(bytes, [&](std::size_t, std::string_view) { return ++count < most; });
  return count;
}

std::optional<HeaderLine> second_header(std::string_view bytes) {
  const std::size_t text = bytes.find_first_not_of("\r\n");
  if (text == std::string_view::npos) return std::nullopt;
  const std::size_t first = name_begin(bytes, text);
  std::size_t found = std::string_view::npos;
  // A look for each end of a line and start block, and no more: this is asked of every message.
  for (const char before : {'\r', '\n', '\x0B'}) {
    for (std::size_t at = bytes.find(before, first); at < found; at = bytes.find(before, at)) {
      at = name_begin(bytes, at + 1);
      if (is_header_name(bytes.substr(at, 3))) found = std::min(found, at);
    }
  }
  if (found == std::string_view::npos) return std::nullopt;
  HeaderLine header{{found, found + 3}};
  for (std::size_t at = 0; at < found; ++at) {
    const bool crlf = bytes[at] == '\r' && at + 1 < found && bytes[at + 1] == '\n';
    if ((bytes[at] == '\r' || bytes[at] == '\n') && !crlf) ++header.line;
  }
  return header;
}

bool is_batch(std::string_view bytes) {
  const std::size_t begin =
      name_begin(bytes, bytes.find_first_not_of("\r\n") == std::string_view::npos
                            ? bytes.size()
                            : bytes.find_first_not_of("\r\n"));
  const std::string_view name = bytes.substr(begin, 3);
  if (name == "FHS" || name == "BHS") return true;
  if (name != "MSH") return false;
  // A look for each end of a segment, and no more: this is asked of every message that comes.
  for (const std::string_view second : {std::string_view("\rMSH"), std::string_view("\nMSH")}) {
    if (bytes.find(second, begin) != std::string_view::npos) return true;
  }
  return false;
}

namespace {

std::string_view line_at(std::string_view bytes, std::size_t begin) {
  const std::size_t end = bytes.find_first_of("\r\n", begin);
  return bytes.substr(begin, end == std::string_view::npos ? end : end - begin);
}

std::optional<std::uint64_t> count_in(std::string_view trailer) {
  if (trailer.size() < 5) return std::nullopt;
  std::string_view field = trailer.substr(4);
  field = field.substr(0, field.find(trailer[3]));
  std::uint64_t count = 0;
  const auto [end, failure] = std::from_chars(field.data(), field.data() + field.size(), count);
  if (failure != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return count;
}

// Follows the lines that make up a file of batches.
class BatchReader {
 public:
  explicit BatchReader(std::string_view bytes) : bytes_(bytes) {}

  BatchFile read() {
    each_header(bytes_, [this](std::size_t begin, std::string_view name) {
      close_message(begin);
      line(begin, name);
      return true;
    });
    close_message(bytes_.size());
    end_batch();
    if (file_.header && file_.trailer.empty()) {
      find("H502", "the file begins with FHS and does not end with FTS",
           "it may have been cut: ask the sender how many messages it sent");
    }
    if (file_.announced && *file_.announced != enclosed_) {
      find("H501",
           fmt::format("FTS-1 announces {} batches and {} came", *file_.announced, enclosed_),
           "ask the sender for what is missing");
    }
    return std::move(file_);
  }

 private:
  void line(std::size_t begin, std::string_view name) {
    if (name == "MSH") {
      batch().messages.push_back({begin, begin});
      open_message_ = true;
    } else if (name == "FHS") {
      if (!file_.header) file_.header = BatchHeader::read(line_at(bytes_, begin));
    } else if (name == "BHS") {
      end_batch();
      batch().header = BatchHeader::read(line_at(bytes_, begin));
    } else if (name == "BTS") {
      batch().trailer = line_at(bytes_, begin);
      batch().announced = count_in(batch().trailer);
      end_batch();
    } else {
      end_batch();
      file_.trailer = line_at(bytes_, begin);
      file_.announced = count_in(file_.trailer);
    }
  }

  MessageBatch& batch() {
    if (!in_batch_) file_.batches.emplace_back();
    in_batch_ = true;
    return file_.batches.back();
  }

  void close_message(std::size_t end) {
    if (!open_message_) return;
    Span& message = batch().messages.back();
    message.end = trimmed_end(bytes_, message.begin, end);
    open_message_ = false;
  }

  void end_batch() {
    if (!in_batch_) return;
    in_batch_ = false;
    const MessageBatch& ended = file_.batches.back();
    if (ended.header || !ended.trailer.empty()) ++enclosed_;
    if (ended.header && ended.trailer.empty()) {
      find("H502", "a batch begins with BHS and does not end with BTS",
           "it may have been cut: ask the sender how many messages it sent");
    }
    if (ended.announced && *ended.announced != ended.messages.size()) {
      find("H501",
           fmt::format("BTS-1 announces {} messages and {} came", *ended.announced,
                       ended.messages.size()),
           "ask the sender for what is missing");
    }
  }

  void find(std::string code, std::string message, std::string hint) {
    constexpr std::size_t kMost = 20;
    if (file_.findings.size() < kMost) {
      file_.findings.push_back({std::move(code), std::move(message), std::move(hint), {}});
    }
  }

  std::string_view bytes_;
  BatchFile file_;
  std::size_t enclosed_ = 0;  // batches that have an envelope
  bool in_batch_ = false;
  bool open_message_ = false;
};

// Writes envelopes in the delimiters and with the addresses of a header.
class EnvelopeWriter {
 public:
  EnvelopeWriter(std::string& out, const BatchDetails& details) : out_(out), details_(details) {}

  void begin(std::string_view name, const BatchHeader& model, std::string_view reference) {
    const Delimiters& delimiters = model.delimiters;
    out_ += name;
    for (const std::string_view field :
         {model.encoding_characters, model.sending_application, model.sending_facility,
          model.receiving_application, model.receiving_facility}) {
      out_ += delimiters.field;
      out_ += field;
    }
    out_ += delimiters.field;
    out_ += format_timestamp(details_.time);
    out_.append(2, delimiters.field);
    escape_to(out_, details_.name, delimiters);
    out_.append(2, delimiters.field);
    escape_to(out_, details_.control_id, delimiters);
    if (!reference.empty()) {
      out_ += delimiters.field;
      out_ += reference;
    }
    out_ += '\r';
  }

  void end(std::string_view name, const Delimiters& delimiters, std::size_t count,
           std::string_view comment) {
    out_ += name;
    out_ += delimiters.field;
    out_ += std::to_string(count);
    if (!comment.empty()) {
      out_ += delimiters.field;
      escape_to(out_, comment, delimiters);
    }
    out_ += '\r';
  }

 private:
  std::string& out_;
  const BatchDetails& details_;
};

BatchHeader turned(const BatchHeader& header) {
  BatchHeader answer = header;
  std::swap(answer.sending_application, answer.receiving_application);
  std::swap(answer.sending_facility, answer.receiving_facility);
  return answer;
}

}  // namespace

std::optional<BatchHeader> BatchHeader::read(std::string_view segment) {
  const auto delimiters = read_delimiters(segment);
  if (!delimiters) return std::nullopt;
  const HeaderFields fields = header_fields(segment, delimiters->field);
  BatchHeader header;
  header.text = segment;
  header.delimiters = *delimiters;
  header.encoding_characters = fields[2];
  header.sending_application = fields[3];
  header.sending_facility = fields[4];
  header.receiving_application = fields[5];
  header.receiving_facility = fields[6];
  header.name = fields[9];
  header.control_id = fields[11];
  header.reference = fields[12];
  return header;
}

BatchFile BatchFile::read(std::string_view bytes) {
  return BatchReader(bytes).read();
}

std::size_t BatchFile::message_count() const {
  std::size_t count = 0;
  for (const MessageBatch& batch : batches) count += batch.messages.size();
  return count;
}

std::string acknowledge_batch(const BatchFile& file, const std::vector<std::string>& answers,
                              const BatchDetails& details) {
  std::string out;
  EnvelopeWriter envelope(out, details);
  if (file.header) envelope.begin("FHS", turned(*file.header), file.header->control_id);
  std::size_t next = 0;
  std::size_t batches = 0;
  for (const MessageBatch& batch : file.batches) {
    if (batch.header) envelope.begin("BHS", turned(*batch.header), batch.header->control_id);
    std::size_t count = 0;
    for (std::size_t i = 0; i < batch.messages.size() && next < answers.size(); ++i, ++next) {
      if (answers[next].empty()) continue;
      out += answers[next];
      ++count;
    }
    if (!batch.header) continue;
    ++batches;
    const bool short_of = batch.announced && *batch.announced != batch.messages.size();
    const std::string comment = short_of ? fmt::format("{} messages announced, {} received",
                                                       *batch.announced, batch.messages.size())
                                         : std::string();
    envelope.end("BTS", batch.header->delimiters, count,
                 comment.empty() ? details.comment : comment);
  }
  if (file.header) envelope.end("FTS", file.header->delimiters, batches, "");
  return out;
}

std::string build_batch(const std::vector<std::string_view>& messages, const BatchDetails& details,
                        bool file) {
  std::string out;
  if (messages.empty()) return out;
  const auto first = Header::peek(messages.front());
  if (!first) return out;
  BatchHeader model;
  model.delimiters = first->delimiters;
  model.encoding_characters = first->encoding_characters;
  model.sending_application = first->sending_application;
  model.sending_facility = first->sending_facility;
  model.receiving_application = first->receiving_application;
  model.receiving_facility = first->receiving_facility;
  EnvelopeWriter envelope(out, details);
  if (file) envelope.begin("FHS", model, "");
  envelope.begin("BHS", model, "");
  for (const std::string_view message : messages) {
    out += message;
    if (!message.ends_with('\r')) out += '\r';
  }
  envelope.end("BTS", model.delimiters, messages.size(), details.comment);
  if (file) envelope.end("FTS", model.delimiters, 1, "");
  return out;
}

}  // namespace cannula::hl7v2
