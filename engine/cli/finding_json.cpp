#include "engine/cli/finding_json.h"

#include <nlohmann/json.hpp>

namespace cannula::cli {

nlohmann::ordered_json finding_json(const Diagnostic& finding) {
  nlohmann::ordered_json json{{"severity", name_of(finding.severity)},
                              {"code", finding.code},
                              {"message", finding.message},
                              {"file", finding.source ? finding.source->name() : std::string()}};
  if (finding.source && finding.span) {
    const Position begin = finding.source->position(finding.span->begin);
    const Position end = finding.source->position(finding.span->end);
    json["line"] = begin.line;
    json["column"] = begin.column;
    json["end_line"] = end.line;
    json["end_column"] = end.column;
  }
  if (!finding.path.empty()) json["path"] = finding.path;
  if (!finding.hint.empty()) json["hint"] = finding.hint;
  return json;
}

}  // namespace cannula::cli
