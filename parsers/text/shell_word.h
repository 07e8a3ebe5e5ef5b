// Commands in messages, for who pastes them.
#pragma once

#include <string>

namespace cannula {

// The text as one word of a POSIX shell (Shell Command Language, 2.2.2): as it is where it is plain,
// otherwise in single quotes.
std::string shell_word(const std::string& text);

}  // namespace cannula
