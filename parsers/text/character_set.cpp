#include "parsers/text/character_set.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <iconv.h>
#include <simdjson.h>

#include "parsers/text/diagnostic.h"

namespace cannula {

struct CharacterSet::Entry {
  std::string name;   // IANA's
  std::string iconv;  // glibc's
  bool single_byte = true;
  bool escapes = false;
  // Of windows-1252 and ISO 8859, which most feeds use: the characters of the bytes from 0x80, in
  // UTF-8; empty where there is none.
  std::vector<std::string> upper_half{};

  friend bool operator<(const Entry& left, const Entry& right) { return left.name < right.name; }
};

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr char kEscape = '\x1B';

struct Alias {
  std::string_view name;  // in capitals
  std::string_view set;
};

// HL7 table 0211 first, then IANA's names and those people use besides. Only these are tried: what
// a sender writes never reaches iconv, which keeps every name it was asked for.
constexpr Alias kAliases[] = {
    {"ASCII", "windows-1252"},
    {"8859/1", "windows-1252"},
    {"8859/2", "ISO-8859-2"},
    {"8859/3", "ISO-8859-3"},
    {"8859/4", "ISO-8859-4"},
    {"8859/5", "ISO-8859-5"},
    {"8859/6", "ISO-8859-6"},
    {"8859/7", "ISO-8859-7"},
    {"8859/8", "ISO-8859-8"},
    {"8859/9", "ISO-8859-9"},
    {"8859/10", "ISO-8859-10"},
    {"8859/11", "ISO-8859-11"},
    {"8859/13", "ISO-8859-13"},
    {"8859/14", "ISO-8859-14"},
    {"8859/15", "ISO-8859-15"},
    {"8859/16", "ISO-8859-16"},
    {"ISO IR6", "windows-1252"},
    {"ISO IR14", "ISO-2022-JP-2"},
    {"ISO IR87", "ISO-2022-JP-2"},
    {"ISO IR159", "ISO-2022-JP-2"},
    {"GB 18030-2000", "GB18030"},
    {"KS X 1001", "UHC"},
    {"CNS 11643-1992", "EUC-TW"},
    {"BIG-5", "BIG5"},
    {"UNICODE", "UTF-8"},
    {"UNICODE UTF-8", "UTF-8"},
    {"UTF8", "UTF-8"},
    {"UTF-8", "UTF-8"},
    {"US-ASCII", "windows-1252"},
    {"ISO-8859-1", "windows-1252"},
    {"ISO8859-1", "windows-1252"},
    {"ISO_8859-1", "windows-1252"},
    {"LATIN1", "windows-1252"},
    {"CP1252", "windows-1252"},
    {"WINDOWS-1252", "windows-1252"},
    {"ISO-2022-JP", "ISO-2022-JP-2"},
    {"SHIFT_JIS", "CP932"},
    {"SHIFT-JIS", "CP932"},
    {"SJIS", "CP932"},
    {"GB2312", "GB18030"},
    {"GBK", "GB18030"},
    {"EUC-KR", "UHC"},
    {"ISO-8859-2", "ISO-8859-2"},
    {"ISO-8859-3", "ISO-8859-3"},
    {"ISO-8859-4", "ISO-8859-4"},
    {"ISO-8859-5", "ISO-8859-5"},
    {"ISO-8859-6", "ISO-8859-6"},
    {"ISO-8859-7", "ISO-8859-7"},
    {"ISO-8859-8", "ISO-8859-8"},
    {"ISO-8859-9", "ISO-8859-9"},
    {"ISO-8859-10", "ISO-8859-10"},
    {"ISO-8859-11", "ISO-8859-11"},
    {"ISO-8859-13", "ISO-8859-13"},
    {"ISO-8859-14", "ISO-8859-14"},
    {"ISO-8859-15", "ISO-8859-15"},
    {"ISO-8859-16", "ISO-8859-16"},
    {"WINDOWS-1250", "CP1250"},
    {"WINDOWS-1251", "CP1251"},
    {"WINDOWS-1253", "CP1253"},
    {"WINDOWS-1254", "CP1254"},
    {"WINDOWS-1255", "CP1255"},
    {"WINDOWS-1256", "CP1256"},
    {"WINDOWS-1257", "CP1257"},
    {"WINDOWS-1258", "CP1258"},
    {"WINDOWS-874", "CP874"},
    {"CP437", "CP437"},
    {"CP850", "CP850"},
    {"CP852", "CP852"},
    {"CP855", "CP855"},
    {"CP857", "CP857"},
    {"CP858", "CP858"},
    {"CP862", "CP862"},
    {"CP866", "CP866"},
    {"CP932", "CP932"},
    {"CP949", "CP949"},
    {"CP950", "CP950"},
    {"KOI8-R", "KOI8-R"},
    {"KOI8-U", "KOI8-U"},
    {"EUC-JP", "EUC-JP"},
    {"EUC-TW", "EUC-TW"},
    {"UHC", "UHC"},
    {"BIG5", "BIG5"},
    {"BIG5-HKSCS", "BIG5-HKSCS"},
    {"GB18030", "GB18030"},
    {"ISO-2022-KR", "ISO-2022-KR"},
    {"TIS-620", "TIS-620"},
    {"VISCII", "VISCII"},
    {"MACINTOSH", "MACINTOSH"},
    {"ISO-2022-JP-2", "ISO-2022-JP-2"},
};

std::string capitals(std::string_view name) {
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
  std::string text(name.substr(0, 60));
  for (char& letter : text) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 32);
  }
  return text;
}

