#include "engine/cli/input_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/encoding.h"

namespace cannula::cli {
namespace {

Error unreadable(const std::string& name, std::string_view why) {
  return {"U106",
          fmt::format("{}: {}", name, why),
          "paths are taken from the folder you are in; - reads what is piped in",
          {}};
}

}  // namespace

Result<std::string> read_input(const std::string& name) {
  std::FILE* file = name == "-" ? stdin : std::fopen(name.c_str(), "rb");
  if (file == nullptr) return unreadable(name, std::strerror(errno));
  std::string text;
  char part[65536];
  std::size_t count = 0;
  while ((count = std::fread(part, 1, sizeof part, file)) > 0) text.append(part, count);
  const bool failed = std::ferror(file) != 0;
  const std::string why = failed ? std::strerror(errno) : "";
  if (file != stdin) std::fclose(file);
  if (failed) return unreadable(name, "reading failed: " + why);
  return text;
}

std::vector<Span> messages_in(std::string_view bytes) {
  if (hl7v2::is_utf16(bytes)) return {{0, bytes.size()}};
  return hl7v2::split_messages(bytes);
}

std::vector<Diagnostic> envelope_findings(const std::string& name, std::string_view bytes) {
  std::vector<Diagnostic> findings;
  if (!hl7v2::is_batch(bytes)) return findings;
  const auto source = std::make_shared<const Source>(name, std::string());
  for (const Error& error : hl7v2::BatchFile::read(bytes).findings) {
    findings.push_back(
        {Severity::warning, error.code, error.message, source, std::nullopt, error.hint, {}});
  }
  return findings;
}

}  // namespace cannula::cli
