#include "parsers/hl7v2/structure.h"

#include <algorithm>
#include <array>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {
namespace {

// ORC and RGS are written as optional: many senders send one and then several orders or resources.
constexpr std::string_view kAdtA01 =
    "MSH [{SFT}] [UAC] EVN PID [PD1] [{ARV}] [{ROL}] [{NK1}] PV1 [PV2] [{ARV}] [{ROL}] [{DB1}] "
    "[{OBX}] [{AL1}] [{DG1}] "
    "[DRG] [{PROCEDURE: PR1 [{ROL}]}] [{GT1}] [{INSURANCE: IN1 [IN2] [{IN3}] [{ROL}]}] [ACC] [UB1] "
    "[UB2] [PDA]";
constexpr std::string_view kAdtA39 = "MSH [{SFT}] [UAC] EVN {PATIENT: PID [PD1] MRG [PV1]}";
constexpr std::string_view kMdmT02 =
    "MSH [{SFT}] [UAC] EVN PID PV1 [{COMMON_ORDER: ORC [{TIMING: TQ1 [{TQ2}]}] OBR [{NTE}]}] TXA "
    "[CON] "
    "{OBSERVATION: OBX [{NTE}]}";
// ORC and OBR may stand in ORDER_PRIOR as well: without a PID before them they are the next order.
constexpr std::string_view kOmlO21 =
    "MSH [{SFT}] [UAC] [{NTE}] [PATIENT: PID [PD1] [{NTE}] [{NK1}] [PATIENT_VISIT: PV1 [PV2]] "
    "[{INSURANCE: IN1 [IN2] [IN3]}] [GT1] [{AL1}]] "
    "{ORDER: [ORC] [{TIMING: TQ1 [{TQ2}]}] [OBSERVATION_REQUEST: OBR [TCD] [{NTE}] [CTD] [{DG1}] "
    "[{OBSERVATION: OBX [TCD] [{NTE}]}] [{SPECIMEN: SPM [{OBX}] [{CONTAINER: SAC [{OBX}]}]}] "
    "[{!PRIOR_RESULT: [PATIENT_PRIOR: PID [PD1]] [PATIENT_VISIT_PRIOR: PV1 [PV2]] [{AL1}] "
    "{ORDER_PRIOR: [ORC] OBR [{NTE}] [{TIMING_PRIOR: TQ1 [{TQ2}]}] {OBSERVATION_PRIOR: OBX "
    "[{NTE}]}}}]] "
    "[{FT1}] [{CTI}] [BLG]}";
constexpr std::string_view kOrmO01 =
    "MSH [{SFT}] [UAC] [{NTE}] [PATIENT: PID [PD1] [{NTE}] [{NK1}] [PATIENT_VISIT: PV1 [PV2]] "
    "[{INSURANCE: IN1 [IN2] [IN3]}] [GT1] [{AL1}]] "
    "{ORDER: [ORC] [{TQ1}] [ORDER_DETAIL: [OBR] [RQD] [RQ1] [RXO] [ODS] [ODT] [{NTE}] [CTD] "
    "[{DG1}] "
    "[{OBSERVATION: OBX [{NTE}]}]] [{FT1}] [{CTI}] [BLG]}";
constexpr std::string_view kOruR01 =
    "MSH [{SFT}] [UAC] {PATIENT_RESULT: [PATIENT: PID [PD1] [{NTE}] [{NK1}] [VISIT: PV1 [PV2]]] "
    "{ORDER_OBSERVATION: [ORC] OBR [{NTE}] [{TIMING_QTY: TQ1 [{TQ2}]}] [CTD] [{OBSERVATION: OBX "
    "[{NTE}]}] [{FT1}] [{CTI}] "
    "[{SPECIMEN: SPM [{OBX}]}]}} [DSC]";
constexpr std::string_view kSiuS12 =
    "MSH SCH [{TQ1}] [{NTE}] [{PATIENT: PID [PD1] [PV1] [PV2] [{OBX}] [{DG1}]}] "
    "{RESOURCES: [RGS] [{SERVICE: AIS [{NTE}]}] [{GENERAL_RESOURCE: AIG [{NTE}]}] "
    "[{LOCATION_RESOURCE: AIL [{NTE}]}] "
    "[{PERSONNEL_RESOURCE: AIP [{NTE}]}]}";
constexpr std::string_view kVxuV04 =
    "MSH [{SFT}] [UAC] PID [PD1] [{NK1}] [PATIENT: PV1 [PV2]] [{GT1}] [{INSURANCE: IN1 [IN2] "
    "[IN3]}] "
    "[{ORDER: [ORC] [{TIMING: TQ1 [{TQ2}]}] RXA [RXR] [{OBSERVATION: OBX [{NTE}]}]}]";

// Events whose structure is not the first of their type.
struct EventStructure {
  std::string_view type;
  std::string_view event;  // empty: all other events of the type
  std::string_view structure;
};
constexpr std::array kEvents = {
    EventStructure{"ADT", "A40", "ADT_A39"}, EventStructure{"ADT", "A39", "ADT_A39"},
    EventStructure{"ADT", "A41", "ADT_A39"}, EventStructure{"ADT", "A42", "ADT_A39"},
    EventStructure{"ADT", "A34", "ADT_A39"}, EventStructure{"ADT", "A36", "ADT_A39"},
    EventStructure{"ADT", "", "ADT_A01"},    EventStructure{"MDM", "", "MDM_T02"},
    EventStructure{"OML", "", "OML_O21"},    EventStructure{"ORM", "", "ORM_O01"},
    EventStructure{"ORU", "", "ORU_R01"},    EventStructure{"SIU", "", "SIU_S12"},
    EventStructure{"VXU", "", "VXU_V04"},
};

bool is_mark(char c) {
  return c == '[' || c == ']' || c == '{' || c == '}' || c == ' ' || c == ':';
}

}  // namespace