// One conversion of one thread; iconv's handles keep state and are made slowly.
class Conversion {
 public:
  Conversion(const char* to, const char* from) : handle_(iconv_open(to, from)) {}
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;
  ~Conversion() {
    if (usable()) iconv_close(handle_);
  }
  // NOLINTNEXTLINE(performance-no-int-to-ptr): iconv_open(3) says it so
  bool usable() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  // Appends what can be converted and gives the bytes that were read; all of them at the end.
  std::size_t run(std::string_view from, std::string& out) {
    char* input = const_cast<char*>(from.data());  // iconv does not write to it
    waits_ = false;
    std::size_t left = from.size();
    while (left > 0) {
      char buffer[4096];
      char* output = buffer;
      std::size_t room = sizeof(buffer);
      const std::size_t result = iconv(handle_, &input, &left, &output, &room);
      const int why = errno;
      out.append(buffer, sizeof(buffer) - room);
      if (result == static_cast<std::size_t>(-1) && why != E2BIG) {
        waits_ = why == EINVAL;
        break;
      }
    }
    return from.size() - left;
  }
  // The last run ended in the middle of a character.
  bool waits_for_more() const { return waits_; }
  // Back to the first state, with the escape sequence that this takes.
  void reset(std::string* out) {
    char buffer[64];
    char* output = buffer;
    std::size_t room = sizeof(buffer);
    iconv(handle_, nullptr, nullptr, &output, &room);
    if (out != nullptr) out->append(buffer, sizeof(buffer) - room);
  }

 private:
  iconv_t handle_;
  bool waits_ = false;
};

Conversion& conversion(const std::string& to, const std::string& from) {
  thread_local std::map<std::pair<std::string, std::string>, Conversion> kept;
  const auto found = kept.find({to, from});
  if (found != kept.end()) return found->second;
  return kept
      .emplace(std::piecewise_construct, std::forward_as_tuple(to, from),
               std::forward_as_tuple(to.c_str(), from.c_str()))
      .first->second;
}

// The length of the valid UTF-8 sequence at the front of a text; 0 when there is none. (Unicode
// 3.9, table 3-7.)
std::size_t sequence_length(std::string_view text) {
  const auto byte = [text](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
  };
  const auto follows = [&](std::size_t at) { return (byte(at) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    return first == 0xED && byte(1) > 0x9F ? 0 : 3;
  }
  if (first < 0xF0 || first > 0xF4 || !follows(1) || !follows(2) || !follows(3)) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  return first == 0xF4 && byte(1) > 0x8F ? 0 : 4;
}

char32_t character_at(std::string_view text, std::size_t length) {
  if (length == 1) return static_cast<unsigned char>(text[0]);
  char32_t character = static_cast<unsigned char>(text[0]) & (0xFFu >> (length + 1));
  for (std::size_t at = 1; at < length; ++at) {
    character = (character << 6) | (static_cast<unsigned char>(text[at]) & 0x3F);
  }
  return character;
}

CharacterSet::Decoded decode_utf8(std::string_view bytes) {
  CharacterSet::Decoded decoded;
  decoded.text.reserve(bytes.size() + 16);
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0) {
      decoded.undecodable.push_back({decoded.text.size(), bytes[0]});
      decoded.text += kReplacement;
    } else {
      decoded.text += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return decoded;
}

Error unencodable(std::string_view rest, std::string_view set) {
  const std::size_t length = sequence_length(rest);
  if (length == 0) {
    return {"D204",
            fmt::format("a text to be written in {} is not valid UTF-8: it holds the byte 0x{:02X}",
                        set, static_cast<unsigned>(static_cast<unsigned char>(rest[0]))),
            "texts are UTF-8 here whatever the message's character set is; read them from a "
            "message or a table, not from raw bytes"};
  }
  return {
      "D204",
      fmt::format("the character '{}' (U+{:04X}) cannot be written in {}", rest.substr(0, length),
                  static_cast<std::uint32_t>(character_at(rest, length)), set),
      "send the message in UTF-8 when the receiver takes it: msg[\"MSH-18\"] = \"UNICODE "
      "UTF-8\" before it is written; or write the text without this character"};
}

}  // namespace

