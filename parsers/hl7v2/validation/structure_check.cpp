#include "parsers/hl7v2/validation/structure_check.h"

#include <algorithm>

#include "parsers/hl7v2/structure.h"

namespace cannula::hl7v2 {
namespace {

class StructureCheck {
 public:
  StructureCheck(const Message& message, const Dictionary& words,
                 const StructureDefinition& definition, Findings& findings)
      : message_(message),
        words_(words),
        structure_(definition.name, definition.definition, Structure::Reading::strict),
        nodes_(structure_.nodes()),
        counts_(nodes_.size()),
        findings_(findings) {}

  void run() {
    Structure::Walk walk(structure_);
    for (std::size_t at = 0; at < message_.segment_count(); ++at) {
      const SegmentId segment = message_.segment_at(at);
      const std::string_view name = message_.name_of(segment);
      if (name.starts_with('Z') || words_.segment(name) == nullptr) continue;
      const std::uint32_t before = walk.at();
      if (!walk.step(name)) {
        report_unplaced(segment, name);
        continue;
      }
      follow(before, walk);
      last_ = segment;
    }
    check_group(0);
  }

 private:
  // Brings the counts from the place before a step to the one behind it, and reports what is
  // lacking in the groups that were left.
  void follow(std::uint32_t before, const Structure::Walk& walk) {
    const std::uint32_t at = walk.at();
    std::uint32_t open = before;  // walk up from where we were, closing groups we are no longer in
    if (!nodes_[open].is_group) open = nodes_[open].parent;
    while (open != 0 &&
           (!is_inside(at, open) || (walk.begun_again() && is_inside(open, *walk.begun_again())))) {
      close(open);
      open = nodes_[open].parent;
    }
    // And down from there.
    std::vector<std::uint32_t> entered;
    for (std::uint32_t group = nodes_[at].parent; group != open && group != 0;
         group = nodes_[group].parent) {
      entered.push_back(group);
    }
    for (auto group = entered.rbegin(); group != entered.rend(); ++group) ++counts_[*group];
    ++counts_[at];
  }

  bool is_inside(std::uint32_t node, std::uint32_t group) const {
    return node >= group && node < nodes_[group].end;
  }

  void close(std::uint32_t group) {
    check_group(group);
    std::fill(counts_.begin() + group + 1, counts_.begin() + nodes_[group].end, 0);
  }

  // The direct parts of one occurrence that has ended; those in it were closed before.
  void check_group(std::uint32_t group) {
    for (std::uint32_t part = group + 1; part < nodes_[group].end; part = nodes_[part].end) {
      const Structure::Node& node = nodes_[part];
      if (counts_[part] > 0) {
        if (group == 0 && node.is_group) check_still_open(part);
        continue;
      }
      if (!node.optional) report_missing(part, group);
    }
  }

  // At the end of the message, groups that the last segment stands in have not been closed.
  void check_still_open(std::uint32_t group) {
    const bool touched =
        std::any_of(counts_.begin() + group + 1, counts_.begin() + nodes_[group].end,
                    [](std::uint32_t count) { return count > 0; });
    if (!touched) return;
    for (std::uint32_t part = group + 1; part < nodes_[group].end; part = nodes_[part].end) {
      if (counts_[part] > 0) {
        if (nodes_[part].is_group) check_still_open(part);
      } else if (!nodes_[part].optional) {
        report_missing(part, group);
      }
    }
  }

  // What a person would look for: the first segment that the part must have.
  std::uint32_t first_required(std::uint32_t part) const {
    if (!nodes_[part].is_group) return part;
    for (std::uint32_t at = part + 1; at < nodes_[part].end;) {
      const Structure::Node& node = nodes_[at];
      if (!node.optional && !node.is_group) return at;
      at = node.optional ? node.end : at + 1;
    }
    while (nodes_[part].is_group) ++part;
    return part;
  }

  void report_missing(std::uint32_t part, std::uint32_t group) {
    const std::uint32_t first = first_required(part);
    const std::string_view name = nodes_[first].name;
    const SegmentDefinition* definition = words_.segment(name);
    const std::string where = group == 0
                                  ? std::string(structure_.name())
                                  : fmt::format("{} of {}", nodes_[group].name, structure_.name());
    std::string text =
        nodes_[part].is_group
            ? fmt::format("the group {} is required in {} and missing; it has at least {}",
                          nodes_[part].name, where, name)
            : fmt::format("{}{}{} is required in {} and missing", name,
                          definition == nullptr ? "" : ", ",
                          definition == nullptr ? "" : definition->text, where);
    findings_.add_missing_segment(kinds::kSegmentMissing, kinds::kSegmentMissing.severity,
                                  Place{last_}, name, std::move(text));
  }

  void report_unplaced(SegmentId segment, std::string_view name) {
    const bool known = std::any_of(nodes_.begin() + 1, nodes_.end(), [&](const auto& node) {
      return !node.is_group && node.name == name;
    });
    if (!known) {
      findings_.add(kinds::kNotInStructure, Place{segment},
                    fmt::format("{} is not part of {}", name, structure_.name()));
    } else {
      findings_.add(kinds::kOutOfOrder, Place{segment},
                    fmt::format("{} may not stand here in {}: it is out of order, or there more "
                                "often than it may be",
                                name, structure_.name()));
    }
  }

  const Message& message_;
  const Dictionary& words_;
  const Structure structure_;
  const std::span<const Structure::Node> nodes_;
  std::vector<std::uint32_t> counts_;  // by node: how often in the open occurrence of its group
  Findings& findings_;
  SegmentId last_ = 0;
};

}  // namespace

void check_structure(const Message& message, const Dictionary& words,
                     const StructureDefinition& definition, Findings& findings) {
  StructureCheck(message, words, definition, findings).run();
}

}  // namespace cannula::hl7v2
