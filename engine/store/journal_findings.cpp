#include "engine/store/journal_findings.h"

#include <fmt/format.h>

#include "engine/store/segment.h"

namespace cannula::store {

std::uint64_t file_offset(Position base, Position position) {
  return kSegmentHeaderSize + (position - base);
}

Diagnostic damage_finding(std::string code, const std::filesystem::path& path, std::string message,
                          std::string hint) {
  Diagnostic finding;
  finding.code = std::move(code);
  finding.message = fmt::format("{}: {}", path.filename().string(), message);
  finding.hint = std::move(hint);
  finding.path = path.string();
  return finding;
}

Diagnostic gap_finding(const std::filesystem::path& path, Position base, const Gap& gap) {
  return damage_finding("J201", path,
                        fmt::format("{} bytes at offset {} are no records (positions {} to {}){}",
                                    gap.end - gap.begin, file_offset(base, gap.begin), gap.begin,
                                    gap.end, gap.only_zeros ? ", all of them zero" : ""),
                        std::string(kDamageHint));
}

Diagnostic intruder_finding(const std::filesystem::path& path, const Intruders& intruders) {
  std::string more;
  if (intruders.count == 2) more = ", and another behind it";
  if (intruders.count > 2) more = fmt::format(", and {} others behind it", intruders.count - 1);
  return damage_finding("J119", path,
                        fmt::format("{} stands at position {}, where everything is sealed{}; it is "
                                    "passed over",
                                    intruders.what, intruders.first, more),
                        std::string(kIntruderHint));
}

void add_once(std::vector<Diagnostic>& findings, Diagnostic finding) {
  for (const Diagnostic& known : findings) {
    if (known.message == finding.message) return;
  }
  findings.push_back(std::move(finding));
}

}  // namespace cannula::store
