#include "engine/script/document_methods.h"

#include <string>
#include <vector>

#include "engine/script/document_places.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/values.h"

namespace cannula::script {

using tree::Kind;
using tree::kNone;
using tree::Node;
using tree::NodeId;
using tree::Path;

namespace {

// An argument of a method is a path, also where it is the name of a member.
Key resolve_path(lua_State*, std::string_view text) {
  Key key;
  key.document_path = std::make_shared<const Path>(document_path(text));
  return key;
}

const Path& cached_path(lua_State* L, int index) {
  document_path_argument(L, index);
  return *LuaRuntime::of(L).keys().find(L, index, &resolve_path).document_path;
}

// -- What documents and nodes share

int get(lua_State* L) {
  const DocumentPlace place = own_place(L);
  count_work(L, place.node());
  push_text(L, place.node().find(cached_path(L, 2)));
  return 1;
}

int set_path(lua_State* L) {
  const DocumentPlace place = own_place(L);
  write_document(L, place, cached_path(L, 2), 3);
  return 0;
}

int at(lua_State* L) {
  const DocumentPlace place = own_place(L);
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
  const DocumentPlace place = own_place(L);
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
  own_place(L);
  const lua_Integer indent = luaL_optinteger(L, 2, 0);
  push(L, json_text(L, 1, indent < 0 || indent > 8 ? 2 : static_cast<int>(indent)));
  return 1;
}

int copy(lua_State* L) {
  const DocumentPlace place = own_place(L);
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
  push_plain(L, own_place(L).node());
  return 1;
}

int keys(lua_State* L) {
  const Node node = own_place(L).node();
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
  lua_pushstring(L, kKinds[static_cast<std::size_t>(own_place(L).node().kind())]);
  return 1;
}

int count(lua_State* L) {
  lua_pushinteger(L, static_cast<lua_Integer>(own_place(L).node().size()));
  return 1;
}

int is_null(lua_State* L) {
  lua_pushboolean(L, own_place(L).node().kind() == Kind::null);
  return 1;
}

int is_empty(lua_State* L) {
  const Node node = own_place(L).node();
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
  const Node node = own_place(L).node();
  std::string space;
  push(L, node.text(space));
  return 1;
}

int is(lua_State* L) {
  const auto wanted = text_value(L, 2, "is");
  std::string space;
  lua_pushboolean(L, own_place(L).node().text(space) == wanted.value_or(""));
  return 1;
}

int set_here(lua_State* L) {
  const DocumentPlace place = own_place(L);
  if (!lua_isnoneornil(L, 2)) {
    write_document(L, place, Path(), 2);
  } else if (place.id != kNone) {
    ++place.box->edits;
    count_work(L, place.node().parent());
    place.box->read().remove(place.id);
  }
  return 0;
}

int path(lua_State* L) {
  const DocumentPlace place = own_place(L);
  if (place.id == kNone) {
    push(L, place.path);
    return 1;
  }
  count_work(L, place.node().parent());
  push(L, place.node().path().text());
  return 1;
}

int key_of(lua_State* L) {
  push(L, own_place(L).node().name());
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

}  // namespace

int document_to_string(lua_State* L) {
  lua_settop(L, 1);
  return encode(L);
}

int document_length(lua_State* L) {
  lua_settop(L, 1);
  return count(L);
}

std::span<const Binding> document_members() {
  return kDocumentMembers;
}

std::span<const Binding> document_node_members() {
  return kNodeMembers;
}

}  // namespace cannula::script
