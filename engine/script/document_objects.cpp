#include "engine/script/document_objects.h"

#include <cstring>
#include <string>
#include <vector>

#include "engine/script/fhir_library.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/places.h"
#include "engine/script/registry.h"
#include "engine/script/values.h"

namespace cannula::script {

using tree::Document;
using tree::Kind;
using tree::kNone;
using tree::Node;
using tree::NodeId;
using tree::Path;

namespace {

// Where a Document or DocumentNode at index 1 reads and writes.
struct Place {
  DocumentBox* box;
  NodeId base;            // kNone: the box's root
  NodeId id;              // kNone: nothing stands there
  std::string_view path;  // below base, of what is not there

  Node node() const { return id == kNone ? Node() : box->read().node(id); }
};

NodeId root_of(DocumentBox& box, NodeId root) {
  return root == kNone ? box.read().root().id() : root;
}

Path parse_path(std::string_view text) {
  auto path = Path::parse(text);
  if (!path) throw ScriptError("L220", path.error().text());
  return *std::move(path);
}

Place place_of(DocumentNodeObject& object) {
  if (object.id == kNone) {
    const NodeId base = root_of(*object.box, object.base);
    if (base != kNone) {
      object.id = object.box->read().node(base).find(parse_path(object.path())).id();
    }
  }
  return {object.box, object.base, object.id, object.path()};
}

Place self(lua_State* L) {
  Object* object = object_at(L, 1);
  if (object != nullptr && object->kind == Object::Kind::document) {
    check_alive(L, *object);
    auto& document = *static_cast<DocumentObject*>(object);
    return {document.box, document.root, root_of(*document.box, document.root), {}};
  }
  return place_of(checked_object<DocumentNodeObject>(L, 1, Object::Kind::document_node));
}

void push_node(lua_State* L, DocumentBox& box, NodeId id, NodeId base = kNone,
               std::string_view path = {}) {
  auto& object = *static_cast<DocumentNodeObject*>(
      new_object(L, Object::Kind::document_node, sizeof(DocumentNodeObject) + path.size(),
                 LuaRuntime::of(L).session().serial));
  object.box = &box;
  object.id = id;
  object.base = base;
  object.size = static_cast<std::uint32_t>(path.size());
  if (!path.empty()) std::memcpy(static_cast<void*>(&object + 1), path.data(), path.size());
}

// A scalar as its text, nil for null and nothing, JSON of a container.
void push_text(lua_State* L, Node node) {
  if (!node || node.kind() == Kind::null) return lua_pushnil(L);
  std::string space;
  const std::string_view text = node.text(space);
  Machine::of(L).work(L, text.size() / 16);
  push(L, text);
}

// Looking along a list or an object passes what stands before.
void count_work(lua_State* L, Node node) {
  Machine::of(L).work(L, 4 + node.size() / 4);
}

std::string_view path_argument(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) {
    throw ScriptError("L220", "a path into a document is a string: \"entry[1].resource.id\"");
  }
  return view_at(L, index);
}

Key resolve_key(lua_State*, std::string_view text);

const Path& cached_path(lua_State* L, int index) {
  path_argument(L, index);
  return *LuaRuntime::of(L).keys().find(L, index, &resolve_key).document_path;
}

void write(lua_State* L, const Place& place, const Path& path, int value) {
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
    Path whole = place.path.empty() ? Path() : parse_path(place.path);
    whole.steps.insert(whole.steps.end(), path.steps.begin(), path.steps.end());
    const NodeId base = root_of(*place.box, place.base);
    written = base == kNone ? document.set(whole, made) : document.set(base, whole, made);
  }
  if (!written) throw ScriptError("L222", written.error().text());
  charge(L, session, *place.box);
}

// -- What documents and nodes share

int get(lua_State* L) {
  const Place place = self(L);
  count_work(L, place.node());
  push_text(L, place.node().find(cached_path(L, 2)));
  return 1;
}

int set_path(lua_State* L) {
  const Place place = self(L);
  write(L, place, cached_path(L, 2), 3);
  return 0;
}

