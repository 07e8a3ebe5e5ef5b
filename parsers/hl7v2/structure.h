// Message structures: which segments of a message belong together (HL7 v2, chapters 3 to 17). All
// structures of the dictionary, in the form of 2.5.1 or of the version next to it that has them;
// the common ones joined over versions by hand. A structure is a reading aid here, never a reason
// to refuse a message: segments that are missing, repeated, out of order or unknown leave the
// others where they are.
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
  // What MSH-9 means: MSH-9.3 when known, else by type and event, else, for an event that no
  // version knows, the usual structure of its type; null when none is known.
  static const Structure* of(std::string_view type, std::string_view event,
                             std::string_view structure);
  // In the order of names; read once, when first asked for.
  static std::span<const Structure> all();

  std::string_view name() const { return name_; }
  std::vector<std::string_view> group_names() const;

  struct Node {
    std::string_view name;
    std::uint32_t parent;
    std::uint32_t end;  // the first node behind this one and all inside it
    bool is_group;
    bool repeats;
    bool guarded;  // a group that is entered by its first segment only
    bool optional;
  };
  // Each group before its parts; the first stands for the whole message.
  std::span<const Node> nodes() const { return nodes_; }

  // Walks a message segment by segment and says where each belongs. Nodes are numbers of this
  // structure; 0 is the whole message.
  class Walk {
   public:
    // Begins inside the given group, as if it had just been opened. `structure` outlives the walk.
    explicit Walk(const Structure& structure, std::uint32_t group = 0);
    // Places the next segment. False when it can stand nowhere: it stays where it is.
    bool step(std::string_view segment);
    // The same; true when it begins a new occurrence of `watched`.
    bool next(std::string_view segment, std::uint32_t watched);
    // Whether the segment placed last stands in the group, in any depth.
    bool is_in(std::uint32_t group) const;
    // The node placed last.
    std::uint32_t at() const { return at_; }
    // The outermost group that began again with the last step.
    std::optional<std::uint32_t> begun_again() const { return begun_again_; }

   private:
    const Structure& structure_;
    std::uint32_t at_;
    std::uint32_t root_;  // the walk does not leave it
    std::optional<std::uint32_t> begun_again_;
  };

  // The group's node; nullopt when there is none of that name.
  std::optional<std::uint32_t> group(std::string_view name) const;

  std::string_view group_name(std::uint32_t node) const { return nodes_[node].name; }

  // Strict as the definition says, or as messages come: ORC and RGS may be missing, since many
  // senders send one and then several orders or resources.
  enum class Reading { strict, lenient };

  // Reads a definition such as "MSH [{NTE}] {ORDER: ORC [OBR]}": `[]` optional, `{}` repeating,
  // `()` neither, NAME: a group, which is guarded when it holds prior results: they begin as the
  // next order does. For definitions of this program alone, which are right; their text is of
  // static storage.
  Structure(std::string_view name, std::string_view definition, Reading reading);

 private:
  // Whether nothing that is required stands in the group before the node, so that the group may
  // begin with it.
  bool may_begin(std::uint32_t group, std::uint32_t node) const;
  std::uint32_t find_segment(std::string_view name, std::uint32_t begin, std::uint32_t end) const;

  std::string_view name_;
  std::vector<Node> nodes_;
};

}  // namespace cannula::hl7v2
