#include "parsers/hl7v2/types.h"

#include <algorithm>
#include <array>

namespace cannula::hl7v2 {
namespace {

// Types without components in every version of the standard. IS is none of them: it became CWE
// in 2.7.
constexpr std::array<std::string_view, 13> kLeafTypes = {
    "ST", "TX", "FT", "NM", "SI", "ID", "DT", "TM", "DTM", "GTS", "SNM", "STX", "TN"};

// Composite types. Their components are leaves but for two kinds: `composite` ones, and `varying`
// ones, which are leaves in some versions and composites in others. 0 ends a list. Named as
// in 2.5.1 and later; the types that older versions have at the same places differ in name only.
struct CompositeType {
  std::string_view name;
  std::array<std::uint8_t, 8> composite;
  std::array<std::uint8_t, 6> varying;
};
constexpr std::array kCompositeTypes = {
    CompositeType{"AD", {}, {}},
    CompositeType{"AUI", {}, {}},
    CompositeType{"CCD", {}, {}},
    CompositeType{"CCP", {}, {}},
    CompositeType{"CD", {1, 2, 3, 4, 5, 6}, {}},
    CompositeType{"CE", {}, {}},
    CompositeType{"CF", {}, {}},
    CompositeType{"CNE", {}, {}},
    CompositeType{"CNN", {}, {}},
    CompositeType{"CP", {1, 4}, {}},
    CompositeType{"CQ", {2}, {}},
    CompositeType{"CSU", {}, {}},
    CompositeType{"CWE", {}, {}},
    CompositeType{"CX", {4, 6, 9, 10}, {}},
    CompositeType{"DDI", {3, 4}, {}},
    CompositeType{"DIN", {2}, {}},
    CompositeType{"DLD", {1}, {}},
    CompositeType{"DLN", {}, {2}},
    CompositeType{"DLT", {1}, {}},
    CompositeType{"DR", {}, {1, 2}},
    CompositeType{"DTN", {}, {}},
    CompositeType{"ED", {1}, {}},
    CompositeType{"EI", {}, {}},
    CompositeType{"EIP", {1, 2}, {}},
    CompositeType{"ELD", {4}, {}},
    CompositeType{"ERL", {}, {}},
    CompositeType{"FC", {1}, {}},
    CompositeType{"FN", {}, {}},
    CompositeType{"HD", {}, {}},
    CompositeType{"ICD", {}, {}},
    CompositeType{"JCC", {1, 2}, {}},
    CompositeType{"LA1", {4, 9}, {1, 2, 3}},
    CompositeType{"LA2", {4}, {1, 2, 3}},
    CompositeType{"MA", {}, {}},
    CompositeType{"MO", {}, {}},
    CompositeType{"MOC", {1, 2}, {}},
    CompositeType{"MOP", {2}, {}},
    CompositeType{"MSG", {}, {}},
    CompositeType{"NA", {}, {}},
    CompositeType{"NDL", {1, 7}, {}},
    CompositeType{"NR", {}, {}},
    CompositeType{"OCD", {1}, {}},
    CompositeType{"OSP", {1}, {}},
    CompositeType{"PL", {4, 10, 11}, {1, 2, 3, 7, 8}},
    CompositeType{"PT", {}, {}},
    CompositeType{"RP", {2}, {}},
    CompositeType{"SAD", {}, {}},
    CompositeType{"SN", {}, {}},
    CompositeType{"VID", {2, 3}, {}},
    CompositeType{"XAD", {1, 12}, {9, 10, 15, 22, 23}},
    CompositeType{"XCN", {2, 9, 14, 16, 17}, {8, 22, 23}},
    CompositeType{"XON", {6, 8}, {2}},
    CompositeType{"XPN", {1, 9, 10}, {12, 13}},
    CompositeType{"XTN", {}, {15, 16, 17}},
};

const CompositeType* find_composite(std::string_view type) {
  const auto at = std::find_if(kCompositeTypes.begin(), kCompositeTypes.end(),
                               [&](const CompositeType& each) { return each.name == type; });
  return at == kCompositeTypes.end() ? nullptr : &*at;
}

// The types of a segment's fields from 1 on, as in 2.5.1; '*' where versions disagree between leaf
// and composite (TS and DTM, CM), and for the fields of OBX-5, which OBX-2 names.
struct SegmentTypes {
  std::string_view name;
  std::string_view types;
};
constexpr std::array kSegments = {
    SegmentTypes{"AL1", "* CWE CWE CWE ST DT"},
    SegmentTypes{"DG1", "SI ID CWE ST * IS CE CE ID IS CE NM"},
    SegmentTypes{"DSP", "SI SI TX ST TX"},
    SegmentTypes{"ERR", "* ERL CWE ID CWE ST TX TX IS CWE CWE XTN"},
    SegmentTypes{"EVN", "ID * * IS XCN * HD"},
    SegmentTypes{"MRG", "CX CX CX CX CX CX XPN"},
    SegmentTypes{"MSA", "ID ST ST * ID CWE"},
    SegmentTypes{"MSH",
                 "ST ST HD HD HD HD * ST MSG ST PT VID * ST ID ID ID ID CWE ID EI XON XON HD HD"},
    SegmentTypes{"NK1",
                 "SI XPN CWE XAD XTN XTN CWE DT DT ST JCC CX XON CWE IS * IS IS CWE CWE IS CWE ID "
                 "IS CWE XPN CWE CWE "
                 "CWE XPN XTN XAD CX IS CWE IS ST"},
    SegmentTypes{"NTE", "SI ID FT CWE"},
    SegmentTypes{
        "OBR",
        "SI EI EI CWE ID * * * CQ XCN ID CWE * * * XCN XTN ST ST ST ST * * ID ID * * XCN * ID CWE "
        "* * * * * NM CWE CWE CWE ID ID CWE CWE CWE CWE CWE CWE"},
    SegmentTypes{"OBX", "SI ID CWE * * CWE ST * NM ID ID * ST * CWE XCN CWE EI *"},
    SegmentTypes{
        "ORC",
        "ID EI EI EI ID ID * * * XCN XCN XCN PL XTN * CWE CWE CWE XCN CWE XON XAD XTN XAD CWE CWE"},
    SegmentTypes{"PD1", "IS IS XON XCN IS IS IS IS ID CX CWE ID DT XON CWE IS DT DT IS IS IS"},
    SegmentTypes{"PID",
                 "SI CX CX CX XPN XPN * IS XPN CWE XAD IS XTN XTN CWE CWE CWE CX ST DLN CX CWE ST "
                 "ID NM CWE CWE "
                 "CWE * ID ID IS * HD CWE CWE ST CWE CWE"},
    SegmentTypes{"PV1",
                 "SI IS PL IS CX PL XCN XCN XCN IS PL IS IS IS IS IS XCN IS CX FC IS IS IS IS DT "
                 "NM NM IS IS DT "
                 "IS NM NM IS DT IS DLD CWE IS IS IS PL PL * * NM NM NM NM CX IS XCN"},
    SegmentTypes{"PV2", "PL CWE CWE CWE ST ST IS * * NM NM ST XCN DT ID IS DT IS NM IS IS ID XON"},
    SegmentTypes{"RXA", "NM NM * * CWE NM CWE CWE CWE XCN * * * * ST * XON CWE CWE ID ID *"},
    SegmentTypes{"RXR", "CWE CWE CWE CWE CWE CWE"},
    SegmentTypes{"SCH",
                 "EI EI NM EI CWE CWE CWE CWE NM CWE * XCN XTN XAD PL XCN XTN XAD PL XCN XTN PL EI "
                 "EI CWE EI EI"},
    SegmentTypes{"SPM",
                 "SI EIP EIP CWE CWE CWE CWE CWE CWE CWE CWE CQ NM ST CWE CWE DR * * ID CWE CWE "
                 "CWE CWE CQ NM CWE "
                 "CWE CWE"},
    SegmentTypes{"TXA", "SI IS ID * XCN * * * XCN XCN XCN EI EI EI EI ST ID ID ID ID ST *"},
};

std::string_view type_of(std::string_view segment, std::uint32_t field) {
  const auto at = std::find_if(kSegments.begin(), kSegments.end(),
                               [&](const SegmentTypes& each) { return each.name == segment; });
  if (at == kSegments.end()) return {};
  std::string_view rest = at->types;
  while (--field > 0) {
    const std::size_t end = rest.find(' ');
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
  return rest.substr(0, rest.find(' '));
}

}  // namespace

Shape shape_of_type(std::string_view type) {
  if (std::find(kLeafTypes.begin(), kLeafTypes.end(), type) != kLeafTypes.end()) return Shape::leaf;
  if (find_composite(type) != nullptr) return Shape::composite;
  return Shape::unknown;
}

Shape shape_of(std::string_view segment, std::uint32_t field, std::uint32_t component,
               std::string_view value_type) {
  if (field == 0) return Shape::composite;
  std::string_view type = type_of(segment, field);
  if (segment == "OBX" && field == 5) type = value_type;
  if (component == 0) return shape_of_type(type);
  const CompositeType* composite = find_composite(type);
  if (composite == nullptr) return shape_of_type(type);
  const auto has = [&](const auto& list) {
    return std::find(list.begin(), list.end(), component) != list.end();
  };
  if (has(composite->composite)) return Shape::composite;
  return has(composite->varying) ? Shape::unknown : Shape::leaf;
}

}  // namespace cannula::hl7v2
