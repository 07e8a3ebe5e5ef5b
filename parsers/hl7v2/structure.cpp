#include "parsers/hl7v2/structure.h"

#include <algorithm>
#include <array>
#include <map>

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {
namespace {

// The structures that most feeds consist of, joined over the versions, so that a 2.3 message with a
// segment of 2.7 is divided as its sender means it.
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
    "[{PRIOR_RESULT: [PATIENT_PRIOR: PID [PD1]] [PATIENT_VISIT_PRIOR: PV1 [PV2]] [{AL1}] "
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

struct Definition {
  std::string_view name;
  std::string_view definition;
};
constexpr std::array kJoined = {Definition{"MDM_T02", kMdmT02}, Definition{"OML_O21", kOmlO21},
                                Definition{"ORM_O01", kOrmO01}, Definition{"ORU_R01", kOruR01},
                                Definition{"SIU_S12", kSiuS12}, Definition{"VXU_V04", kVxuV04}};

// What an event that no version knows most likely looks like, by its type.
struct UsualStructure {
  std::string_view type;
  std::string_view structure;
};
constexpr std::array kUsual = {
    UsualStructure{"ADT", "ADT_A01"}, UsualStructure{"MDM", "MDM_T02"},
    UsualStructure{"OML", "OML_O21"}, UsualStructure{"ORM", "ORM_O01"},
    UsualStructure{"ORU", "ORU_R01"}, UsualStructure{"SIU", "SIU_S12"},
    UsualStructure{"VXU", "VXU_V04"},
};

// 2.5.1 first, which most interfaces are written against, then what came later and what was before.
constexpr std::array kPreferred = {Version::v2_5_1, Version::v2_6, Version::v2_7, Version::v2_7_1,
                                   Version::v2_8,   Version::v2_5, Version::v2_4, Version::v2_3_1,
                                   Version::v2_3,   Version::v2_2, Version::v2_1};

std::vector<Structure> read_all() {
  std::map<std::string_view, std::string_view> definitions;
  for (const Definition& each : kJoined) definitions.emplace(each.name, each.definition);
  for (const Version version : kPreferred) {
    for (const StructureDefinition* each : dictionary(version).structures()) {
      definitions.emplace(each->name, each->definition);
    }
  }
  std::vector<Structure> structures;
  structures.reserve(definitions.size());
  for (const auto& [name, definition] : definitions) {
    structures.emplace_back(name, definition, Structure::Reading::lenient);
  }
  return structures;
}

bool is_mark(char c) {
  return c == '[' || c == ']' || c == '{' || c == '}' || c == '(' || c == ')' || c == ' ' ||
         c == ':';
}

}  // namespace

Structure::Structure(std::string_view name, std::string_view definition, Reading reading)
    : name_(name) {
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
      const std::string_view word = definition.substr(at, end - at);
      const bool group = end < definition.size() && definition[end] == ':';
      const auto node = static_cast<std::uint32_t>(nodes_.size());
      const bool in_guarded = std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& each) {
        return each.guarded && each.end == 0;
      });
      const bool guarded = group && !in_guarded && word.find("PRIOR") != std::string_view::npos;
      const bool forgiven = reading == Reading::lenient && (word == "ORC" || word == "RGS");
      nodes_.push_back(
          {word, parent, group ? 0 : node + 1, group, repeats, guarded, optional || forgiven});
      repeats = false;
      optional = false;
      if (group) {
        parent = node;
        opened_group.back() = true;
      }
      at = end;
      continue;
    }
    if (c == '[' || c == '{' || c == '(') {
      opened_group.push_back(false);
      repeats = repeats || c == '{';
      optional = optional || c == '[';
    } else if (c == ']' || c == '}' || c == ')') {
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
  static const std::vector<Structure> structures = read_all();
  return structures;
}

const Structure* Structure::find(std::string_view name) {
  const auto at =
      std::lower_bound(all().begin(), all().end(), name,
                       [](const Structure& each, std::string_view n) { return each.name() < n; });
  return at == all().end() || at->name() != name ? nullptr : &*at;
}

const Structure* Structure::of(std::string_view type, std::string_view event,
                               std::string_view structure) {
  if (const Structure* known = find(structure)) return known;
  for (const Version version : kPreferred) {
    const StructureDefinition* known = dictionary(version).structure(type, event);
    if (known != nullptr) return find(known->name);
  }
  for (const UsualStructure& each : kUsual) {
    if (each.type == type) return find(each.structure);
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
// else at the beginning of that group's next occurrence, else the same in the group around it.
bool Structure::Walk::step(std::string_view segment) {
  const std::vector<Node>& nodes = structure_.nodes_;
  const Node& here = nodes[at_];
  begun_again_.reset();
  if (!here.is_group && here.repeats && here.name == segment) return true;

  std::uint32_t group = here.is_group ? at_ : here.parent;
  while (true) {
    const std::uint32_t ahead = structure_.find_segment(segment, at_ + 1, nodes[group].end);
    if (ahead != nodes[group].end) {
      at_ = ahead;
      return true;
    }
    // The group may begin again, unless it is the one the walk must not leave.
    if (nodes[group].repeats && group != root_) {
      const std::uint32_t again = structure_.find_segment(segment, group + 1, at_ + 1);
      if (again != at_ + 1 && structure_.may_begin(group, again)) {
        at_ = again;
        begun_again_ = group;
        return true;
      }
    }
    if (group == root_) return false;
    group = nodes[group].parent;
  }
}

bool Structure::Walk::next(std::string_view segment, std::uint32_t watched) {
  const bool was_in = is_in(watched);
  if (!step(segment) || !is_in(watched)) return false;
  return !was_in || (begun_again_ && watched >= *begun_again_);
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
