// Which places of a message the standard makes leaves and which composites, by data type (HL7
// v2 2.A). Only this much of the standard's dictionary is needed to know whether a written `&` is
// text or divides.
#pragma once

#include <cstdint>
#include <string_view>

namespace cannula::hl7v2 {

enum class Shape : std::uint8_t { unknown, leaf, composite };

// A data type by its name ("ST", "CWE"); unknown for what changed between versions (TS) and what
// nobody knows.
Shape shape_of_type(std::string_view type);

// A field (component 0) or one of its components. `value_type` is OBX-2 where the segment is OBX,
// else ignored.
Shape shape_of(std::string_view segment, std::uint32_t field, std::uint32_t component,
               std::string_view value_type);

}  // namespace cannula::hl7v2
