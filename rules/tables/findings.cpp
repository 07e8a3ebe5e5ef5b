#include "rules/tables/findings.h"

#include <algorithm>

#include <fmt/format.h>

namespace cannula::tables {

void Findings::add(Diagnostic finding) {
  const bool is_error = finding.severity == Severity::error;
  if (is_error) ++errors_;
  if (kept_.size() < kMost) {
    kept_.push_back(std::move(finding));
    return;
  }
  ++dropped_;
  if (!is_error || errors_ > kMost) return;
  // Errors are why there is no table: they are shown before all that is only doubtful.
  const auto lesser = std::find_if(kept_.rbegin(), kept_.rend(), [](const Diagnostic& each) {
    return each.severity != Severity::error;
  });
  if (lesser != kept_.rend()) *lesser = std::move(finding);
}

std::vector<Diagnostic> Findings::take() {
  const auto place = [](const Diagnostic& finding) {
    return finding.span ? finding.span->begin : 0;
  };
  std::stable_sort(kept_.begin(), kept_.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return place(a) < place(b); });
  if (dropped_ > 0) {
    kept_.push_back({Severity::note,
                     "R119",
                     fmt::format("{} more findings are not shown", dropped_),
                     source_,
                     std::nullopt,
                     "mend the first ones; often the others have the same cause",
                     {}});
  }
  return std::move(kept_);
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string shown(text.substr(0, kLongest));
  if (text.size() > kLongest) {
    while (!shown.empty() && (static_cast<unsigned char>(shown.back()) & 0xC0) == 0x80) {
      shown.pop_back();
    }
    if (!shown.empty() && static_cast<unsigned char>(shown.back()) >= 0x80) shown.pop_back();
    shown += "…";
  }
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return "`" + shown + "`";
}

}  // namespace cannula::tables
