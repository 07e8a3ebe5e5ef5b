#include "parsers/hl7v2/diff.h"

#include <algorithm>
#include <array>
#include <deque>
#include <string_view>
#include <unordered_map>

namespace cannula::hl7v2 {
namespace {

// The field that says which of several segments of a name one is.
struct Identifier {
  std::string_view segment;
  std::uint32_t field;
};
constexpr std::array kIdentifiers = {
    Identifier{"OBX", 3}, Identifier{"OBR", 4}, Identifier{"DG1", 3}, Identifier{"AL1", 3},
    Identifier{"PR1", 3}, Identifier{"NK1", 2}, Identifier{"IN1", 2}, Identifier{"AIS", 3}};

// One side: its segments in order, with their texts and numbers.
struct Side {
  explicit Side(const Message& of) : message(of) {
    std::unordered_map<std::string_view, std::uint32_t> seen;
    const std::size_t count = of.segment_count();
    texts.reserve(count);
    for (std::size_t at = 0; at < count; ++at) {
      const SegmentId segment = of.segment_at(at);
      texts.push_back(of.text_of(segment));
      numbers.push_back(++seen[of.name_of(segment)]);
    }
  }

  std::string_view name(std::size_t at) const { return message.name_of(message.segment_at(at)); }
  std::string key(std::size_t at) const {
    std::string key(name(at));
    for (const Identifier& each : kIdentifiers) {
      if (each.segment != key) continue;
      key += message.raw(Place{message.segment_at(at), each.field});
      break;
    }
    return key;
  }
  Path path(std::size_t at) const {
    Path path;
    const std::string_view segment = name(at);
    std::copy_n(segment.begin(), std::min<std::size_t>(segment.size(), 3), path.segment);
    path.segment_index = numbers[at];
    return path;
  }

  const Message& message;
  std::vector<std::string> texts;
  std::vector<std::uint32_t> numbers;  // the n-th of its name
};

struct Range {
  std::size_t begin;
  std::size_t end;
};

// Which segment of one side belongs to which of the other.
class Alignment {
 public:
  Alignment(const Side& before, const Side& after)
      : before_(before), after_(after), partner_of_after_(after.texts.size(), kNone) {
    Range old_rest{0, before.texts.size()};
    Range new_rest{0, after.texts.size()};
    trim(old_rest, new_rest);
    std::size_t old_at = old_rest.begin;
    std::size_t new_at = new_rest.begin;
    for (const auto& [old_anchor, new_anchor] : anchors(old_rest, new_rest)) {
      pair_up({old_at, old_anchor}, {new_at, new_anchor});
      partner_of_after_[new_anchor] = old_anchor;
      old_at = old_anchor + 1;
      new_at = new_anchor + 1;
    }
    pair_up({old_at, old_rest.end}, {new_at, new_rest.end});
  }

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t partner_of_after(std::size_t at) const { return partner_of_after_[at]; }

 private:
  using Pair = std::pair<std::size_t, std::size_t>;

  // What is the same at both ends.
  void trim(Range& old_rest, Range& new_rest) {
    while (old_rest.begin < old_rest.end && new_rest.begin < new_rest.end &&
           before_.texts[old_rest.begin] == after_.texts[new_rest.begin]) {
      partner_of_after_[new_rest.begin++] = old_rest.begin++;
    }
    while (old_rest.begin < old_rest.end && new_rest.begin < new_rest.end &&
           before_.texts[old_rest.end - 1] == after_.texts[new_rest.end - 1]) {
      partner_of_after_[--new_rest.end] = --old_rest.end;
    }
  }

  // Segments that stand on each side once, and as many of them as are in order on both.
  std::vector<Pair> anchors(Range old_rest, Range new_rest) const {
    struct Seen {
      std::size_t old_at = 0;
      std::size_t new_at = 0;
      std::uint32_t old_count = 0;
      std::uint32_t new_count = 0;
    };
    std::unordered_map<std::string_view, Seen> seen;
    for (std::size_t at = old_rest.begin; at < old_rest.end; ++at) {
      Seen& each = seen[before_.texts[at]];
      each.old_at = at;
      ++each.old_count;
    }
    for (std::size_t at = new_rest.begin; at < new_rest.end; ++at) {
      Seen& each = seen[after_.texts[at]];
      each.new_at = at;
      ++each.new_count;
    }
    std::vector<Pair> common;
    for (std::size_t at = new_rest.begin; at < new_rest.end; ++at) {
      const Seen& each = seen[after_.texts[at]];
      if (each.old_count == 1 && each.new_count == 1) common.emplace_back(each.old_at, at);
    }
    return longest_rising(common);
  }

