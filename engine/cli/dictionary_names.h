// The names that the standard gives to segments and values, and what codes mean, for views.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/path.h"

namespace cannula::cli {

// By the version that MSH-12 names, else 2.5.1; segments of a newer version are found in it.
class DictionaryNames {
 public:
  explicit DictionaryNames(std::string_view msh12);

  // "Patient Identification"; empty when unknown.
  std::string_view segment(std::string_view name) const;
  // "Patient Identifier List, ID Number" of PID-3.1; empty when unknown. `value_type` is OBX-2.
  std::string value(const hl7v2::Path& path, std::string_view value_type) const;
  // "Female" of F at PID-8; nullopt where there is no table with the code.
  std::optional<std::string_view> meaning(const hl7v2::Path& path, std::string_view value_type,
                                          std::string_view code) const;

 private:
  struct Place {
    const hl7v2::PartDefinition* field = nullptr;
    const hl7v2::PartDefinition* component = nullptr;
    const hl7v2::PartDefinition* subcomponent = nullptr;
  };
  Place find(const hl7v2::Path& path, std::string_view value_type) const;
  const hl7v2::SegmentDefinition* definition(std::string_view name) const;

  const hl7v2::Dictionary& words_;
};

}  // namespace cannula::cli
