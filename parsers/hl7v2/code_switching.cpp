#include "parsers/hl7v2/code_switching.h"

#include <algorithm>
#include <array>
#include <optional>

namespace cannula::hl7v2 {
namespace {

// What a sequence switches: the 7-bit half to ASCII, to Roman letters or to characters of two
// bytes, or the upper half to a set of one byte a character.
enum class Kind : std::uint8_t { ascii, pairs, upper };

struct Repertoire {
  std::string_view sequence;  // without the escape characters
  Kind kind;
  std::string_view set;                    // a name of CharacterSet::find
  std::string_view escape;                 // of pairs: what ISO-2022-JP-2 writes before them
  std::array<std::string_view, 2> labels;  // of table 0211
};

// 2.6.3. ISO IR14, the Roman letters of JIS X 0201, has a yen sign and an overline where the
// escape and repetition characters stand; between delimiters it is read as ASCII.
constexpr Repertoire kRepertoires[] = {
    {"C2842", Kind::ascii, "", "", {}},
    {"C284A", Kind::ascii, "", "", {}},
    {"M2442", Kind::pairs, "ISO-2022-JP-2", "\x1B$B", {"ISO IR87", ""}},
    {"M242844", Kind::pairs, "ISO-2022-JP-2", "\x1B$(D", {"ISO IR159", ""}},
    {"C2949", Kind::upper, "CP932", "", {"ISO IR13", ""}},
    {"C2D41", Kind::upper, "ISO-8859-1", "", {"8859/1", "ISO IR100"}},
    {"C2D42", Kind::upper, "ISO-8859-2", "", {"8859/2", "ISO IR101"}},
    {"C2D43", Kind::upper, "ISO-8859-3", "", {"8859/3", "ISO IR109"}},
    {"C2D44", Kind::upper, "ISO-8859-4", "", {"8859/4", "ISO IR110"}},
    {"C2D4C", Kind::upper, "ISO-8859-5", "", {"8859/5", "ISO IR144"}},
    {"C2D47", Kind::upper, "ISO-8859-6", "", {"8859/6", "ISO IR127"}},
    {"C2D46", Kind::upper, "ISO-8859-7", "", {"8859/7", "ISO IR126"}},
    {"C2D48", Kind::upper, "ISO-8859-8", "", {"8859/8", "ISO IR138"}},
    {"C2D4D", Kind::upper, "ISO-8859-9", "", {"8859/9", "ISO IR148"}},
};
constexpr std::string_view kBack = "C2842";
constexpr std::string_view kAsciiInIso2022 = "\x1B(B";
constexpr std::size_t kLongestSequence = 9;  // with its escape characters

Switches bit_of(const Repertoire& repertoire) {
  return Switches{1} << (&repertoire - kRepertoires);
}

// The repertoire that a sequence at the front of `text` switches to, else null. Digits may be small
// letters.
const Repertoire* switch_at(std::string_view text, char escape) {
  if (text.size() < 2 || text[0] != escape || (text[1] != 'C' && text[1] != 'M')) return nullptr;
  text = text.substr(1, kLongestSequence - 1);
  const std::size_t close = text.find(escape);
  if (close == std::string_view::npos) return nullptr;
  std::string sequence(text.substr(0, close));
  for (char& digit : sequence) {
    if (digit >= 'a' && digit <= 'f') digit = static_cast<char>(digit - 32);
  }
  for (const Repertoire& each : kRepertoires) {
    if (each.sequence == sequence) return &each;
  }
  return nullptr;
}

std::size_t size_of(const Repertoire& repertoire) {
  return repertoire.sequence.size() + 2;
}

std::size_t next_switch(std::string_view bytes, std::size_t from, char escape) {
  for (std::size_t at = bytes.find(escape, from); at != std::string_view::npos;
       at = bytes.find(escape, at + 1)) {
    if (switch_at(bytes.substr(at, kLongestSequence), escape) != nullptr) return at;
  }
  return std::string_view::npos;
}

CharacterSet set_of(const Repertoire& repertoire) {
  return CharacterSet::find(repertoire.set).value();  // all are of glibc
}

bool in_pair(char byte) {
  return byte >= 0x21 && byte <= 0x7E;
}

// Reads from a switch to where the message's own set holds again.
class Run {
 public:
  Run(std::string_view bytes, const Delimiters& delimiters)
      : bytes_(bytes), delimiters_(delimiters) {}

