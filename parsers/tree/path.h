// The name of a place in a tree: "entry[1].resource.id".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/result.h"

namespace cannula::tree {

// Names joined by dots, elements of arrays by [n], counted from 1, or [*] for all of them. A name
// that holds a dot or a bracket stands in quotes: extension["http://example.org/a.b"].
//   id · name[1].family · entry[*].resource.id · [2].code · ["odd.name"].x
struct Path {
  struct Step {
    enum class Kind : std::uint8_t { name, element, all };
    Kind kind = Kind::name;
    std::uint32_t position = 0;  // of an element, counted from 1
    std::string name{};
    friend bool operator==(const Step&, const Step&) = default;
  };
  static constexpr std::size_t kMostSteps = 64;

  std::vector<Step> steps;  // none: the place it starts from

  // Fails (N001) with the position in `text` as span.
  static Result<Path> parse(std::string_view text);
  std::string text() const;  // as parse() reads it
  friend bool operator==(const Path&, const Path&) = default;
};

}  // namespace cannula::tree
