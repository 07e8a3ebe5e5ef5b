#include "channels/file/filename_template.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

namespace cannula::file {

namespace {

constexpr std::size_t kLongestName = 255;  // what file systems take

Error template_error(std::string_view text, std::string why) {
  return {"F201", "the file name template \"" + std::string(text) + "\" " + std::move(why),
          "such as \"{key}.hl7\" or \"{date}/{channel}-{key}.hl7\"", std::nullopt};
}

void append_harmless(std::string& out, std::string_view value) {
  if (value.empty()) value = "_";
  for (const char byte : value) {
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
    const bool leading_dot = byte == '.' && (out.empty() || out.back() == '/');
    out += plain && !leading_dot ? byte : '_';
  }
}

// The upper 44 bits of an id are milliseconds since 1970.
std::string date_of(MessageId id) {
  const auto time = std::chrono::sys_time<std::chrono::milliseconds>(
      std::chrono::milliseconds(static_cast<std::int64_t>(id.value >> 20)));
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04d%02u%02u", int{day.year()}, unsigned{day.month()},
                unsigned{day.day()});
  return text.data();
}

}  // namespace

Result<FilenameTemplate> FilenameTemplate::parse(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Kind>, 5> kPlaceholders = {
      {{"id", Kind::id},
       {"key", Kind::key},
       {"channel", Kind::channel},
       {"event", Kind::event},
       {"date", Kind::date}}};
  FilenameTemplate made;
  bool distinct = false;
  std::string shape;  // the template with x for each placeholder
  for (std::string_view rest = text; !rest.empty();) {
    if (rest.front() != '{') {
      const std::size_t end = std::min(rest.find('{'), rest.size());
      made.parts_.push_back({Kind::text, std::string(rest.substr(0, end))});
      shape += rest.substr(0, end);
      rest.remove_prefix(end);
      continue;
    }
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) return template_error(text, "has a { without a }");
    const std::string_view name = rest.substr(1, end - 1);
    const auto* const found =
        std::find_if(kPlaceholders.begin(), kPlaceholders.end(),
                     [name](const auto& placeholder) { return placeholder.first == name; });
    if (found == kPlaceholders.end()) {
      return template_error(text, "has the unknown placeholder {" + std::string(name) +
                                      "}; there are {id}, {key}, {channel}, {event} and {date}");
    }
    made.parts_.push_back({found->second, {}});
    made.by_delivery_ = made.by_delivery_ || found->second == Kind::key;
    distinct = distinct || found->second == Kind::id || found->second == Kind::key;
    shape += 'x';
    rest.remove_prefix(end + 1);
  }
  if (!distinct) {
    return template_error(text, "has neither {key} nor {id}: messages would overwrite each other");
  }
  shape = "/" + shape + "/";
  if (shape.find("//") != std::string::npos || shape.find("/./") != std::string::npos ||
      shape.find("/../") != std::string::npos || shape.find('\0') != std::string::npos) {
    return template_error(text, "must name a file within the folder");
  }
  return made;
}

Result<std::string> FilenameTemplate::name_of(const Parcel& parcel) const {
  std::string name;
  for (const Part& part : parts_) {
    switch (part.kind) {
      case Kind::text:
        name += part.text;
        break;
      case Kind::id:
        append_harmless(name, parcel.message.text());
        break;
      case Kind::key:
        append_harmless(name, parcel.key);
        break;
      case Kind::channel:
        append_harmless(name, parcel.channel);
        break;
      case Kind::event:
        append_harmless(name, parcel.event);
        break;
      case Kind::date:
        append_harmless(name, date_of(parcel.message));
        break;
    }
  }
  if (!by_delivery_ && !parcel.among.empty()) {
    const std::size_t last = name.rfind('/') + 1;  // 0 when there is no folder
    const std::size_t dot = name.rfind('.');
    name.insert(dot == std::string::npos || dot <= last ? name.size() : dot, "-" + parcel.among);
  }
  std::size_t start = 0;
  while (start <= name.size()) {
    const std::size_t end = std::min(name.find('/', start), name.size());
    if (end - start > kLongestName) {
      return Error{"F203",
                   "the file name has " + std::to_string(end - start) + " bytes, and at most " +
                       std::to_string(kLongestName) + " are possible",
                   "use fewer placeholders in filename", std::nullopt};
    }
    start = end + 1;
  }
  return {boost::system::in_place_value, std::move(name)};
}

}  // namespace cannula::file
