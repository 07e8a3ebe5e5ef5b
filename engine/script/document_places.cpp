#include "engine/script/document_places.h"

#include <cstring>
#include <string>

#include "engine/script/lua_runtime.h"
#include "engine/script/values.h"

namespace cannula::script {

using tree::Document;
using tree::Kind;
using tree::kNone;
using tree::Node;
using tree::NodeId;
using tree::Path;

NodeId root_of(DocumentBox& box, NodeId root) {
  return root == kNone ? box.read().root().id() : root;
}

Path document_path(std::string_view text) {
  auto path = Path::parse(text);
  if (!path) throw ScriptError("L220", path.error().text());
  return *std::move(path);
}

DocumentPlace place_of(DocumentNodeObject& object) {
  if (object.id == kNone) {
    const NodeId base = root_of(*object.box, object.base);
    if (base != kNone) {
      object.id = object.box->read().node(base).find(document_path(object.path())).id();
    }
  }
  return {object.box, object.base, object.id, object.path()};
}

DocumentPlace own_place(lua_State* L) {
  Object* object = object_at(L, 1);
  if (object != nullptr && object->kind == Object::Kind::document) {
    check_alive(L, *object);
    auto& document = *static_cast<DocumentObject*>(object);
    return {document.box, document.root, root_of(*document.box, document.root), {}};
  }
  return place_of(checked_object<DocumentNodeObject>(L, 1, Object::Kind::document_node));
}

void push_node(lua_State* L, DocumentBox& box, NodeId id, NodeId base, std::string_view path) {
  auto& object = *static_cast<DocumentNodeObject*>(
      new_object(L, Object::Kind::document_node, sizeof(DocumentNodeObject) + path.size(),
                 LuaRuntime::of(L).session().serial));
  object.box = &box;
  object.id = id;
  object.base = base;
  object.size = static_cast<std::uint32_t>(path.size());
  if (!path.empty()) std::memcpy(static_cast<void*>(&object + 1), path.data(), path.size());
}

void push_text(lua_State* L, Node node) {
  if (!node || node.kind() == Kind::null) return lua_pushnil(L);
  std::string space;
  const std::string_view text = node.text(space);
  Machine::of(L).work(L, text.size() / 16);
  push(L, text);
}

void count_work(lua_State* L, Node node) {
  Machine::of(L).work(L, 4 + node.size() / 4);
}

std::string_view document_path_argument(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) {
    throw ScriptError("L220", "a path into a document is a string: \"entry[1].resource.id\"");
  }
  return view_at(L, index);
}

void write_document(lua_State* L, const DocumentPlace& place, const Path& path, int value) {
  Session& session = LuaRuntime::of(L).session();
  Document& document = place.box->read();
  count_work(L, place.node());
  ++place.box->edits;
  if (lua_isnoneornil(L, value)) {
    if (place.id != kNone) document.remove(place.id, path);
    return;
  }
  const NodeId made = tree_value(L, *place.box, value, "a document");
  Result<void> written;
  if (place.id != kNone) {
    written = document.set(place.id, path, made);
  } else {
    Path whole = place.path.empty() ? Path() : document_path(place.path);
    whole.steps.insert(whole.steps.end(), path.steps.begin(), path.steps.end());
    const NodeId base = root_of(*place.box, place.base);
    written = base == kNone ? document.set(whole, made) : document.set(base, whole, made);
  }
  if (!written) throw ScriptError("L222", written.error().text());
  charge(L, session, *place.box);
}

}  // namespace cannula::script
