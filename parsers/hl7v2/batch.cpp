#include "parsers/hl7v2/batch.h"

#include <algorithm>

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

// Calls `found` with the offset and the name of each line that begins a message or belongs to a
// batch.
template <class Found>
void each_header(std::string_view bytes, Found found) {
  for (std::size_t line = 0; line < bytes.size();) {
    const std::size_t begin = name_begin(bytes, line);
    const std::string_view name = bytes.substr(begin, 3);
    if (name == "MSH" || name == "FHS" || name == "BHS" || name == "BTS" || name == "FTS") {
      if (!found(begin, name)) return;
    }
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

bool is_batch(std::string_view bytes) {
  std::size_t messages = 0;
  bool batch = false;
  each_header(bytes, [&](std::size_t, std::string_view name) {
    if (name == "MSH") {
      ++messages;
    } else if (messages == 0 && (name == "FHS" || name == "BHS")) {
      batch = true;
    }
    return !batch && messages < 2;
  });
  return batch || messages > 1;
}

}  // namespace cannula::hl7v2
