#include "parsers/text/terminal_text.h"

namespace cannula {

std::string visible(std::string_view text, std::size_t most) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_tail = (byte & 0xC0) == 0x80;
    if (shown.size() >= most && !is_tail) return shown + "…";
    const bool c1 =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte == '\n') {
      shown += " / ";
    } else if (byte < 0x20 || byte == 0x7F || c1) {
      shown += '?';
      if (c1) ++i;
    } else {
      shown += text[i];
    }
  }
  return shown;
}

}  // namespace cannula
