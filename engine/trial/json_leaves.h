// JSON as the list of its values with their paths: what can be compared and picked without a tree,
// with numbers digit for digit (7.10 is not 7.1 in FHIR).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cannula::trial {

struct Leaf {
  enum class Kind { text, number, boolean, null, empty_object, empty_array };
  std::string path;  // "entry[1].resource.status"; "" for the document itself
  Kind kind = Kind::text;
  std::string text;  // a string's characters, a number's digits

  std::string json() const;
  friend bool operator==(const Leaf&, const Leaf&) = default;
};

// In order of the document; nullopt when it is not JSON.
std::optional<std::vector<Leaf>> json_leaves(std::string_view text);

// Indented by two blanks; nullopt when it is not JSON.
std::optional<std::string> indented_json(std::string_view text);

// The texts of the leaves at a path, `[*]` standing for any number. A path to an object or list
// that is not empty gives its leaves as "name = value", so that it is there but equal to nothing.
std::vector<std::string> pick_leaves(const std::vector<Leaf>& leaves, std::string_view path);

}  // namespace cannula::trial