Structure::Structure(std::string_view name, std::string_view definition) : name_(name) {
  nodes_.push_back({name, 0, 0, true, false, false, false});
  std::uint32_t parent = 0;
  std::vector<bool> opened_group;  // by bracket: whether a group began right behind it
  bool repeats = false;
  bool optional = false;
  for (std::size_t at = 0; at < definition.size();) {
    const char c = definition[at];
    if (!is_mark(c)) {
      std::size_t end = at;
      while (end < definition.size() && !is_mark(definition[end])) ++end;
      const bool group = end < definition.size() && definition[end] == ':';
      const auto node = static_cast<std::uint32_t>(nodes_.size());
      const bool guarded = c == '!';
      if (guarded) ++at;
      nodes_.push_back(
          {definition.substr(at, end - at), parent, node + 1, group, repeats, guarded, optional});
      repeats = false;
      optional = false;
      if (group) {
        parent = node;
        opened_group.back() = true;
      }
      at = end;
      continue;
    }
    if (c == '[' || c == '{') {
      opened_group.push_back(false);
      repeats = repeats || c == '{';
      optional = optional || c == '[';
    } else if (c == ']' || c == '}') {
      if (opened_group.back()) {
        nodes_[parent].end = static_cast<std::uint32_t>(nodes_.size());
        parent = nodes_[parent].parent;
      }
      opened_group.pop_back();
    }
    ++at;
  }
  nodes_[0].end = static_cast<std::uint32_t>(nodes_.size());
}

std::span<const Structure> Structure::all() {
  static const std::array<Structure, 8> structures = {
      Structure("ADT_A01", kAdtA01), Structure("ADT_A39", kAdtA39), Structure("MDM_T02", kMdmT02),
      Structure("OML_O21", kOmlO21), Structure("ORM_O01", kOrmO01), Structure("ORU_R01", kOruR01),
      Structure("SIU_S12", kSiuS12), Structure("VXU_V04", kVxuV04)};
  return structures;
}

const Structure* Structure::find(std::string_view name) {
  for (const Structure& structure : all()) {
    if (structure.name() == name) return &structure;
  }
  return nullptr;
}

const Structure* Structure::of(std::string_view type, std::string_view event,
                               std::string_view structure) {
  if (const Structure* known = find(structure)) return known;
  for (const EventStructure& each : kEvents) {
    if (each.type == type && (each.event.empty() || each.event == event))
      return find(each.structure);
  }
  return nullptr;
}

std::vector<std::string_view> Structure::group_names() const {
  std::vector<std::string_view> names;
  for (const Node& node : std::span(nodes_).subspan(1)) {
    if (node.is_group) names.push_back(node.name);
  }
  return names;
}

