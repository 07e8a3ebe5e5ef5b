// Lua values as nodes of a document and back, and the json library.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine/script/document_objects.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/opaque.h"
#include "engine/script/registry.h"

namespace cannula::script {

using tree::Document;
using tree::Kind;
using tree::kNone;
using tree::Node;
using tree::NodeId;

namespace {

const char kNull = 0;   // the registry's key of json.null
const char kArray = 0;  // and of the metatable that json.array gives

constexpr int kDeepest = 100;        // levels of tables
constexpr int kDeepestPlain = 1000;  // levels of a document as tables

// A number that keeps its text: json.number("7.10").
struct NumberObject : Object {
  std::uint32_t size;
  char* text() { return reinterpret_cast<char*>(this + 1); }
};

class TreeBuilder {
 public:
  TreeBuilder(lua_State* L, DocumentBox& box, std::string_view what, bool ordered)
      : L_(L), box_(box), document_(box.read()), what_(what), ordered_(ordered) {}

  NodeId value(int index, int level) {
    Machine::of(L_).work(L_, 8);
    if (++made_ % 256 == 0) charge(L_, LuaRuntime::of(L_).session(), box_);
    switch (lua_type(L_, index)) {
      case LUA_TNONE:
      case LUA_TNIL:
        return kNone;
      case LUA_TBOOLEAN:
        return document_.make_boolean(lua_toboolean(L_, index) != 0);
      case LUA_TNUMBER:
        return number(index);
      case LUA_TSTRING:
        return string(view_at(L_, index));
      case LUA_TTABLE:
        if (level >= kDeepest) fail("tables in more than 100 levels");
        luaL_checkstack(L_, 6, nullptr);
        return table(lua_absindex(L_, index), level);
      default:
        return object(index);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    throw ScriptError("L229", std::string(what_) +
                                  " takes strings, numbers, booleans, tables and documents, not " +
                                  found);
  }

  NodeId number(int index) {
    char digits[40];
    std::to_chars_result end{};
    if (lua_isinteger(L_, index) != 0) {
      end = std::to_chars(digits, digits + sizeof(digits), lua_tointeger(L_, index));
    } else {
      const lua_Number number = lua_tonumber(L_, index);
      if (!std::isfinite(number)) fail("a number that is not finite");
      end = std::to_chars(digits, digits + sizeof(digits), number);
    }
    return document_.make_number({digits, static_cast<std::size_t>(end.ptr - digits)});
  }

  NodeId string(std::string_view text) {
    Machine::of(L_).work(L_, text.size() / 16);
    const NodeId made = document_.make_string(text);
    if (made == kNone) fail("a string that is not UTF-8");
    return made;
  }

  NodeId object(int index) {
    Object* object = object_at(L_, index);
    if (object == nullptr) fail(std::string("a ") + luaL_typename(L_, index));
    switch (object->kind) {
      case Object::Kind::phi:
        return string(phi_text(L_, index));
      case Object::Kind::json_null:
        return document_.make_null();
      case Object::Kind::json_number: {
        auto& number = static_cast<NumberObject&>(*object);
        return document_.make_number({number.text(), number.size});
      }
      case Object::Kind::document:
      case Object::Kind::document_node:
      case Object::Kind::transaction: {
        const Node node = document_argument(L_, index);
        const std::size_t before = document_.memory();
        const NodeId copied = document_.copy(node);
        Machine::of(L_).work(L_, (document_.memory() - before) / 32);
        return copied;
      }
      default:
        fail(std::string("a ") + name_of(object->kind) + ": read its text");
    }
  }

  NodeId table(int index, int level) {
    const bool list = is_marked_array(L_, index) || lua_rawlen(L_, index) > 0;
    if (list) return elements(index, level);
    const NodeId made = document_.make_object();
    const std::size_t first = members_.size();
    lua_Integer last = 0;  // of integer keys
    lua_pushnil(L_);
    while (lua_next(L_, index) != 0) {
      if (lua_type(L_, -2) != LUA_TSTRING) {
        // A list that begins with nil: { nil, x }.
        if (lua_isinteger(L_, -2) == 0) fail("a table whose keys are neither names nor 1 … n");
        last = std::max(last, lua_tointeger(L_, -2));
        lua_pop(L_, 1);
        continue;
      }
      const NodeId child = value(lua_gettop(L_), level + 1);
      const std::string_view name = view_at(L_, -2);
      if (!is_name(name)) fail("a table with a name that is not UTF-8");
      if (child != kNone) document_.add(made, name, child);
      lua_pop(L_, 1);
    }
    if (last != 0) {
      if (document_.node(made).size() != 0) {
        fail("a table whose keys are partly names and partly 1 … n");
      }
      return elements(index, level);
    }
    if (ordered_) order_by_name(made);
    members_.resize(first);
    return made;
  }

  // UTF-8; names are mostly short and plain.
  static bool is_name(std::string_view name) {
    return std::all_of(name.begin(), name.end(),
                       [](char letter) { return static_cast<signed char>(letter) >= 0; }) ||
           tree::is_utf8(name);
  }

  // What Lua gives in any order comes out the same each time.
  void order_by_name(NodeId object) {
    const std::size_t first = members_.size();
    document_.take_children(object, members_);
    std::sort(members_.begin() + static_cast<std::ptrdiff_t>(first), members_.end(),
              [&](NodeId left, NodeId right) {
                return document_.node(left).name() < document_.node(right).name();
              });
    for (std::size_t at = first; at < members_.size(); ++at) {
      document_.put_back(object, members_[at]);
    }
  }

  // The values of 1 … n; a nil among them is passed over.
  NodeId elements(int index, int level) {
    lua_Integer last = 0;
    lua_Integer count = 0;
    lua_pushnil(L_);
    while (lua_next(L_, index) != 0) {
      lua_pop(L_, 1);
      if (lua_isinteger(L_, -1) == 0 || lua_tointeger(L_, -1) < 1) {
        fail("a table whose keys are neither names nor 1 … n");
      }
      last = std::max(last, lua_tointeger(L_, -1));
      ++count;
    }
    if (last > 2 * count + 16) fail("a list with more gaps than elements");
    const NodeId made = document_.make_array();
    for (lua_Integer at = 1; at <= last; ++at) {
      lua_rawgeti(L_, index, at);
      const NodeId child = value(lua_gettop(L_), level + 1);
      if (child != kNone) document_.append(made, child);
      lua_pop(L_, 1);
    }
    return made;
  }

  lua_State* L_;
  DocumentBox& box_;
  Document& document_;
  const std::string_view what_;
  const bool ordered_;
  std::size_t made_ = 0;
  std::vector<NodeId> members_;
};

void push_number(lua_State* L, std::string_view text) {
  lua_Integer whole = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (failure == std::errc() && end == text.data() + text.size()) {
    lua_pushinteger(L, whole);
    return;
  }
  lua_Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  lua_pushnumber(L, number);
}

void push_null(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kNull);
}

void push_plain(lua_State* L, Node node, int level) {
  Machine::of(L).work(L, 8);
  if (level > kDeepestPlain) throw ScriptError("L229", "the document is nested too deep");
  luaL_checkstack(L, 6, nullptr);
  std::string space;
  switch (node.kind()) {
    case Kind::missing:
      lua_pushnil(L);
      return;
    case Kind::null:
      push_null(L);
      return;
    case Kind::boolean:
      lua_pushboolean(L, node.text(space) == "true");
      return;
    case Kind::number:
      push_number(L, node.text(space));
      return;
    case Kind::string:
      push(L, node.text(space));
      return;
    case Kind::array: {
      lua_newtable(L);
      lua_Integer at = 0;
      for (Node child = node.first(); child; child = child.next()) {
        push_plain(L, child, level + 1);
        lua_rawseti(L, -2, ++at);
      }
      return;
    }
    case Kind::object:
      lua_newtable(L);
      for (Node child = node.first(); child; child = child.next()) {
        if (child.kind() == Kind::null) continue;
        push(L, child.name());
        push_plain(L, child, level + 1);
        lua_rawset(L, -3);
      }
  }
}

// -- json

int json_parse(lua_State* L) {
  const std::string_view text = string_argument(L, 1);
  Session& session = LuaRuntime::of(L).session();
  Machine::of(L).work(L, text.size() / 4);
  charge(L, session, text.size() + sizeof(DocumentBox));
  DocumentBox& box = session.documents.emplace_back(
      make_bytes(std::string(text)), DocumentBox::From::script, Machine::of(L).limits().memory);
  box.read();
  charge(L, session, box);
  push_document(L, session, box);
  return 1;
}

int json_encode(lua_State* L) {
  const lua_Integer indent = luaL_optinteger(L, 2, 0);
  if (indent < 0 || indent > 8) throw ScriptError("L229", "json.encode indents by 0 to 8 blanks");
  push(L, json_text(L, 1, static_cast<int>(indent)));
  return 1;
}

int json_number(lua_State* L) {
  const std::string_view text = string_argument(L, 1);
  if (!tree::is_number(text)) {
    throw ScriptError("L229", "'" + std::string(text.substr(0, 40)) +
                                  "' is not a number as JSON writes it, such as 7.10");
  }
  auto& number = *static_cast<NumberObject*>(
      new_object(L, Object::Kind::json_number, sizeof(NumberObject) + text.size(), 0));
  number.size = static_cast<std::uint32_t>(text.size());
  std::memcpy(number.text(), text.data(), text.size());
  return 1;
}

int number_text(lua_State* L) {
  auto& number = checked_object<NumberObject>(L, 1, Object::Kind::json_number);
  push(L, {number.text(), number.size});
  return 1;
}

int null_text(lua_State* L) {
  lua_pushliteral(L, "null");
  return 1;
}

int json_array(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  if (lua_getmetatable(L, 1) != 0) {
    throw ScriptError("L229", "json.array takes a plain table, and this one has a metatable");
  }
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kArray);
  lua_setmetatable(L, 1);
  return 1;
}

constexpr Binding kBindings[] = {
    {"parse", "(text: string): Document",
     "Reads JSON; an error names line and column and what was expected there.",
     &guarded<json_parse>},
    {"encode", "(value: any, indent?: integer): string",
     "JSON of a table, Document or any value; the names of a table in alphabetical order. "
     "`indent` blanks a level put each member on a line of its own.",
     &guarded<json_encode>},
    {"number", "(text: string): json.number",
     "A number that is written with exactly these digits: `json.number(\"7.10\")`.",
     &guarded<json_number>},
    {"array", "(list: table): table",
     "Marks a table as a list, so that an empty one is written `[]` and not `{}`. Gives the table.",
     &guarded<json_array>},
    {"null", "json.null", "Stands for null, which nil cannot in a table."},
};

}  // namespace

