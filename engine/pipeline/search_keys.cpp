#include "engine/pipeline/search_keys.h"

#include <algorithm>
#include <array>

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

}  // namespace

std::uint64_t search_key_of(std::string_view kind, std::string_view text,
                            const store::Store& store) {
  return store.search_key(kind, normalized(text));
}

std::vector<std::uint64_t> search_keys_of(const hl7v2::Message& message,
                                          const store::Store& store) {
  std::vector<std::uint64_t> keys;
  const auto add = [&](std::string_view kind, std::string_view text) {
    if (text.empty() || keys.size() >= kMost) return;
    const std::uint64_t key = search_key_of(kind, text, store);
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  };
  if (auto number = message.locate(paths().patient_number)) {
    const std::uint32_t count = std::min(message.repetitions(*number), kLooked);
    for (number->repetition = 1; number->repetition <= count; ++number->repetition) {
      add(store::kPatientNumber, message.get(*number).value_or(""));
    }
  }
  if (const auto family = message.get(paths().family)) {
    add(store::kPatientName, *family);
    const auto given = message.get(paths().given);
    if (given && !given->empty()) add(store::kPatientName, *family + "^" + *given);
  }
  for (const hl7v2::Path& place : paths().accessions) {
    std::uint32_t looked = 0;
    for (const hl7v2::SegmentId segment : message.each(place.segment_name())) {
      if (++looked > kLooked) break;
      const hl7v2::Place number{segment, place.field, 0, place.component, 0};
      add(store::kAccession, message.get(number).value_or(""));
    }
  }
  return keys;
}

}  // namespace cannula::pipeline
