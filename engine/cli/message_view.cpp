#include "engine/cli/message_view.h"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/dictionary_names.h"
#include "parsers/hl7v2/structure.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using hl7v2::Message;
using hl7v2::Place;
using hl7v2::SegmentId;
using hl7v2::Structure;

// One value: what no delimiter divides any more.
struct PathValue {
  std::string path;  // "OBX[2]-5.1", shortest: [n] only where there are several
  std::string text;  // unescaped
  bool is_null = false;
};

constexpr std::size_t kLongestValue = 160;   // bytes shown of a value
constexpr std::size_t kLongestMeaning = 80;  // and of what a code stands for: some are essays

// What each segment is called: "OBX[2]", or "PID" where there is one only.
std::vector<std::string> segment_paths(const Message& message) {
  std::map<std::string_view, std::size_t> total;
  for (std::size_t position = 0; position < message.segment_count(); ++position) {
    ++total[message.name_of(message.segment_at(position))];
  }
  std::map<std::string_view, std::size_t> so_far;
  std::vector<std::string> paths;
  for (std::size_t position = 0; position < message.segment_count(); ++position) {
    const std::string_view name = message.name_of(message.segment_at(position));
    const std::size_t nth = ++so_far[name];
    paths.push_back(total[name] < 2 ? std::string(name) : fmt::format("{}[{}]", name, nth));
  }
  return paths;
}

// Walks down from a field to the values in it.
class Values {
 public:
  Values(const Message& message, SegmentId segment, const std::string& name)
      : message_(message), segment_(segment), name_(name) {}

  std::vector<PathValue> all() && {
    const std::uint32_t fields = message_.fields(segment_);
    for (std::uint32_t field = 1; field <= fields; ++field) add_field(field);
    return std::move(values_);
  }

 private:
  void add_field(std::uint32_t field) {
    const Place whole{segment_, field};
    const bool is_delimiters = message_.name_of(segment_) == "MSH" && field <= 2;
    const std::uint32_t repetitions = is_delimiters ? 1 : message_.repetitions(whole);
    for (std::uint32_t repetition = 1; repetition <= repetitions; ++repetition) {
      std::string path = fmt::format("{}-{}", name_, field);
      if (repetitions > 1) path += fmt::format("[{}]", repetition);
      add(Place{segment_, field, repetition}, std::move(path));
    }
  }

  void add(Place place, std::string path) {
    if (message_.raw(place).empty()) return;
    if (message_.is_null(place) || place.subcomponent > 0 || !message_.is_composite(place)) {
      values_.push_back(
          {std::move(path), message_.get(place).value_or(""), message_.is_null(place)});
      return;
    }
    const bool is_field = place.component == 0;
    const std::uint32_t parts =
        is_field ? message_.components(place) : message_.subcomponents(place);
    for (std::uint32_t part = 1; part <= parts; ++part) {
      Place inner = place;
      (is_field ? inner.component : inner.subcomponent) = part;
      add(inner, fmt::format("{}.{}", path, part));
    }
  }

  const Message& message_;
  SegmentId segment_;
  const std::string& name_;
  std::vector<PathValue> values_;
};

const Structure* structure_of(const Message& message) {
  return Structure::find(message.structure());
}

struct OpenGroup {
  std::size_t group = 0;  // among the structure's
  std::size_t occurrence = 0;
};

std::string value_text(const PathValue& value) {
  if (value.is_null) return "\"\"  (null: the sender deletes the value)";
  const std::string shown = visible(value.text, kLongestValue);
  return value.text.size() <= kLongestValue
             ? shown
             : fmt::format("{} ({} bytes)", shown, value.text.size());
}

// What the standard calls the value, and what its code means: "= Female  [Administrative Sex]".
std::string explained(const DictionaryNames& names, const PathValue& value,
                      std::string_view value_type) {
  const auto path = hl7v2::Path::parse(value.path);
  if (!path) return {};
  std::string text;
  if (const auto meaning = names.meaning(*path, value_type, value.text)) {
    text += fmt::format(" = {}", visible(*meaning, kLongestMeaning));
  }
  if (const std::string name = names.value(*path, value_type); !name.empty()) {
    text += fmt::format("  [{}]", name);
  }
  return text;
}

std::string header_field(const Message& message, std::uint32_t field) {
  return message.get(Place{message.segment_at(0), field, 1, 1}).value_or("");
}

}  // namespace

