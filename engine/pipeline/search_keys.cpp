#include "engine/pipeline/search_keys.h"

#include <algorithm>
#include <array>

#include "parsers/hl7v2/encoding.h"
#include "parsers/text/character_set.h"
#include "parsers/text/fold.h"

namespace cannula::pipeline {
namespace {

constexpr std::size_t kMost = 32;  // a message with a thousand orders is found by the first of them
constexpr std::uint32_t kLooked =
    256;  // and so many are looked at, however many are alike or empty

std::string normalized(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t';
    if (c == ',' || c == '^') {
      while (plain.ends_with(' ')) plain.pop_back();
      plain.push_back('^');
    } else if (!blank) {
      plain.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    } else if (!plain.empty() && plain.back() != ' ' && plain.back() != '^') {
      plain.push_back(' ');
    }
  }
  while (plain.ends_with(' ') || plain.ends_with('^')) plain.pop_back();
  return plain;
}

struct Paths {
  hl7v2::Path patient_number = *hl7v2::Path::parse("PID-3.1");
  hl7v2::Path family = *hl7v2::Path::parse("PID-5.1");
  hl7v2::Path given = *hl7v2::Path::parse("PID-5.2");
  // Of each segment of that name.
  std::array<hl7v2::Path, 3> accessions{*hl7v2::Path::parse("OBR-3.1"),
                                        *hl7v2::Path::parse("OBR-18"),
                                        *hl7v2::Path::parse("ORC-3.1")};
};

const Paths& paths() {
  static const Paths parsed;
  return parsed;
}

// Bytes of a name that is folded; whoever sends a longer one finds it as it was written.
constexpr std::size_t kLongestFolded = 1024;

// Of ASCII, which most names are, the folded form is the one above.
std::string normalized_name(std::string_view text) {
  const bool as_it_is = is_ascii(text) || text.size() > kLongestFolded;
  return as_it_is ? normalized(text) : normalized(fold(text));
}

// Whether the bytes of a name are its text whatever the message's character set is: no characters
// beyond ASCII, and nothing that may switch to another set (2.14.9.18, 2.6.3).
bool is_plain(std::string_view text, char escape) {
  return is_ascii(text) && text.find('\x1B') == std::string_view::npos &&
         (escape == 0 || text.find(escape) == std::string_view::npos);
}

class KeysOfMessage {
 public:
  KeysOfMessage(const hl7v2::Message& message, const store::Store& store)
      : message_(message), store_(store) {}

  std::vector<std::uint64_t> make(std::string_view charset) {
    add_patient_numbers();
    add_names(charset);
    add_accessions();
    return std::move(keys_);
  }

 private:
  void add(std::string_view kind, std::string_view normalized_text) {
    if (keys_.size() >= kMost) return;
    const std::uint64_t key = store_.search_key(kind, normalized_text);
    if (std::find(keys_.begin(), keys_.end(), key) == keys_.end()) keys_.push_back(key);
  }
  void add_number(std::string_view kind, const std::optional<std::string>& text) {
    if (text && !text->empty() && keys_.size() < kMost) add(kind, normalized(*text));
  }

  void add_patient_numbers() {
    auto number = message_.locate(paths().patient_number);
    if (!number) return;
    const std::uint32_t count = std::min(message_.repetitions(*number), kLooked);
    for (number->repetition = 1; number->repetition <= count; ++number->repetition) {
      add_number(store::kPatientNumber, message_.get(*number));
    }
  }

  void add_names(std::string_view charset) {
    const auto family = message_.get(paths().family);
    if (!family || family->empty()) return;
    const std::string given = message_.get(paths().given).value_or("");
    const char escape = message_.delimiters().escape;
    if (!is_plain(*family, escape) || !is_plain(given, escape)) add_decoded_names(charset);
    add(store::kPatientName, normalized(*family));
    if (!given.empty()) add(store::kPatientName, normalized(*family + "^" + given));
  }

  // The set is judged by the whole message, as for the script: its label may be empty or wrong.
  void add_decoded_names(std::string_view charset) {
    std::optional<CharacterSet> told;
    if (!charset.empty()) {
      if (const auto set = CharacterSet::find(charset)) told = *set;
    }
    const auto decoded = hl7v2::decode(message_, hl7v2::Origin::received, told);
    if (!decoded) return;
    const std::string family = decoded->message.get(paths().family).value_or("");
    const std::string given = decoded->message.get(paths().given).value_or("");
    if (family.empty()) return;
    add(store::kPatientName, normalized_name(family));
    if (!given.empty()) add(store::kPatientName, normalized_name(family + "^" + given));
  }

  void add_accessions() {
    for (const hl7v2::Path& place : paths().accessions) {
      std::uint32_t looked = 0;
      for (const hl7v2::SegmentId segment : message_.each(place.segment_name())) {
        if (++looked > kLooked) break;
        add_number(store::kAccession,
                   message_.get(hl7v2::Place{segment, place.field, 0, place.component, 0}));
      }
    }
  }

  const hl7v2::Message& message_;
  const store::Store& store_;
  std::vector<std::uint64_t> keys_;
};

}  // namespace

store::SearchKeys search_keys_for(std::string_view kind, std::string_view text,
                                  const store::Store& store) {
  if (kind != store::kPatientName || is_ascii(text)) {
    return {store.search_key(kind, normalized(text))};
  }
  // Earlier versions hashed the bytes that came: those that were typed, and those of the set that
  // most senders without UTF-8 have.
  store::SearchKeys keys{store.search_key(kind, normalized_name(text)),
                         store.search_key(kind, normalized(text))};
  if (const auto bytes = CharacterSet::windows_1252().encode(text)) {
    keys.push_back(store.search_key(kind, normalized(*bytes)));
  }
  return keys;
}

std::vector<std::uint64_t> search_keys_of(const hl7v2::Message* message, const Bytes& body,
                                          std::string_view charset, const store::Store& store) {
  if (message != nullptr) return KeysOfMessage(*message, store).make(charset);
  if (!body || !hl7v2::is_utf16(*body)) return {};
  const auto decoded = hl7v2::decode(body);
  if (!decoded) return {};
  return KeysOfMessage(decoded->message, store).make("UTF-8");
}

}  // namespace cannula::pipeline