bool is_marked_array(lua_State* L, int index) {
  if (lua_getmetatable(L, index) == 0) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kArray);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

NodeId tree_value(lua_State* L, DocumentBox& box, int index, std::string_view what, bool ordered) {
  const NodeId made = TreeBuilder(L, box, what, ordered).value(lua_absindex(L, index), 0);
  charge(L, LuaRuntime::of(L).session(), box);
  return made;
}

void push_plain(lua_State* L, Node node) {
  push_plain(L, node, 0);
}

std::string json_text(lua_State* L, int index, int indent) {
  Session& session = LuaRuntime::of(L).session();
  Node node;
  if (is_document(L, index)) {
    node = document_argument(L, index);
  } else {
    DocumentBox& box = made_documents(L, session);
    const NodeId made = tree_value(L, box, index, "json.encode");
    node = box.read().node(made == kNone ? box.read().make_null() : made);
  }
  if (!node) return "null";
  std::string text;
  node.document()->encode_to(text, node, indent);
  Machine::of(L).work(L, text.size() / 16);
  return text;
}

// json.null, once a state; `json` stands in the table on top of the stack.
void open_json(lua_State* L) {
  push_null(L);
  lua_setfield(L, -2, "null");
}

void open_document_values(lua_State* L) {
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, &guarded<null_text>);
  lua_setfield(L, -2, "__tostring");
  set_object_metatable(L, Object::Kind::json_null);
  new_object(L, Object::Kind::json_null, sizeof(Object), 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kNull);

  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, &guarded<number_text>);
  lua_setfield(L, -2, "__tostring");
  set_object_metatable(L, Object::Kind::json_number);

  lua_createtable(L, 0, 1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kArray);
}

Library json_library() {
  return {"json", Library::Kind::table, "JSON. Numbers of a document keep their digits.",
          kBindings};
}

}  // namespace cannula::script