  // Gives where the run ends; what was read is appended to `out`.
  std::size_t read(std::size_t at, Switched& out) {
    out_ = &out;
    while (at < bytes_.size()) {
      if (const Repertoire* to = switch_at(bytes_.substr(at, kLongestSequence), delimiters_.escape);
          to != nullptr) {
        flush();
        out.used |= bit_of(*to);
        at += size_of(*to);
        turn(*to);
        if (lower_ == nullptr && upper_ == nullptr) return at;
        continue;
      }
      const std::size_t step = step_at(at);
      if (step == 0) break;
      at += step;
    }
    flush();
    return at;
  }

 private:
  void turn(const Repertoire& to) {
    if (to.kind == Kind::upper) {
      upper_ = &to;
      return;
    }
    lower_ = to.kind == Kind::pairs ? &to : nullptr;
    if (to.sequence == kBack) upper_ = nullptr;
  }

  // How many bytes were read at a place; 0 at the end of the run.
  std::size_t step_at(std::size_t at) {
    const char byte = bytes_[at];
    if (byte == '\r' || byte == '\n') return 0;
    if (lower_ != nullptr && in_pair(byte) && at + 1 < bytes_.size() && in_pair(bytes_[at + 1]) &&
        (!is_delimiter(byte) || is_letter(at))) {
      gathered_ += bytes_.substr(at, 2);
      return 2;
    }
    if (is_delimiter(byte) && byte != delimiters_.escape) return 0;
    flush();
    if (static_cast<unsigned char>(byte) < 0x80) {
      out_->text += byte;
    } else if (upper_ != nullptr) {
      append(set_of(*upper_), bytes_.substr(at, 1));
    } else {
      return 0;
    }
    return 1;
  }

  bool is_delimiter(char byte) const {
    return byte == delimiters_.field || byte == delimiters_.component ||
           byte == delimiters_.repetition || byte == delimiters_.escape ||
           byte == delimiters_.subcomponent;
  }

  // Whether two bytes that begin with that of a delimiter are a character: they are one of the
  // set, no switch begins in between, and the sender does close what it opened.
  bool is_letter(std::size_t at) {
    if (switch_at(bytes_.substr(at + 1, kLongestSequence), delimiters_.escape) != nullptr)
      return false;
    if (next_ == std::string_view::npos || next_ < at) {
      next_ = std::min(next_switch(bytes_, at, delimiters_.escape), bytes_.size());
      const Repertoire* next =
          switch_at(bytes_.substr(next_, kLongestSequence), delimiters_.escape);
      closed_ = next != nullptr && next->kind == Kind::ascii &&
                bytes_.substr(at, next_ - at).find_first_of("\r\n") == std::string_view::npos;
    }
    return closed_ &&
           set_of(*lower_)
               .decode(
                   std::string(lower_->escape).append(bytes_.substr(at, 2)).append(kAsciiInIso2022))
               .undecodable.empty();
  }

  void append(CharacterSet set, std::string_view bytes) {
    const CharacterSet::Decoded decoded = set.decode(bytes);
    out_->text += decoded.text;
    out_->undecodable += decoded.undecodable.size();
  }

  void flush() {
    if (gathered_.empty()) return;
    append(set_of(*lower_), std::string(lower_->escape).append(gathered_).append(kAsciiInIso2022));
    gathered_.clear();
  }

