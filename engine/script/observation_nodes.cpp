#include "engine/script/observation_nodes.h"

#include "engine/script/fhir_observations.h"
#include "engine/script/lua_runtime.h"
#include "parsers/fhir/primitive.h"
#include "parsers/hl7v2/values.h"

namespace cannula::script {

namespace {

using hl7v2::Message;
using hl7v2::Place;
using tree::Document;
using tree::kNone;
using tree::NodeId;

constexpr std::uint32_t kUnits = 6;           // OBX-6
constexpr std::uint32_t kReferenceRange = 7;  // OBX-7
constexpr std::uint32_t kInterpretation = 8;  // OBX-8
// Made here; of more, tables pay for the memory while they are made.
constexpr std::size_t kMostInterpretations = 100;

const Unit& unit_beside(lua_State* L, const Message& message, hl7v2::SegmentId segment) {
  return LuaRuntime::of(L).units().find(hl7v2::encoded_at(message, {segment, kUnits, 1, 0, 0}));
}

std::string_view range_text(const Message& message, hl7v2::SegmentId segment, std::string& space) {
  const Place place{segment, kReferenceRange, 0, 0, 0};
  return message.is_null(place) ? std::string_view() : message.text(place, space);
}

// Writes objects of which it knows the types; what does not have the form that FHIR wants is noted.
class Writer {
 public:
  explicit Writer(Document& document) : document_(document) {}

  bool all_right() const { return all_right_; }
  void give_up() { all_right_ = false; }

  NodeId object() { return document_.make_object(); }
  NodeId list_of(NodeId item) {
    const NodeId list = document_.make_array();
    document_.append(list, item);
    return list;
  }
  void add(NodeId object, std::string_view name, NodeId member) {
    document_.add_fixed(object, name, member);
  }
  void add_text(NodeId object, std::string_view name, std::string_view text,
                fhir::Primitive primitive = fhir::Primitive::string) {
    if (text.empty()) return;
    const bool right = !fhir::wrong_form(primitive, text);
    const NodeId made = !right                        ? kNone
                        : fhir::is_numeric(primitive) ? document_.make_number(text)
                                                      : document_.make_string(text);
    if (made == kNone) {
      all_right_ = false;
    } else {
      add(object, name, made);
    }
  }
  void add_fixed_text(NodeId object, std::string_view name, std::string_view text) {
    add(object, name, document_.make_fixed(text));
  }
  void add_limit(NodeId range, std::string_view name, std::string_view number, const Unit& unit) {
    if (number.empty()) return;
    const NodeId quantity = object();
    add_text(quantity, "value", number, fhir::Primitive::decimal);
    add_text(quantity, "unit", unit.shown);
    if (!unit.code.empty()) {
      add_fixed_text(quantity, "system", kUcum);
      add_text(quantity, "code", unit.code, fhir::Primitive::code);
    }
    add(range, name, quantity);
  }

 private:
  Document& document_;
  bool all_right_ = true;
};

NodeId reference_range(lua_State* L, const PlaceObject& obx, Writer& writer) {
  const Message& message = obx.box->read();
  std::string space;
  const std::string_view text = range_text(message, obx.place.segment, space);
  const auto found = range_of(text);
  if (!found) return kNone;
  Machine::of(L).work(L, 8 + text.size() / 4);
  const NodeId range = writer.object();
  if (!found->low.empty() || !found->high.empty()) {
    const Unit& unit = unit_beside(L, message, obx.place.segment);
    writer.add_limit(range, "low", found->low, unit);
    writer.add_limit(range, "high", found->high, unit);
  }
  writer.add_text(range, "text", text);
  return writer.list_of(range);
}

NodeId interpretation(lua_State* L, const PlaceObject& obx, Document& into, Writer& writer) {
  NodeId list = kNone;
  std::size_t count = 0;
  interpretations(L, obx.box->read(), {obx.place.segment, kInterpretation, 0, 0, 0},
                  [&](std::string_view code, std::string_view name) {
                    if (++count > kMostInterpretations) return writer.give_up();
                    const NodeId meaning = writer.object();
                    if (name.empty()) {
                      writer.add_text(meaning, "text", code);
                    } else {
                      const NodeId coding = writer.object();
                      writer.add_fixed_text(coding, "system", kInterpretationSystem);
                      writer.add_text(coding, "code", code, fhir::Primitive::code);
                      writer.add_text(coding, "display", name);
                      writer.add(meaning, "coding", writer.list_of(coding));
                    }
                    if (list == kNone) list = into.make_array();
                    into.append(list, meaning);
                  });
  return list;
}

}  // namespace

std::optional<BesideValue> make_beside_value(lua_State* L, const PlaceObject& obx, Document& into) {
  BesideValue made;
  if (!obx.present) return made;
  Writer writer(into);
  made.interpretation = interpretation(L, obx, into, writer);
  made.reference_range = reference_range(L, obx, writer);
  if (!writer.all_right()) return std::nullopt;
  return made;
}

void push_beside_value(lua_State* L, int index, int obx_index) {
  const auto& obx = checked_object<PlaceObject>(L, obx_index, Object::Kind::segment);
  lua_newtable(L);
  const int copy = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    Machine::of(L).work(L, 1);
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, copy);
  }
  if (!obx.present) return;
  const Message& message = obx.box->read();
  const hl7v2::SegmentId segment = obx.place.segment;
  const auto is_silent = [&](const char* name) {
    lua_getfield(L, copy, name);
    const bool silent = lua_isnil(L, -1);
    lua_pop(L, 1);
    return silent;
  };
  if (is_silent("interpretation")) {
    push_interpretations(L, message, {segment, kInterpretation, 0, 0, 0});
    lua_setfield(L, copy, "interpretation");
  }
  if (is_silent("referenceRange")) {
    std::string space;
    push_range(L, range_text(message, segment, space),
               [&]() -> const Unit& { return unit_beside(L, message, segment); });
    lua_setfield(L, copy, "referenceRange");
  }
}

}  // namespace cannula::script
