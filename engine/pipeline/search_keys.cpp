#include "engine/pipeline/search_keys.h"

#include <algorithm>

namespace cannula::pipeline {
namespace {

constexpr std::size_t kMost = 32;  // a message with a thousand orders is found by the first of them

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

const hl7v2::Path& path(std::string_view text) {
  static std::map<std::string_view, hl7v2::Path> paths = [] {
    std::map<std::string_view, hl7v2::Path> made;
    for (const std::string_view one :
         {"PID-3[*].1", "PID-5.1", "PID-5.2", "OBR[*]-3.1", "OBR[*]-18", "ORC[*]-3.1"}) {
      made.emplace(one, *hl7v2::Path::parse(one));
    }
    return made;
  }();
  return paths.at(text);
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
  for (const std::string& number : message.get_all(path("PID-3[*].1"))) {
    add(store::kPatientNumber, number);
  }
  if (const auto family = message.get(path("PID-5.1"))) {
    add(store::kPatientName, *family);
    const auto given = message.get(path("PID-5.2"));
    if (given && !given->empty()) add(store::kPatientName, *family + "^" + *given);
  }
  for (const char* place : {"OBR[*]-3.1", "OBR[*]-18", "ORC[*]-3.1"}) {
    for (const std::string& number : message.get_all(path(place))) {
      add(store::kAccession, number);
    }
  }
  return keys;
}

}  // namespace cannula::pipeline