bool is_ascii(std::string_view bytes) {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 64; at += 64, left -= 64) {
    std::uint64_t words[8];
    std::memcpy(words, at, 64);
    const std::uint64_t any =
        words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7];
    if ((any & 0x8080808080808080ull) != 0) return false;
  }
  unsigned char any = 0;
  for (; left > 0; ++at, --left) any = static_cast<unsigned char>(any | *at);
  return any < 0x80;
}

bool is_utf8(std::string_view bytes) {
  return simdjson::validate_utf8(bytes.data(), bytes.size());
}

// Entries are made once and stay: there are as many as sets in the table.
struct CharacterSet::Table {
  static const Entry* add(Entry entry) {
    static std::mutex mutex;
    static std::set<Entry> entries;
    const std::lock_guard lock(mutex);
    return &*entries.insert(std::move(entry)).first;
  }

  static const Entry* look_up(std::string_view set);  // of an Alias

  static std::vector<std::string> upper_half_of(const std::string& iconv_name) {
    std::vector<std::string> characters(128);
    Conversion decoding("UTF-8", iconv_name.c_str());
    for (int byte = 0x80; byte <= 0xFF; ++byte) {
      const char alone = static_cast<char>(byte);
      decoding.run({&alone, 1}, characters[static_cast<std::size_t>(byte - 0x80)]);
    }
    return characters;
  }

  // Null when this system's iconv lacks the set, or has ASCII characters elsewhere in it.
  static const Entry* of_iconv(const std::string& name) {
    if (name.empty() ||
        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") != std::string::npos) {
      return nullptr;
    }
    Conversion decoding("UTF-8", name.c_str());
    if (!decoding.usable() || !Conversion(name.c_str(), "UTF-8").usable()) return nullptr;
    std::string ascii = "\r\n\t";
    for (char letter = ' '; letter <= '~'; ++letter) ascii += letter;
    std::string decoded;
    if (decoding.run(ascii, decoded) != ascii.size() || decoded != ascii) return nullptr;
    Entry entry{name, name, true, name.starts_with("ISO-2022")};
    for (int byte = 0x80; byte <= 0xFF; ++byte) {
      const char alone = static_cast<char>(byte);
      decoding.reset(nullptr);
      decoding.run({&alone, 1}, decoded);
      if (decoding.waits_for_more()) entry.single_byte = false;
    }
    entry.single_byte = entry.single_byte && !entry.escapes;
    if (name.starts_with("ISO-8859-")) entry.upper_half = upper_half_of(name);
    return add(std::move(entry));
  }
};

CharacterSet CharacterSet::utf8() {
  static const Entry* const entry = Table::add({"UTF-8", "UTF-8", false, false});
  return CharacterSet(entry);
}

CharacterSet CharacterSet::windows_1252() {
  static const Entry* const entry = [] {
    Entry made{"windows-1252", "CP1252", true, false, Table::upper_half_of("CP1252")};
    // 81, 8D, 8F, 90 and 9D are the control characters of there, so that every byte comes back.
    for (std::size_t at = 0; at < made.upper_half.size(); ++at) {
      std::string& character = made.upper_half[at];
      if (character.empty()) character = {'\xC2', static_cast<char>(0x80 + at)};
    }
    return Table::add(std::move(made));
  }();
  return CharacterSet(entry);
}

CharacterSet CharacterSet::iso_2022_jp() {
  static const Entry* const entry = Table::add({"ISO-2022-JP-2", "ISO-2022-JP-2", false, true});
  return CharacterSet(entry);
}