int at(lua_State* L) {
  const Place place = self(L);
  const Path& path = cached_path(L, 2);
  count_work(L, place.node());
  const Node found = place.node().find(path);
  if (found) {
    push_node(L, *place.box, found.id());
  } else if (place.id != kNone) {
    push_node(L, *place.box, kNone, place.id, view_at(L, 2));
  } else {
    const std::string_view below = view_at(L, 2);
    const bool dot = !place.path.empty() && below.front() != '[';
    push_node(L, *place.box, kNone, place.base,
              std::string(place.path) + (dot ? "." : "") + std::string(below));
  }
  return 1;
}

// The only upvalue of an iterator: the nodes there were when the walk began.
struct NodeList {
  std::uint64_t run;
  DocumentBox* box;
  std::uint32_t count;
  std::uint32_t next;
  NodeId* nodes() { return reinterpret_cast<NodeId*>(this + 1); }
};

int next_node(lua_State* L) {
  auto& list = *static_cast<NodeList*>(lua_touserdata(L, lua_upvalueindex(1)));
  check_alive(L, {Object::Kind::document_node, list.run});
  if (list.next == list.count) return 0;
  push_node(L, *list.box, list.nodes()[list.next++]);
  return 1;
}

int each(lua_State* L) {
  const Place place = self(L);
  std::vector<Node> nodes;
  if (!lua_isnoneornil(L, 2)) {
    nodes = place.node().find_all(cached_path(L, 2));
  } else if (place.id != kNone) {
    nodes = {place.node()};
  }
  // Of one place its members or elements; of places by [*] the places themselves.
  if (nodes.size() == 1 && nodes.front().is_container() &&
      (lua_isnoneornil(L, 2) || !view_at(L, 2).ends_with("[*]"))) {
    const Node parent = nodes.front();
    nodes.clear();
    for (Node child = parent.first(); child; child = child.next()) nodes.push_back(child);
  }
  Machine::of(L).work(L, nodes.size());
  auto& list = *static_cast<NodeList*>(
      lua_newuserdatauv(L, sizeof(NodeList) + nodes.size() * sizeof(NodeId), 0));
  list.run = LuaRuntime::of(L).session().serial;
  list.box = place.box;
  list.count = static_cast<std::uint32_t>(nodes.size());
  list.next = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) list.nodes()[i] = nodes[i].id();
  lua_pushcclosure(L, &guarded<next_node>, 1);
  return 1;
}

int encode(lua_State* L) {
  self(L);
  const lua_Integer indent = luaL_optinteger(L, 2, 0);
  push(L, json_text(L, 1, indent < 0 || indent > 8 ? 2 : static_cast<int>(indent)));
  return 1;
}

int to_string(lua_State* L) {
  lua_settop(L, 1);
  return encode(L);
}

int copy(lua_State* L) {
  const Place place = self(L);
  Session& session = LuaRuntime::of(L).session();
  DocumentBox& made = made_documents(L, session);
  const Node node = place.node();
  const NodeId root = node ? made.read().copy(node) : made.read().make_object();
  charge(L, session, made);
  Machine::of(L).work(L, made.read().memory() / 1024);
  DocumentObject& object = push_document(L, session, made, root);
  if (object_at(L, 1)->kind == Object::Kind::document) {
    const auto& original = *static_cast<DocumentObject*>(object_at(L, 1));
    if (original.arranged != 0) object.arranged = 1;
  }
  return 1;
}

int table(lua_State* L) {
  push_plain(L, self(L).node());
  return 1;
}

int keys(lua_State* L) {
  const Node node = self(L).node();
  lua_newtable(L);
  lua_Integer position = 0;
  for (Node child = node.first(); child; child = child.next()) {
    Machine::of(L).work(L, 4);
    if (node.kind() == Kind::object) {
      push(L, child.name());
    } else {
      lua_pushinteger(L, position + 1);
    }
    lua_rawseti(L, -2, ++position);
  }
  return 1;
}