std::optional<std::uint32_t> Structure::group(std::string_view name) const {
  for (std::uint32_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].is_group && nodes_[i].name == name) return i;
  }
  return std::nullopt;
}

bool Structure::may_begin(std::uint32_t group, std::uint32_t node) const {
  for (std::uint32_t i = group + 1; i < node;) {
    if (node < nodes_[i].end) {
      ++i;  // a group that holds the node
    } else if (nodes_[i].optional) {
      i = nodes_[i].end;
    } else {
      return false;
    }
  }
  return true;
}

std::uint32_t Structure::find_segment(std::string_view name, std::uint32_t begin,
                                      std::uint32_t end) const {
  for (std::uint32_t i = begin; i < end;) {
    const Node& node = nodes_[i];
    if (!node.is_group && node.name == name) return i;
    if (node.guarded) {
      std::uint32_t first = i + 1;
      while (nodes_[first].is_group) ++first;
      if (nodes_[first].name == name) return first;
      i = node.end;
    } else {
      ++i;
    }
  }
  return end;
}

Structure::Walk::Walk(const Structure& structure, std::uint32_t group)
    : structure_(structure), at_(group), root_(group) {}

bool Structure::Walk::is_in(std::uint32_t group) const {
  return at_ >= group && at_ < structure_.nodes_[group].end;
}

// A segment belongs to the nearest place where it can stand: further on in the group that is open,
// else at the beginning of that group's next occurrence, else the same in the group around it. One
// that can stand nowhere stays where it is.
bool Structure::Walk::next(std::string_view segment, std::uint32_t watched) {
  const std::vector<Node>& nodes = structure_.nodes_;
  const Node& here = nodes[at_];
  if (!here.is_group && here.repeats && here.name == segment) return false;

  std::uint32_t group = here.is_group ? at_ : here.parent;
  while (true) {
    const std::uint32_t ahead = structure_.find_segment(segment, at_ + 1, nodes[group].end);
    if (ahead != nodes[group].end) {
      const bool was_in = is_in(watched);
      at_ = ahead;
      return !was_in && is_in(watched);
    }
    // The group may begin again, unless it is the one the walk must not leave.
    if (nodes[group].repeats && group != root_) {
      const std::uint32_t again = structure_.find_segment(segment, group + 1, at_ + 1);
      if (again != at_ + 1 && structure_.may_begin(group, again)) {
        at_ = again;
        return is_in(watched) && watched >= group;
      }
    }
    if (group == root_) return false;
    group = nodes[group].parent;
  }
}

// -- Groups of a message ------------------------------------------------------------------------

namespace {

const Structure* structure_of(const Message& message) {
  return Structure::of(message.raw(Place{0, 9, 0, 1}), message.raw(Place{0, 9, 0, 2}),
                       message.raw(Place{0, 9, 0, 3}));
}

}  // namespace

std::string Message::structure() const {
  if (const std::string_view named = raw(Place{0, 9, 0, 3}); !named.empty())
    return std::string(named);
  const Structure* known = structure_of(*this);
  return known == nullptr ? std::string() : std::string(known->name());
}

std::vector<Group> Message::groups(std::string_view name) const {
  Group whole{{}, {}};
  whole.segments.reserve(segment_count());
  for (std::size_t i = 0; i < segment_count(); ++i) whole.segments.push_back(segment_at(i));
  return groups(name, whole);
}

std::vector<Group> Message::groups(std::string_view name, const Group& within) const {
  std::vector<Group> found;
  const Structure* structure = structure_of(*this);
  if (structure == nullptr) return found;
  const auto watched = structure->group(name);
  const auto around =
      within.name.empty() ? std::optional<std::uint32_t>(0) : structure->group(within.name);
  if (!watched || !around || *watched == *around) return found;

  const std::string_view kept_name = structure->group_name(*watched);
  Structure::Walk walk(*structure, *around);
  for (SegmentId segment : within.segments) {
    if (walk.next(name_of(segment), *watched)) found.push_back({kept_name, {}});
    if (walk.is_in(*watched) && !found.empty()) found.back().segments.push_back(segment);
  }
  return found;
}

}  // namespace cannula::hl7v2
