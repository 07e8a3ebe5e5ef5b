#include "engine/script/document_objects.h"

#include <string>

#include "engine/script/document_methods.h"
#include "engine/script/document_places.h"
#include "engine/script/exchange_objects.h"
#include "engine/script/fhir_library.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/places.h"
#include "engine/script/registry.h"
#include "engine/script/values.h"

namespace cannula::script {

using tree::Kind;
using tree::kNone;
using tree::Node;
using tree::NodeId;
using tree::Path;

namespace {

Key resolve(std::span<const Binding> members, std::string_view text) {
  Key key;
  key.document_path = std::make_shared<const Path>(document_path(text));
  const auto member = find_member(members, text);
  key.kind = member ? Key::Kind::member : Key::Kind::path;
  key.member = member.value_or(0);
  return key;
}

Key resolve_document_key(lua_State*, std::string_view text) {
  return resolve(document_members(), text);
}
Key resolve_node_key(lua_State*, std::string_view text) {
  return resolve(document_node_members(), text);
}

// By one name: a container as a DocumentNode, anything else as its text.
void push_found(lua_State* L, DocumentBox& box, Node found, bool by_name) {
  if (by_name && found.is_container()) {
    push_node(L, box, found.id());
  } else {
    push_text(L, found);
  }
}

int read_key(lua_State* L, const DocumentPlace& place, const Key& key) {
  count_work(L, place.node());
  const bool by_name = key.document_path->steps.size() == 1;
  push_found(L, *place.box, place.node().find(*key.document_path), by_name);
  return 1;
}

int read_element(lua_State* L, const DocumentPlace& place) {
  const lua_Integer position = lua_tointeger(L, 2);
  if (lua_isinteger(L, 2) == 0 || position < 1) {
    throw ScriptError("L220", "an element of a list is numbered from 1");
  }
  const Node node = place.node();
  count_work(L, node);
  const Node found =
      node.kind() == Kind::array ? node.at(static_cast<std::size_t>(position - 1)) : Node();
  push_found(L, *place.box, found, true);
  return 1;
}

int push_property(lua_State* L, DocumentBox& box, int property) {
  const Input& input = LuaRuntime::of(L).session().input;
  switch (property) {
    case kId:
      push(L, input.id);
      return 1;
    case kPartner:
      push(L, input.partner);
      return 1;
    case kReceivedAt:
      lua_pushnumber(L, static_cast<lua_Number>(input.received_at) / 1e6);
      return 1;
    case kRaw:
      push(L, *box.bytes());
      return 1;
    default:
      push_request(L, input);
      return 1;
  }
}

int index_document(lua_State* L) {
  auto& object = checked_object<DocumentObject>(L, 1, Object::Kind::document);
  if (lua_type(L, 2) == LUA_TNUMBER) return read_element(L, own_place(L));
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220", "a document is read by path, doc[\"entry[1].resource.id\"]");
  }
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_document_key);
  if (key.kind == Key::Kind::member) {
    if (const lua_CFunction function = document_members()[key.member].function) {
      lua_pushcfunction(L, function);
      return 1;
    }
    if (object.box->received()) return push_property(L, *object.box, key.member);
  }
  return read_key(L, own_place(L), key);
}

int assign_document(lua_State* L) {
  auto& object = checked_object<DocumentObject>(L, 1, Object::Kind::document);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    write_document(L, own_place(L), document_path("[" + std::to_string(lua_tointeger(L, 2)) + "]"),
                   3);
    return 0;
  }
  document_path_argument(L, 2);
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_document_key);
  if (key.kind == Key::Kind::member && key.member < kProperties && object.box->received()) {
    const std::string named(view_at(L, 2));
    throw ScriptError("L222", "'" + named +
                                  "' is of the received message; write the member with "
                                  "msg:set(\"" +
                                  named + "\", value)");
  }
  const std::shared_ptr<const Path> kept = key.document_path;
  write_document(L, own_place(L), *kept, 3);
  return 0;
}

int index_node(lua_State* L) {
  if (lua_type(L, 2) == LUA_TNUMBER) return read_element(L, own_place(L));
  document_path_argument(L, 2);
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_node_key);
  if (key.kind == Key::Kind::member) {
    lua_pushcfunction(L, document_node_members()[key.member].function);
    return 1;
  }
  return read_key(L, own_place(L), key);
}

int assign_node(lua_State* L) {
  const DocumentPlace place = own_place(L);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    write_document(L, place, document_path("[" + std::to_string(lua_tointeger(L, 2)) + "]"), 3);
    return 0;
  }
  document_path_argument(L, 2);
  const std::shared_ptr<const Path> kept =
      LuaRuntime::of(L).keys().find(L, 2, &resolve_node_key).document_path;
  write_document(L, place, *kept, 3);
  return 0;
}

void add_length(lua_State* L, Object::Kind kind, lua_CFunction index, lua_CFunction assign) {
  lua_createtable(L, 0, 6);
  lua_pushcfunction(L, index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, assign);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, &guarded<document_to_string>);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, &guarded<document_length>);
  lua_setfield(L, -2, "__len");
  set_object_metatable(L, kind);
}

}  // namespace

DocumentObject& push_document(lua_State* L, Session& session, DocumentBox& box, NodeId root) {
  auto& object = *static_cast<DocumentObject*>(
      new_object(L, Object::Kind::document, sizeof(DocumentObject), session.serial));
  object.box = &box;
  object.root = root;
  object.arranged = 0;
  object.made = {};
  return object;
}

DocumentBox& made_documents(lua_State* L, Session& session) {
  if (!session.made) session.made = LuaRuntime::of(L).take_spare_documents();
  return *session.made;
}

bool is_document(lua_State* L, int index) {
  const Object* object = object_at(L, index);
  return object != nullptr &&
         (object->kind == Object::Kind::document || object->kind == Object::Kind::document_node ||
          object->kind == Object::Kind::transaction);
}

Node document_argument(lua_State* L, int index) {
  Object* object = object_at(L, index);
  if (object == nullptr) return {};
  check_alive(L, *object);
  switch (object->kind) {
    case Object::Kind::document: {
      auto& document = *static_cast<DocumentObject*>(object);
      arrange_again(L, document);
      const NodeId root = root_of(*document.box, document.root);
      return root == kNone ? Node() : document.box->read().node(root);
    }
    case Object::Kind::document_node:
      return place_of(*static_cast<DocumentNodeObject*>(object)).node();
    case Object::Kind::transaction:
      return transaction_bundle(*object);
    default:
      return {};
  }
}

void open_document_objects(lua_State* L) {
  add_length(L, Object::Kind::document, &guarded<index_document>, &guarded<assign_document>);
  add_length(L, Object::Kind::document_node, &guarded<index_node>, &guarded<assign_node>);
}

Library document_object() {
  return {"Document", Library::Kind::object,
          "A JSON document. `doc[\"entry[1].resource.id\"]` reads a text, or nil where nothing or "
          "null stands; a number reads as its exact digits, a container as JSON. By one name, "
          "`doc.entry`, a list or object is a DocumentNode, anything else its text. "
          "`doc[\"name[1].family\"] = value` writes strings, numbers, booleans, tables and other "
          "documents (copied); nil removes, and what is missing is made. `[*]` stands for every "
          "element. `#doc` counts.",
          document_members()};
}

Library document_node_object() {
  return {"DocumentNode", Library::Kind::object,
          "A place in a Document. Reads and writes as a Document does, by paths from there: "
          "`node[\"code.coding[1].code\"]`, `node.code`, `node[1]`.",
          document_node_members()};
}

}  // namespace cannula::script