int kind(lua_State* L) {
  constexpr const char* kKinds[] = {"missing", "null",  "boolean", "number",
                                    "string",  "array", "object"};
  lua_pushstring(L, kKinds[static_cast<std::size_t>(self(L).node().kind())]);
  return 1;
}

int count(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(self(L).node().size()));
  return 1;
}

int is_null(lua_State* L) {
  lua_pushboolean(L, self(L).node().kind() == Kind::null);
  return 1;
}

int is_empty(lua_State* L) {
  const Node node = self(L).node();
  const bool empty = node.kind() <= Kind::null || (node.is_container() && node.size() == 0);
  lua_pushboolean(L, empty);
  return 1;
}

// -- Documents alone

// Most readers take the last of two members of one name, we the first: a script that must not guess
// can ask.
int doubled(lua_State* L) {
  const auto& object = checked_object<DocumentObject>(L, 1, Object::Kind::document);
  const auto findings = object.box->read().findings({});
  lua_newtable(L);
  lua_Integer at = 0;
  for (const Diagnostic& finding : findings) {
    if (finding.path.empty()) continue;  // how many more there are
    Machine::of(L).work(L, 16);
    push(L, finding.path);
    lua_rawseti(L, -2, ++at);
  }
  return 1;
}

// -- Nodes alone

int text(lua_State* L) {
  const Node node = self(L).node();
  std::string space;
  push(L, node.text(space));
  return 1;
}

int is(lua_State* L) {
  const auto wanted = text_value(L, 2, "is");
  std::string space;
  lua_pushboolean(L, self(L).node().text(space) == wanted.value_or(""));
  return 1;
}

int set_here(lua_State* L) {
  const Place place = self(L);
  if (!lua_isnoneornil(L, 2)) {
    write(L, place, Path(), 2);
  } else if (place.id != kNone) {
    ++place.box->edits;
    count_work(L, place.node().parent());
    place.box->read().remove(place.id);
  }
  return 0;
}

int path(lua_State* L) {
  const Place place = self(L);
  if (place.id == kNone) {
    push(L, place.path);
    return 1;
  }
  count_work(L, place.node().parent());
  push(L, place.node().path().text());
  return 1;
}

int key_of(lua_State* L) {
  push(L, self(L).node().name());
  return 1;
}

constexpr Binding kDocumentMembers[] = {
    {"id", "string?",
     "The engine's id of the received message. Of documents that the script made, "
     "as the next four, the member of that name."},
    {"partner", "string?", "Who sent the received message."},
    {"received_at", "number?", "When it was received, as `time.now()` counts."},
    {"raw", "string", "The bytes as received, whatever was edited since."},
    {"request", "Request?", "Of a message that came by HTTP, what it was asked with; else nil."},
    {"get", "(path: string): string?",
     "What `doc[path]` reads, also where a name means something else: `msg:get(\"id\")`.",
     &guarded<get>},
    {"set", "(path: string, value: any)", "What `doc[path] = value` writes.", &guarded<set_path>},
    {"at", "(path: string): DocumentNode",
     "The place as a DocumentNode, also where nothing stands: never nil.", &guarded<at>},
    {"each", "(path?: string): fun(): DocumentNode",
     "Walks the elements of a list or the members of an object; with `[*]` at the end of the path, "
     "each place it leads to.",
     &guarded<each>},
    {"encode", "(indent?: integer): string", "JSON text.", &guarded<encode>},
    {"copy", "(): Document", "A copy that is edited on its own.", &guarded<copy>},
    {"table", "(): any",
     "A plain Lua table. Numbers become Lua's, null members are left out; in lists null is "
     "`json.null`.",
     &guarded<table>},
    {"keys", "(): string[]", "The names of the members, in their order.", &guarded<keys>},
    {"doubled", "(): string[]",
     "The paths of members whose name stands twice in one object, as received; the first hundred "
     "of "
     "them. The first member is read, "
     "both are kept; other readers take the last.",
     &guarded<doubled>},
    {"kind", "(): string", "`object`, `array`, `string` … or `missing`.", &guarded<kind>},
    {"count", "(): integer", "How many members or elements.", &guarded<count>},
    {"isempty", "(): boolean", "Whether nothing stands there.", &guarded<is_empty>},
};
enum Property { kId, kPartner, kReceivedAt, kRaw, kRequest, kProperties };