  // The longest part of `pairs`, in order of their second, whose firsts rise too.
  static std::vector<Pair> longest_rising(const std::vector<Pair>& pairs) {
    std::vector<std::size_t>
        ends;  // by length: the pair with the lowest first that ends such a run
    std::vector<std::size_t> previous(pairs.size(), kNone);
    for (std::size_t at = 0; at < pairs.size(); ++at) {
      const auto place = std::lower_bound(
          ends.begin(), ends.end(), pairs[at].first,
          [&](std::size_t end, std::size_t first) { return pairs[end].first < first; });
      if (place != ends.begin()) previous[at] = *(place - 1);
      if (place == ends.end()) {
        ends.push_back(at);
      } else {
        *place = at;
      }
    }
    std::vector<Pair> run;
    for (std::size_t at = ends.empty() ? kNone : ends.back(); at != kNone; at = previous[at]) {
      run.push_back(pairs[at]);
    }
    std::reverse(run.begin(), run.end());
    return run;
  }

  // Between anchors: first by what identifies a segment, then by name alone.
  void pair_up(Range old_gap, Range new_gap) {
    if (old_gap.begin == old_gap.end || new_gap.begin == new_gap.end) return;
    std::vector<bool> taken(old_gap.end - old_gap.begin);
    const auto pair_by = [&](const auto& key_of) {
      std::unordered_map<std::string, std::deque<std::size_t>> waiting;
      for (std::size_t at = old_gap.begin; at < old_gap.end; ++at) {
        if (!taken[at - old_gap.begin]) waiting[key_of(before_, at)].push_back(at);
      }
      for (std::size_t at = new_gap.begin; at < new_gap.end; ++at) {
        if (partner_of_after_[at] != kNone) continue;
        const auto found = waiting.find(key_of(after_, at));
        if (found == waiting.end() || found->second.empty()) continue;
        partner_of_after_[at] = found->second.front();
        taken[found->second.front() - old_gap.begin] = true;
        found->second.pop_front();
      }
    };
    pair_by([](const Side& side, std::size_t at) { return side.key(at); });
    pair_by([](const Side& side, std::size_t at) { return std::string(side.name(at)); });
  }

  const Side& before_;
  const Side& after_;
  std::vector<std::size_t> partner_of_after_;
};

class Comparison {
 public:
  Comparison(const Message& before, const Message& after, const DiffOptions& options)
      : before_(before), after_(after), options_(options) {}

  std::vector<Difference> run() && {
    const Alignment alignment(before_, after_);
    std::vector<bool> has_partner(before_.texts.size());
    for (std::size_t at = 0; at < after_.texts.size(); ++at) {
      if (alignment.partner_of_after(at) != Alignment::kNone) {
        has_partner[alignment.partner_of_after(at)] = true;
      }
    }
    std::size_t old_at = 0;
    for (std::size_t at = 0; at < after_.texts.size(); ++at) {
      const std::size_t partner = alignment.partner_of_after(at);
      if (partner == Alignment::kNone) {
        add_segment(Difference::Kind::added, after_, at);
        continue;
      }
      for (; old_at < partner; ++old_at) {
        if (!has_partner[old_at]) add_segment(Difference::Kind::removed, before_, old_at);
      }
      compare_segments(partner, at);
    }
    for (; old_at < before_.texts.size(); ++old_at) {
      if (!has_partner[old_at]) add_segment(Difference::Kind::removed, before_, old_at);
    }
    return std::move(found_);
  }

 private:
  bool is_ignored(const Path& path) const {
    return std::any_of(options_.ignore.begin(), options_.ignore.end(), [&](const Path& each) {
      return each.segment_name() == path.segment_name() && each.field == path.field &&
             each.component == path.component;
    });
  }

