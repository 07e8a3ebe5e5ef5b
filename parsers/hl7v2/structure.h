// Message structures: which segments belong together (HL7 v2 2.12, the abstract message
// definitions).
//
// Known: ADT_A01 (A01, A04, A05, A08, A13, A28, A31 …), ADT_A39 (A40), MDM_T02, OML_O21, ORM_O01,
// ORU_R01, SIU_S12 and VXU_V04, with the groups that 2.5.1 gives them. A structure is a reading aid
// here, never a reason to refuse a message: segments that are missing, repeated, out of order or
// unknown leave the others where they are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/result.h"

namespace cannula::hl7v2 {

class Structure {
 public:
  // The structure of that name ("ORU_R01"); null when it is not known.
  static const Structure* find(std::string_view name);
  // What MSH-9 means: MSH-9.3 when known, else by type and event; null when neither is known.
  static const Structure* of(std::string_view type, std::string_view event,
                             std::string_view structure);
  static std::span<const Structure> all();

  std::string_view name() const { return name_; }
  std::vector<std::string_view> group_names() const;

  // Walks a message segment by segment and says where each belongs. Nodes are numbers of this
  // structure; 0 is the whole message.
  class Walk {
   public:
    // Begins inside the given group, as if it had just been opened.
    explicit Walk(const Structure& structure, std::uint32_t group = 0);
    // Places the next segment. True when it begins a new occurrence of `watched`.
    bool next(std::string_view segment, std::uint32_t watched);
    // Whether the segment placed last stands in the group, in any depth.
    bool is_in(std::uint32_t group) const;

   private:
    const Structure& structure_;
    std::uint32_t at_;    // the node placed last
    std::uint32_t root_;  // the walk does not leave it
  };

  // The group's node; nullopt when there is none of that name.
  std::optional<std::uint32_t> group(std::string_view name) const;

  std::string_view group_name(std::uint32_t node) const { return nodes_[node].name; }

  // Reads a definition such as "MSH [{NTE}] {ORDER: ORC [OBR]}": `[]` optional, `{}` repeating,
  // NAME: a group; !NAME: one that is entered by its first segment only. For the tables of this
  // room alone, which are right.
  Structure(std::string_view name, std::string_view definition);

 private:
  struct Node {
    std::string_view name;
    std::uint32_t parent;
    std::uint32_t end;  // the first node behind this one and all inside it
    bool is_group;
    bool repeats;
    bool guarded;
    bool optional;
  };

  // Whether nothing that is required stands in the group before the node, so that the group may
  // begin with it.
  bool may_begin(std::uint32_t group, std::uint32_t node) const;
  std::uint32_t find_segment(std::string_view name, std::uint32_t begin, std::uint32_t end) const;

  std::string_view name_;
  std::vector<Node> nodes_;  // each group before its parts
};

}  // namespace cannula::hl7v2
