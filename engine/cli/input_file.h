// The files that a verb is given.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/diagnostic.h"
#include "parsers/text/result.h"
#include "parsers/text/span.h"

namespace cannula::cli {

// All bytes of a file, or of the standard input for "-". The error (U106) names the file.
Result<std::string> read_input(const std::string& name);

// Where each HL7 v2 message of a file stands; one in UTF-16 is the whole file.
std::vector<Span> messages_in(std::string_view bytes);

// What does not agree in the envelope of a batch (FHS, BHS, BTS, FTS); nothing when it is none.
std::vector<Diagnostic> envelope_findings(const std::string& name, std::string_view bytes);

}  // namespace cannula::cli