  void add_segment(Difference::Kind kind, const Side& side, std::size_t at) {
    Difference difference{kind, side.path(at), {}, {}, {}, {}};
    if (is_ignored(difference.path)) return;
    const bool added = kind == Difference::Kind::added;
    (added ? difference.after : difference.before) = side.texts[at];
    (added ? difference.after_place : difference.before_place) = Place{side.message.segment_at(at)};
    found_.push_back(std::move(difference));
  }

  void compare_segments(std::size_t old_at, std::size_t new_at) {
    if (same_delimiters_ && before_.texts[old_at] == after_.texts[new_at]) return;
    Path path = after_.path(new_at);
    if (is_ignored(path)) return;
    const SegmentId old_segment = before_.message.segment_at(old_at);
    const SegmentId new_segment = after_.message.segment_at(new_at);
    const std::uint32_t fields =
        std::max(before_.message.fields(old_segment), after_.message.fields(new_segment));
    const bool is_header = path.segment_name() == "MSH";
    for (path.field = 1; path.field <= fields; ++path.field) {
      const Place old_field{old_segment, path.field};
      const Place new_field{new_segment, path.field};
      if (is_ignored(path)) continue;
      if (is_header && path.field <= 2) {
        compare_texts(old_field, new_field, path);
      } else {
        compare_repetitions(old_field, new_field, path);
      }
    }
  }

  void compare_repetitions(Place old_place, Place new_place, Path path) {
    const std::uint32_t count =
        std::max(before_.message.repetitions(old_place), after_.message.repetitions(new_place));
    for (std::uint32_t at = 1; at <= count; ++at) {
      old_place.repetition = new_place.repetition = at;
      path.repetition = count > 1 ? at : 0;
      compare(old_place, new_place, path);
    }
  }

  bool is_divided(const Message& message, const Place& place) const {
    return place.subcomponent == 0 && !message.is_null(place) && !message.raw(place).empty() &&
           message.is_composite(place);
  }

  void compare(Place old_place, Place new_place, Path path) {
    const std::string_view old_raw = before_.message.raw(old_place);
    const std::string_view new_raw = after_.message.raw(new_place);
    if (same_delimiters_ && old_raw == new_raw) return;
    if (!is_divided(before_.message, old_place) && !is_divided(after_.message, new_place)) {
      compare_texts(old_place, new_place, path);
      return;
    }
    const bool is_field = old_place.component == 0;
    const std::uint32_t parts = is_field ? std::max(before_.message.components(old_place),
                                                    after_.message.components(new_place))
                                         : std::max(before_.message.subcomponents(old_place),
                                                    after_.message.subcomponents(new_place));
    // PID-5.1 says enough where nothing divides the family name, though FN has components.
    const bool named = is_field || parts > 1;
    for (std::uint32_t part = 1; part <= parts; ++part) {
      (is_field ? old_place.component : old_place.subcomponent) = part;
      (is_field ? new_place.component : new_place.subcomponent) = part;
      if (named) (is_field ? path.component : path.subcomponent) = part;
      if (is_ignored(path)) continue;
      compare(old_place, new_place, path);
    }
  }

  void compare_texts(const Place& old_place, const Place& new_place, const Path& path) {
    const auto old_text = before_.message.get(old_place);
    const auto new_text = after_.message.get(new_place);
    if (old_text == new_text) return;
    Difference difference{Difference::Kind::changed, path, {}, {}, old_place, new_place};
    if (!old_text) {
      difference.kind = Difference::Kind::added;
      difference.before_place.reset();
    }
    if (!new_text) {
      difference.kind = Difference::Kind::removed;
      difference.after_place.reset();
    }
    difference.before = old_text.value_or("");
    difference.after = new_text.value_or("");
    found_.push_back(std::move(difference));
  }

  const Side before_;
  const Side after_;
  const DiffOptions& options_;
  const bool same_delimiters_ = before_.message.delimiters() == after_.message.delimiters();
  std::vector<Difference> found_;
};

}  // namespace

std::vector<Difference> diff(const Message& before, const Message& after,
                             const DiffOptions& options) {
  return Comparison(before, after, options).run();
}

}  // namespace cannula::hl7v2