constexpr Binding kNodeMembers[] = {
    {"text", "(): string",
     "The text; of a number its digits, of a container its JSON; empty when nothing is there.",
     &guarded<text>},
    {"is", "(text: string?): boolean", "Whether that text stands there.", &guarded<is>},
    {"set", "(value: any)", "Writes; nil removes. What is missing on the way is made.",
     &guarded<set_here>},
    {"get", "(path: string): string?",
     "What `node[path]` reads, also where a name means a method: `code:get(\"text\")`.",
     &guarded<get>},
    {"at", "(path: string): DocumentNode", "A place below, also where nothing stands.",
     &guarded<at>},
    {"each", "(path?: string): fun(): DocumentNode", "Walks elements or members, as of a Document.",
     &guarded<each>},
    {"isnull", "(): boolean", "Whether null stands there.", &guarded<is_null>},
    {"isempty", "(): boolean", "Whether nothing, null, `{}` or `[]` stands there.",
     &guarded<is_empty>},
    {"kind", "(): string", "`object`, `array`, `string` … or `missing`.", &guarded<kind>},
    {"count", "(): integer", "How many members or elements.", &guarded<count>},
    {"keys", "(): string[]", "The names of the members, in their order.", &guarded<keys>},
    {"key", "(): string", "The name of a member.", &guarded<key_of>},
    {"path", "(): string", "Where it is: `\"entry[1].resource\"`.", &guarded<path>},
    {"encode", "(indent?: integer): string", "JSON text.", &guarded<encode>},
    {"copy", "(): Document", "A Document of its own.", &guarded<copy>},
    {"table", "(): any", "A plain Lua table, as of a Document.", &guarded<table>},
};

Key resolve(std::span<const Binding> members, std::string_view text) {
  Key key;
  if (auto path = Path::parse(text)) {
    key.document_path = std::make_shared<const Path>(*std::move(path));
  } else {
    throw ScriptError("L220", path.error().text());
  }
  const auto member = find_member(members, text);
  key.kind = member ? Key::Kind::member : Key::Kind::path;
  key.member = member.value_or(0);
  return key;
}

Key resolve_key(lua_State*, std::string_view text) {
  return resolve({}, text);
}
Key resolve_document_key(lua_State*, std::string_view text) {
  return resolve(kDocumentMembers, text);
}
Key resolve_node_key(lua_State*, std::string_view text) {
  return resolve(kNodeMembers, text);
}

// By one name: a container as a DocumentNode, anything else as its text.
void push_found(lua_State* L, DocumentBox& box, Node found, bool by_name) {
  if (by_name && found.is_container()) {
    push_node(L, box, found.id());
  } else {
    push_text(L, found);
  }
}

int read_key(lua_State* L, const Place& place, const Key& key) {
  count_work(L, place.node());
  const bool by_name = key.document_path->steps.size() == 1;
  push_found(L, *place.box, place.node().find(*key.document_path), by_name);
  return 1;
}

int read_element(lua_State* L, const Place& place) {
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
  if (lua_type(L, 2) == LUA_TNUMBER) return read_element(L, self(L));
  if (lua_type(L, 2) != LUA_TSTRING) {
    throw ScriptError("L220", "a document is read by path, doc[\"entry[1].resource.id\"]");
  }
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_document_key);
  if (key.kind == Key::Kind::member) {
    if (const lua_CFunction function = kDocumentMembers[key.member].function) {
      lua_pushcfunction(L, function);
      return 1;
    }
    if (object.box->received()) return push_property(L, *object.box, key.member);
  }
  return read_key(L, self(L), key);
}

