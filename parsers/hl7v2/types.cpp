#include "parsers/hl7v2/types.h"

#include <algorithm>
#include <array>

namespace cannula::hl7v2 {
namespace {

// Types without components in every version of the standard.
constexpr std::array<std::string_view, 14> kLeafTypes = {
    "ST", "TX", "FT", "NM", "SI", "ID", "IS", "DT", "TM", "DTM", "GTS", "SNM", "STX", "TN"};

// Composite types, each with those of its components that are composites themselves; the others are
// leaves. The types are those of 2.5.1 and later; older ones of the same place differ in name only
// (CE and CWE, CM and the later types).
struct CompositeType {
  std::string_view name;
  std::array<std::uint8_t, 8> composite_components;  // 0 ends the list
};
constexpr std::array<CompositeType, 54> kCompositeTypes = {{
    {"AD", {}},
    {"AUI", {}},
    {"CCD", {}},
    {"CCP", {}},
    {"CD", {1, 2, 3, 4, 5, 6}},
    {"CE", {}},
    {"CF", {}},
    {"CNE", {}},
    {"CNN", {}},
    {"CP", {1, 4}},
    {"CQ", {2}},
    {"CSU", {}},
    {"CWE", {}},
    {"CX", {4, 6, 9, 10}},
    {"DDI", {3, 4}},
    {"DIN", {2}},
    {"DLD", {1}},
    {"DLN", {}},
    {"DLT", {1}},
    {"DR", {}},
    {"DTN", {}},
    {"ED", {1}},
    {"EI", {}},
    {"EIP", {1, 2}},
    {"ELD", {4}},
    {"ERL", {}},
    {"FC", {1}},
    {"FN", {}},
    {"HD", {}},
    {"ICD", {}},
    {"JCC", {1, 2}},
    {"LA1", {4, 9}},
    {"LA2", {4}},
    {"MA", {}},
    {"MO", {}},
    {"MOC", {1, 2}},
    {"MOP", {2}},
    {"MSG", {}},
    {"NA", {}},
    {"NDL", {1, 7}},
    {"NR", {}},
    {"OCD", {1}},
    {"OSP", {1}},
    {"PL", {4, 10, 11}},
    {"PT", {}},
    {"RP", {2}},
    {"SAD", {}},
    {"SN", {}},
    {"VID", {2, 3}},
    {"XAD", {1, 12}},
    {"XCN", {2, 9, 14, 16, 17}},
    {"XON", {6, 8}},
    {"XPN", {1, 9, 10}},
    {"XTN", {}},
}};

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
    SegmentTypes{"DG1", "SI ID CWE ST * IS CE DRG IS CE IS NM"},
    SegmentTypes{"DSP", "SI SI TX ST TX"},
    SegmentTypes{"ERR", "* ERL CWE ID CWE ST TX TX IS CWE CWE XTN"},
    SegmentTypes{"EVN", "ID * * IS XCN * HD"},
    SegmentTypes{"MRG", "CX CX CX CX CX CX XPN"},
    SegmentTypes{"MSA", "ID ST ST * ID CWE"},
    SegmentTypes{"MSH",
                 "ST ST HD HD HD HD * ST MSG ST PT VID * ST ID ID ID ID CWE ID EI XON XON HD HD"},
    SegmentTypes{"NK1",
                 "SI XPN CWE XAD XTN XTN CWE DT DT ST JCC CX XON CWE CWE * * CWE CWE CWE CWE CWE "
                 "CWE CWE CWE "
                 "XPN CWE CWE CWE XPN XTN XAD CX CWE CWE CWE ST"},
    SegmentTypes{"NTE", "SI ID FT CWE"},
    SegmentTypes{
        "OBR",
        "SI EI EI CWE ID * * * CQ XCN ID CWE ST * * XCN XTN ST ST ST ST * * ID ID * * XCN * ID CWE "
        "* * * * * NM CWE CWE CWE ID ID CWE CWE CWE CWE CWE CWE"},
    SegmentTypes{"OBX", "SI ID CWE * * CWE ST * NM ID ID * ST * CWE XCN CWE EI *"},
    SegmentTypes{
        "ORC",
        "ID EI EI EI ID ID * * * XCN XCN XCN PL XTN * CWE CWE CWE XCN CWE XON XAD XTN XAD CWE CWE"},
    SegmentTypes{"PD1", "IS IS XON XCN IS IS IS ID CX CWE ID ID DT XON CWE ID DT DT IS IS IS"},
    SegmentTypes{"PID",
                 "SI CX CX CX XPN XPN * IS XPN CWE XAD IS XTN XTN CWE CWE CWE CX ST DLN CX CWE ST "
                 "ID NM CWE CWE "
                 "CWE * ID ID IS * HD CWE CWE ST CWE CWE"},
    SegmentTypes{"PV1",
                 "SI IS PL IS CX PL XCN XCN XCN IS PL IS IS IS IS IS XCN IS CX FC IS IS IS IS DT "
                 "NM NM IS IS DT "
                 "IS NM NM IS DT IS DLD CWE IS IS IS PL PL * * NM NM NM NM CX IS XCN"},
    SegmentTypes{"PV2", "PL CWE CWE ST ST ST IS * * NM NM ST XCN DT ID IS DT IS NM IS IS ID XON"},
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
  const auto& list = composite->composite_components;
  return std::find(list.begin(), list.end(), component) == list.end() ? Shape::leaf
                                                                      : Shape::composite;
}

}  // namespace cannula::hl7v2
