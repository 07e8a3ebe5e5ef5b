#include "engine/ops/edited_message.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/text/diagnostic.h"

namespace cannula::ops {
namespace {

using Names = std::set<std::string_view>;

constexpr std::size_t kMostMistakes = 100;  // the first say enough
constexpr hl7v2::Place kControlId{0, 10, 1, 0, 0};

std::optional<hl7v2::Message> parsed(const Bytes& bytes) {
  if (!bytes) return std::nullopt;
  auto decoded = hl7v2::decode(bytes);
  if (!decoded) return std::nullopt;
  return std::move(decoded->message);
}

const Names& names_of_any_version() {
  static const Names names = [] {
    Names all;
    for (std::size_t at = 0; at < hl7v2::kVersions; ++at) {
      for (const auto* segment : hl7v2::dictionary(static_cast<hl7v2::Version>(at)).segments()) {
        all.insert(segment->name);
      }
    }
    return all;
  }();
  return names;
}

bool is_of_name(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What may be shown: a line that lost its separators is text of a patient up to its end.
bool is_like_a_name(std::string_view name) {
  return !name.empty() && name.size() <= 5 && std::all_of(name.begin(), name.end(), is_of_name);
}

bool is_of_site(std::string_view name) {
  return name.size() == 3 && name.starts_with('Z') && is_like_a_name(name);
}

class Comparison {
 public:
  Comparison(const hl7v2::Message* original, const hl7v2::Message& edited,
             const hl7v2::SiteSegments* site_segments)
      : original_(original), edited_(edited), site_segments_(site_segments) {
    if (original_ == nullptr) return;
    for (std::size_t at = 0; at < original_->segment_count(); ++at) {
      const hl7v2::SegmentId segment = original_->segment_at(at);
      names_.insert(original_->name_of(segment));
      if (original_->fields(segment) == 0) bare_.insert(original_->name_of(segment));
      --result_.more_segments[std::string(original_->name_of(segment))];
    }
  }

  EditedMessage make() {
    if (original_ != nullptr && !original_->raw(kControlId).empty() &&
        edited_.raw(kControlId).empty()) {
      result_.mistakes.emplace_back("line 1: the control id (MSH-10) is gone");
    }
    for (std::size_t at = 0; at < edited_.segment_count(); ++at) {
      look_at(edited_.segment_at(at));
    }
    if (original_ == nullptr) result_.more_segments.clear();
    std::erase_if(result_.more_segments, [](const auto& entry) {
      return entry.second == 0 || !is_like_a_name(entry.first);
    });
    return std::move(result_);
  }

 private:
  void look_at(hl7v2::SegmentId segment) {
    const std::string_view name = edited_.name_of(segment);
    ++result_.more_segments[std::string(name)];
    if (result_.mistakes.size() >= kMostMistakes) return;
    if (!is_known(name)) {
      result_.mistakes.push_back(place_of(name) + unknown(name) + suggestion(name));
    } else if (original_ != nullptr && edited_.fields(segment) == 0 && !bare_.contains(name)) {
      result_.mistakes.push_back(place_of(name) + fmt::format("{} has no fields", name));
    }
  }

  // A name stands in the received bytes: nothing was edited here. Asked for in their order, so that
  // each line is counted once.
  std::string place_of(std::string_view name) {
    const std::string_view all = *edited_.received();
    const auto end = static_cast<std::size_t>(name.data() - all.data());
    for (; counted_ < end; ++counted_) {
      const bool pair = all[counted_] == '\n' && counted_ > 0 && all[counted_ - 1] == '\r';
      if ((all[counted_] == '\r' || all[counted_] == '\n') && !pair) ++line_;
    }
    return fmt::format("line {}: ", line_);
  }

  bool is_known(std::string_view name) const {
    return names_.contains(name) || is_of_site(name) || names_of_any_version().contains(name) ||
           (site_segments_ != nullptr && site_segments_->segment(name) != nullptr);
  }

  std::string unknown(std::string_view name) const {
    if (is_like_a_name(name)) return fmt::format("{} is no segment", name);
    return fmt::format("what stands before the first {} is the name of no segment",
                       edited_.delimiters().field);
  }

  // The original's segments first: it is one of these that was written wrongly.
  std::string suggestion(std::string_view name) const {
    std::optional<std::string> meant = nearest_of(name, names_);
    if (!meant) meant = nearest_of(name, names_of_any_version());
    const std::string_view start = name.substr(0, 3);
    if (!meant && is_known(start)) meant = std::string(start);
    return meant ? fmt::format(" (did you mean {}?)", *meant) : std::string();
  }
  static std::optional<std::string> nearest_of(std::string_view name, const Names& names) {
    if (!is_like_a_name(name)) return std::nullopt;
    return nearest(name, std::vector<std::string_view>(names.begin(), names.end()));
  }

  const hl7v2::Message* original_;
  const hl7v2::Message& edited_;
  const hl7v2::SiteSegments* site_segments_;
  Names names_;              // of the original
  Names bare_;               // those that stand there without a field
  std::size_t counted_ = 0;  // bytes of the edited message
  std::size_t line_ = 1;     // of the next
  EditedMessage result_;
};

}  // namespace

EditedMessage look_at_edited(const Bytes& original, const Bytes& edited,
                             const hl7v2::SiteSegments* site_segments) {
  const auto before = parsed(original);
  const auto now = parsed(edited);
  if (now) return Comparison(before ? &*before : nullptr, *now, site_segments).make();
  EditedMessage result;
  if (before) {
    result.mistakes.emplace_back(
        "line 1: the original is an HL7 v2 message and begins with MSH, this does not");
  }
  return result;
}

Result<void> refuse_mistakes(const EditedMessage& edited) {
  if (edited.mistakes.empty()) return {};
  constexpr std::size_t kMostInText = 5;
  const std::size_t shown = std::min(edited.mistakes.size(), kMostInText);
  std::string text = fmt::format("the edited message {} ", edited.mistakes.size() == 1
                                                               ? "has what looks like a mistake:"
                                                               : "has what look like mistakes:");
  for (std::size_t at = 0; at < shown; ++at) {
    text += (at == 0 ? "" : "; ") + edited.mistakes[at];
  }
  if (shown < edited.mistakes.size()) {
    text += fmt::format("; and {} more", edited.mistakes.size() - shown);
  }
  return Error{"P338", std::move(text),
               "correct it and edit again; `--force` takes it as it is when that is meant so",
               std::nullopt};
}

std::string describe_segments(const EditedMessage& edited) {
  std::vector<std::string> parts;
  for (const auto& [name, more] : edited.more_segments) {
    parts.push_back(fmt::format("{} {} {}", std::abs(more), name, more > 0 ? "more" : "less"));
  }
  if (parts.empty()) return {};
  return fmt::format("{} than the original", fmt::join(parts, ", "));
}

}  // namespace cannula::ops