const CharacterSet::Entry* CharacterSet::Table::look_up(std::string_view set) {
  if (set == "UTF-8") return utf8().entry_;
  if (set == "windows-1252") return windows_1252().entry_;
  if (set == "ISO-2022-JP-2") return iso_2022_jp().entry_;
  return of_iconv(std::string(set));
}

Result<CharacterSet> CharacterSet::find(std::string_view name) {
  thread_local std::map<std::string_view, const Entry*> known;
  const std::string wanted = capitals(name);
  std::vector<std::string_view> names;
  for (const Alias& alias : kAliases) {
    if (alias.name != wanted) {
      names.push_back(alias.name);
      continue;
    }
    auto found = known.find(alias.name);
    if (found == known.end()) found = known.emplace(alias.name, Table::look_up(alias.set)).first;
    if (found->second != nullptr) return CharacterSet(found->second);
  }
  std::string message = "there is no character set '" + wanted + "' that can be read here";
  if (const auto meant = nearest(wanted, names)) message += " (did you mean '" + *meant + "'?)";
  return Error{"D201", std::move(message),
               "write a name of HL7 table 0211 such as \"UNICODE UTF-8\" or \"8859/15\", or one of "
               "IANA such as \"windows-1250\"; sets without ASCII (UTF-16, EBCDIC) do not work"};
}

std::string_view CharacterSet::name() const {
  return entry_->name;
}
bool CharacterSet::is_utf8() const {
  return entry_ == utf8().entry_;
}
bool CharacterSet::is_single_byte() const {
  return entry_->single_byte;
}
bool CharacterSet::uses_escapes() const {
  return entry_->escapes;
}

bool CharacterSet::reads_as_it_stands(std::string_view bytes) const {
  if (uses_escapes()) return is_ascii(bytes) && bytes.find(kEscape) == std::string_view::npos;
  return is_ascii(bytes) || (is_utf8() && cannula::is_utf8(bytes));
}

namespace {

CharacterSet::Decoded decode_by_table(std::string_view bytes,
                                      const std::vector<std::string>& upper_half) {
  CharacterSet::Decoded decoded;
  decoded.text.reserve(bytes.size() + bytes.size() / 4);
  std::size_t copied = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x80) continue;
    decoded.text += bytes.substr(copied, at - copied);
    copied = at + 1;
    const std::string& character = upper_half[byte - 0x80u];
    if (character.empty()) decoded.undecodable.push_back({decoded.text.size(), bytes[at]});
    decoded.text += character.empty() ? kReplacement : std::string_view(character);
  }
  decoded.text += bytes.substr(copied);
  return decoded;
}

}  // namespace

CharacterSet::Decoded CharacterSet::decode(std::string_view bytes) const {
  if (reads_as_it_stands(bytes)) return {std::string(bytes), {}};
  if (is_utf8()) return decode_utf8(bytes);
  if (!entry_->upper_half.empty()) return decode_by_table(bytes, entry_->upper_half);
  Conversion& decoding = conversion("UTF-8", entry_->iconv);
  Decoded decoded;
  decoded.text.reserve(bytes.size() + bytes.size() / 4);
  // A segment ends in ASCII whatever it forgot, so that a lost escape sequence costs one segment.
  while (!bytes.empty()) {
    const std::size_t end = uses_escapes() ? bytes.find_first_of("\r\n") : std::string_view::npos;
    std::string_view line = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    bytes.remove_prefix(line.size());
    decoding.reset(nullptr);
    for (;;) {
      line.remove_prefix(decoding.run(line, decoded.text));
      if (line.empty()) break;
      decoded.undecodable.push_back({decoded.text.size(), line[0]});
      decoded.text += kReplacement;
      line.remove_prefix(1);
    }
  }
  return decoded;
}

Result<std::string> CharacterSet::encode(std::string_view text) const {
  if (is_utf8() || is_ascii(text)) return std::string(text);
  Conversion& encoding = conversion(entry_->iconv, "UTF-8");
  encoding.reset(nullptr);
  std::string bytes;
  bytes.reserve(text.size());
  for (;;) {
    text.remove_prefix(encoding.run(text, bytes));
    if (text.empty()) break;
    const bool control = *this == windows_1252() && text.size() > 1 && text[0] == '\xC2' &&
                         static_cast<unsigned char>(text[1]) < 0xA0;
    if (!control) return unencodable(text, name());
    bytes += text[1];
    text.remove_prefix(2);
  }
  encoding.reset(&bytes);
  return bytes;
}

}  // namespace cannula