std::vector<std::vector<std::string>> groups_of_segments(const Message& message) {
  std::vector<std::vector<std::string>> named(message.segment_count());
  const Structure* structure = structure_of(message);
  if (structure == nullptr) return named;

  const std::vector<std::string_view> names = structure->group_names();
  std::vector<std::uint32_t> nodes;
  std::vector<Structure::Walk> walks;  // one a group: each watches its own
  for (const std::string_view name : names) {
    nodes.push_back(structure->group(name).value_or(0));
    walks.emplace_back(*structure);
  }
  std::vector<std::size_t> occurrences(names.size());
  std::vector<std::vector<OpenGroup>> open(message.segment_count());
  for (std::size_t position = 0; position < message.segment_count(); ++position) {
    const std::string_view segment = message.name_of(message.segment_at(position));
    for (std::size_t group = 0; group < names.size(); ++group) {
      if (walks[group].next(segment, nodes[group])) ++occurrences[group];
      if (walks[group].is_in(nodes[group])) open[position].push_back({group, occurrences[group]});
    }
  }
  for (std::size_t position = 0; position < open.size(); ++position) {
    std::sort(
        open[position].begin(), open[position].end(),
        [&](const OpenGroup& a, const OpenGroup& b) { return nodes[a.group] < nodes[b.group]; });
    for (const OpenGroup& group : open[position]) {
      named[position].push_back(occurrences[group.group] > 1
                                    ? fmt::format("{}[{}]", names[group.group], group.occurrence)
                                    : std::string(names[group.group]));
    }
  }
  return named;
}

std::string headline(const Message& message) {
  const auto or_none = [](const std::string& text) { return text.empty() ? "none" : text; };
  return fmt::format("{}, control id {}, version {}, {} segments",
                     message.type().empty() ? "no message type" : visible(message.type()),
                     visible(or_none(header_field(message, 10))),
                     visible(or_none(header_field(message, 12))), message.segment_count());
}

std::string message_text(const Message& message) {
  const auto groups = groups_of_segments(message);
  const DictionaryNames names(header_field(message, 12));
  const std::vector<std::string> paths = segment_paths(message);
  const std::vector<std::string> none;
  std::string text;
  for (std::size_t position = 0; position < message.segment_count(); ++position) {
    const auto& before = position == 0 ? none : groups[position - 1];
    const auto& now = groups[position];
    const auto [left, entered] =
        std::mismatch(before.begin(), before.end(), now.begin(), now.end());
    for (auto group = entered; group != now.end(); ++group) {
      text += fmt::format("{:{}}{}\n", "", 2 * (group - now.begin()), *group);
    }
    const std::size_t indent = 2 * now.size();
    const SegmentId segment = message.segment_at(position);
    const std::string_view meant = names.segment(message.name_of(segment));
    text += fmt::format("{:{}}{}{}{}\n", "", indent, visible(paths[position], 80),
                        meant.empty() ? "" : "  ", meant);
    const std::string value_type(message.name_of(segment) == "OBX" ? message.raw(Place{segment, 2})
                                                                   : std::string_view());
    const std::vector<PathValue> values = Values(message, segment, paths[position]).all();
    std::size_t width = 0;
    for (const PathValue& value : values) width = std::max(width, value.path.size());
    for (const PathValue& value : values) {
      text += fmt::format("{:{}}{:<{}}  {}{}\n", "", indent + 2, visible(value.path),
                          std::min<std::size_t>(width, 24), value_text(value),
                          explained(names, value, value_type));
    }
  }
  return text;
}

std::string segments_text(const Message& message) {
  std::string text;
  for (std::size_t position = 0; position < message.segment_count(); ++position) {
    text += visible(message.text_of(message.segment_at(position))) + "\n";
  }
  return text;
}

nlohmann::ordered_json message_json(const Message& message) {
  const auto groups = groups_of_segments(message);
  const std::vector<std::string> paths = segment_paths(message);
  nlohmann::ordered_json segments = nlohmann::ordered_json::array();
  for (std::size_t position = 0; position < message.segment_count(); ++position) {
    const SegmentId segment = message.segment_at(position);
    nlohmann::ordered_json values = nlohmann::ordered_json::array();
    for (PathValue& value : Values(message, segment, paths[position]).all()) {
      values.push_back({{"path", std::move(value.path)}, {"text", std::move(value.text)}});
      if (value.is_null) values.back()["null"] = true;
    }
    segments.push_back({{"segment", paths[position]},
                        {"groups", groups[position]},
                        {"values", std::move(values)}});
  }
  return {{"event", message.type()},
          {"structure", message.structure()},
          {"control_id", header_field(message, 10)},
          {"version", header_field(message, 12)},
          {"segments", std::move(segments)}};
}

}  // namespace cannula::cli
