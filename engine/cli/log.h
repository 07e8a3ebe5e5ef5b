// The log that `run` writes.
#pragma once

#include <memory>
#include <string>

namespace spdlog {
class formatter;
}

namespace cannula::cli {

// "2026-01-31T12:00:00.000Z info text" in UTC, one line an entry: whatever a peer, a file's name or
// a script brought into the text, nobody's entry can look like two, and nothing in it is obeyed by
// a terminal (visible()).
std::unique_ptr<spdlog::formatter> log_formatter();

// To standard error, from now on, what is of this level ("info") or above.
void set_up_log(const std::string& level);

// A text of several lines, such as findings, as an error of several entries.
void log_error_lines(const std::string& first, const std::string& lines);

}  // namespace cannula::cli
