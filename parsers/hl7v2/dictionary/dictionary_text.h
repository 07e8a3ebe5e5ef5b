// The generated text (dictionary.txt), as it stands in the program. Internal to the room.
#pragma once

#include <string_view>

namespace cannula::hl7v2 {

std::string_view dictionary_text();

}  // namespace cannula::hl7v2
