#include "parsers/hl7v2/continuation.h"

#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace cannula::hl7v2 {
namespace {

constexpr Place kContinuationPointer{0, 14, Place::kWholeField, 0, 0};  // MSH-14

Error broken(std::string what) {
  return {"H503", std::move(what),
          "each fragment ends with DSC, and its DSC-1 stands in MSH-14 of the next one",
          std::nullopt};
}

// DSC-1 of the last DSC; empty when nothing follows.
std::string_view pointer_to_next(const Message& message) {
  std::string_view pointer;
  for (const SegmentId segment : message.each("DSC")) {
    pointer = message.raw(Place{segment, 1, Place::kWholeField, 0, 0});
  }
  return pointer;
}

// The fragments in the order of their pointers.
Result<std::vector<const Message*>> chain(std::span<const Message> fragments) {
  std::map<std::string_view, const Message*> by_pointer;
  for (const Message& fragment : fragments) {
    const std::string_view pointer = fragment.raw(kContinuationPointer);
    if (!by_pointer.emplace(pointer, &fragment).second) {
      return broken(pointer.empty()
                        ? std::string("two of the messages have no MSH-14: only the first "
                                      "fragment may be without")
                        : std::string("two of the messages have the same MSH-14"));
    }
    if (fragment.delimiters() != fragments.front().delimiters()) {
      return broken("the fragments have different delimiters in MSH-1 and MSH-2");
    }
  }
  const auto first = by_pointer.find("");
  if (first == by_pointer.end()) {
    return broken("the first fragment is missing: all of them have MSH-14");
  }
  std::vector<const Message*> ordered = {first->second};
  by_pointer.erase(first);
  while (!by_pointer.empty()) {
    const auto next = by_pointer.find(pointer_to_next(*ordered.back()));
    if (next == by_pointer.end()) {
      return broken(fmt::format("fragment {} of {} names no other as the next one", ordered.size(),
                                fragments.size()));
    }
    ordered.push_back(next->second);
    by_pointer.erase(next);
  }
  if (is_continued(*ordered.back())) {
    return broken("the last fragment is missing: the DSC of the last one there names another");
  }
  return ordered;
}

}  // namespace

bool continues_another(const Message& message) {
  return !message.raw(kContinuationPointer).empty();
}

bool is_continued(const Message& message) {
  return !pointer_to_next(message).empty();
}

Result<std::string> join(std::span<const Message> fragments) {
  if (fragments.empty()) return broken("there is no message to join");
  const std::vector<const Message*> ordered = TRY(chain(fragments));
  std::string out;
  std::size_t segments = 0;
  for (const Message* fragment : ordered) {
    for (std::size_t at = 0; at < fragment->segment_count(); ++at) {
      const SegmentId segment = fragment->segment_at(at);
      const std::string_view name = fragment->name_of(segment);
      if (name == "DSC" || (at == 0 && fragment != ordered.front())) continue;
      const std::string text = fragment->text_of(segment);
      if (name != "ADD") {
        out += text;
        out += '\r';
        ++segments;
        continue;
      }
      if (segments < 2) return broken("an ADD segment has no segment before it to continue");
      if (text.size() <= 4) continue;  // a mark, or nothing to add
      out.pop_back();
      out.append(text, 4);
      out += '\r';
    }
  }
  return out;
}

}  // namespace cannula::hl7v2