  std::string_view bytes_;
  const Delimiters& delimiters_;
  Switched* out_ = nullptr;
  const Repertoire* lower_ = nullptr;  // null: ASCII
  const Repertoire* upper_ = nullptr;  // null: the message's own set
  std::string gathered_;               // pairs of lower_
  // The next switch, and whether it leads back before the line ends; looked for once.
  std::size_t next_ = std::string_view::npos;
  bool closed_ = false;
};

void append_plain(Switched& out, std::string_view bytes, CharacterSet set) {
  const CharacterSet::Decoded decoded = set.decode(bytes);
  for (const CharacterSet::Undecodable& each : decoded.undecodable) {
    out.kept.push_back({out.text.size() + each.offset, 3, std::string(1, each.byte)});
  }
  out.undecodable += decoded.undecodable.size();
  out.text += decoded.text;
}

// The bytes of a character in a repertoire, without what ISO 2022 puts around them.
std::optional<std::string> bytes_in(const Repertoire& repertoire, std::string_view character) {
  if (repertoire.kind == Kind::ascii) return std::nullopt;
  const Result<std::string> written = set_of(repertoire).encode(character);
  if (!written) return std::nullopt;
  std::string_view bytes = *written;
  if (repertoire.kind == Kind::upper) {
    const bool one = bytes.size() == 1 && static_cast<unsigned char>(bytes[0]) >= 0xA0;
    return one ? std::optional<std::string>(bytes) : std::nullopt;
  }
  if (!bytes.starts_with(repertoire.escape)) return std::nullopt;
  bytes = bytes.substr(repertoire.escape.size(), 2);
  return std::string(bytes);
}

// Writes characters in turn, with the switches between them.
class Writer {
 public:
  Writer(CharacterSet set, Switches allowed, char escape)
      : set_(set), allowed_(allowed), escape_(escape) {}

  Result<void> write(std::string_view character) {
    Result<std::string> own = set_.encode(character);
    if (own) {
      turn(nullptr);
      out_ += *own;
      return {};
    }
    for (const Repertoire& each : kRepertoires) {
      if ((allowed_ & bit_of(each)) == 0) continue;
      const std::optional<std::string> bytes = bytes_in(each, character);
      if (!bytes) continue;
      turn(&each);
      out_ += *bytes;
      return {};
    }
    return std::move(own).error();
  }

  std::string take() {
    turn(nullptr);
    return std::move(out_);
  }

 private:
  void turn(const Repertoire* to) {
    if (to == now_) return;
    // From the upper half of one set to pairs of another, ASCII stands in between.
    if (now_ != nullptr) put(kBack);
    if (to != nullptr) put(to->sequence);
    now_ = to;
  }
  void put(std::string_view sequence) {
    out_ += escape_;
    out_ += sequence;
    out_ += escape_;
  }

  CharacterSet set_;
  Switches allowed_;
  char escape_;
  const Repertoire* now_ = nullptr;
  std::string out_;
};

}  // namespace

Switches switch_named(std::string_view name) {
  for (const Repertoire& each : kRepertoires) {
    for (const std::string_view label : each.labels) {
      if (!label.empty() && label == name) return bit_of(each);
    }
  }
  return 0;
}

bool has_switches(std::string_view bytes, const Delimiters& delimiters) {
  return delimiters.escape != 0 &&
         next_switch(bytes, 0, delimiters.escape) != std::string_view::npos;
}

Switched decode_switched(std::string_view bytes, CharacterSet set, const Delimiters& delimiters) {
  Switched out;
  out.text.reserve(bytes.size() + bytes.size() / 4);
  std::size_t at = 0;
  while (true) {
    const std::size_t open = std::min(next_switch(bytes, at, delimiters.escape), bytes.size());
    append_plain(out, bytes.substr(at, open - at), set);
    if (open == bytes.size()) return out;
    const std::size_t begin = out.text.size();
    at = Run(bytes, delimiters).read(open, out);
    out.kept.push_back(
        {begin, out.text.size() - begin, std::string(bytes.substr(open, at - open))});
  }
}

Result<std::string> encode_switched(std::string_view text, CharacterSet set, Switches allowed,
                                    const Delimiters& delimiters) {
  Writer writer(set, allowed, delimiters.escape);
  while (!text.empty()) {
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) ++size;
    TRY(writer.write(text.substr(0, size)));
    text.remove_prefix(size);
  }
  return writer.take();
}

}  // namespace cannula::hl7v2