int assign_document(lua_State* L) {
  auto& object = checked_object<DocumentObject>(L, 1, Object::Kind::document);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    write(L, self(L), parse_path("[" + std::to_string(lua_tointeger(L, 2)) + "]"), 3);
    return 0;
  }
  path_argument(L, 2);
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_document_key);
  if (key.kind == Key::Kind::member && key.member < kProperties && object.box->received()) {
    const std::string named(view_at(L, 2));
    throw ScriptError("L222", "'" + named +
                                  "' is of the received message; write the member with "
                                  "msg:set(\"" +
                                  named + "\", value)");
  }
  const std::shared_ptr<const Path> kept = key.document_path;
  write(L, self(L), *kept, 3);
  return 0;
}

int index_node(lua_State* L) {
  if (lua_type(L, 2) == LUA_TNUMBER) return read_element(L, self(L));
  path_argument(L, 2);
  const Key& key = LuaRuntime::of(L).keys().find(L, 2, &resolve_node_key);
  if (key.kind == Key::Kind::member) {
    lua_pushcfunction(L, kNodeMembers[key.member].function);
    return 1;
  }
  return read_key(L, self(L), key);
}

int assign_node(lua_State* L) {
  const Place place = self(L);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    write(L, place, parse_path("[" + std::to_string(lua_tointeger(L, 2)) + "]"), 3);
    return 0;
  }
  path_argument(L, 2);
  const std::shared_ptr<const Path> kept =
      LuaRuntime::of(L).keys().find(L, 2, &resolve_node_key).document_path;
  write(L, place, *kept, 3);
  return 0;
}

int length(lua_State* L) {
  lua_settop(L, 1);
  return count(L);
}

void add_length(lua_State* L, Object::Kind kind, lua_CFunction index, lua_CFunction assign) {
  lua_createtable(L, 0, 6);
  lua_pushcfunction(L, index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, assign);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, &guarded<to_string>);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, &guarded<length>);
  lua_setfield(L, -2, "__len");
  set_object_metatable(L, kind);
}

constexpr Binding kRequestMembers[] = {
    {"method", "string", "`\"POST\"`."},
    {"path", "string", "The path, decoded, without the query."},
    {"target", "string", "Path and query as they came."},
    {"query", "table<string, string>", "The query's values by name."},
    {"headers", "table<string, string>", "By names in small letters."},
};

}  // namespace

void push_request(lua_State* L, const Input& input) {
  if (input.attributes.find("\"method\"") == std::string::npos) return lua_pushnil(L);
  push_json(L, input.attributes);
  if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, "method") == LUA_TSTRING) {
    return lua_pop(L, 1);
  }
  lua_pushnil(L);
}

void push_attribute(lua_State* L, const std::string& attributes, std::string_view wanted) {
  if (attributes.empty()) return lua_pushnil(L);
  push_json(L, attributes);
  push(L, wanted);
  lua_rawget(L, -2);
}

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

// The answer's document; nil when it is not JSON.
void push_response_document(lua_State* L, Session& session) {
  const Response& response = *session.input.response;
  if (!response.body || !DocumentBox::looks_like_json(*response.body)) return lua_pushnil(L);
  if (session.response_document == nullptr) {
    charge(L, session, sizeof(DocumentBox));
    session.response_document = &session.documents.emplace_back(
        response.body, DocumentBox::From::destination, Machine::of(L).limits().memory);
  }
  try {
    session.response_document->read();
  } catch (const ScriptError&) {
    return lua_pushnil(L);
  }
  charge(L, session, *session.response_document);
  push_document(L, session, *session.response_document);
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
          kDocumentMembers};
}

Library document_node_object() {
  return {"DocumentNode", Library::Kind::object,
          "A place in a Document. Reads and writes as a Document does, by paths from there: "
          "`node[\"code.coding[1].code\"]`, `node.code`, `node[1]`.",
          kNodeMembers};
}

Library request_object() {
  return {"Request", Library::Kind::object, "What an HTTP request said besides its body: a table.",
          kRequestMembers};
}

}  // namespace cannula::script
