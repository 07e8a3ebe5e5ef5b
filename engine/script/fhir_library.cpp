#include "engine/script/fhir_library.h"

#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/script/fhir_builder.h"
#include "engine/script/fhir_converters.h"
#include "engine/script/fhir_observations.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/observation_nodes.h"
#include "engine/script/places.h"
#include "parsers/fhir/arrange.h"

namespace cannula::script {

using fhir::Model;
using fhir::Type;
using tree::Document;
using tree::Kind;
using tree::kNone;
using tree::Node;
using tree::NodeId;

namespace {

struct TransactionObject : Object {
  DocumentBox* box;
  NodeId bundle;
  NodeId entries;
};

void arrange_or_throw(Document& document, NodeId root, const Type& type) {
  const auto done = fhir::arrange(document, root, type);
  if (!done) throw ScriptError("L240", done.error().text());
}

const Type& type_of(Node resource) {
  const auto type = fhir::type_of_resource(resource);
  if (!type) throw ScriptError("L240", type.error().text());
  return **type;
}

// The OBX of fhir.Observation(elements, obx); null when there is none.
const PlaceObject* obx_argument(lua_State* L, const Type& type) {
  if (lua_isnoneornil(L, 2)) return nullptr;
  if (type.name() != "Observation") {
    throw ScriptError("L240", "fhir." + std::string(type.name()) +
                                  " takes one table of elements; a segment can be given to "
                                  "fhir.Observation, its OBX");
  }
  const auto& segment = checked_object<PlaceObject>(L, 2, Object::Kind::segment);
  const std::string name(segment.present ? segment.box->read().name_of(segment.place.segment)
                                         : std::string_view(segment.name));
  if (name != "OBX") {
    throw ScriptError("L240", "fhir.Observation takes an OBX beside its table, not " + name);
  }
  if (lua_type(L, 1) != LUA_TTABLE) {
    throw ScriptError("L240", "fhir.Observation takes a table of elements before the OBX");
  }
  return &segment;
}

// fhir.Patient{…}; the upvalue is its Type.
int construct(lua_State* L) {
  const auto& type = *static_cast<const Type*>(lua_touserdata(L, lua_upvalueindex(1)));
  const std::string name(type.name());
  Session& session = LuaRuntime::of(L).session();
  DocumentBox& box = made_documents(L, session);
  if (!lua_isnone(L, 1) && lua_type(L, 1) != LUA_TTABLE && !is_document(L, 1)) {
    throw ScriptError("L240",
                      "fhir." + name + " takes a table of elements, not a " + luaL_typename(L, 1));
  }
  Document& document = box.read();
  NodeId first = document.next_id();
  const PlaceObject* const obx = obx_argument(L, type);
  NodeId root = lua_type(L, 1) == LUA_TTABLE ? build_quickly(L, box, 1, type, obx) : kNone;
  if (root == kNone) {
    first = document.next_id();
    if (obx != nullptr) {
      push_beside_value(L, 1, 2);
      lua_replace(L, 1);
    }
    root = tree_value(L, box, 1, "fhir." + name, false);
    if (root == kNone || document.node(root).kind() != Kind::object) root = document.make_object();
    arrange_or_throw(document, root, type);
  }
  DocumentObject& object = push_document(L, session, box, root);
  object.arranged = box.edits + 1;
  object.made = {first, document.next_id(), box.edits};
  return 1;
}

int unknown_constructor(lua_State* L) {
  const std::string name(string_argument(L, 2).substr(0, 60));
  std::vector<std::string_view> names(Model::r4().resources().begin(),
                                      Model::r4().resources().end());
  for (const auto converters : {fhir_converters(), fhir_observation_converters()}) {
    for (const Binding& converter : converters) names.push_back(converter.name);
  }
  throw ScriptError("L240", "fhir has no '" + name + "'" + did_you_mean(name, names));
}

// -- Transactions

// UUID version 8 (RFC 9562, 5.8): a hash of the message's id and a counter, so that a repeat of the
// run gives the same.
std::string next_reference(Session& session) {
  const std::string name =
      "cannula:" + session.input.id + "/" + std::to_string(++session.references);
  const XXH128_hash_t hash = XXH3_128bits(name.data(), name.size());
  const std::uint64_t high = (hash.high64 & ~std::uint64_t{0xF000}) | 0x8000;
  const std::uint64_t low = (hash.low64 & ~(std::uint64_t{3} << 62)) | (std::uint64_t{2} << 62);
  std::string text = "urn:uuid:00000000-0000-0000-0000-000000000000";
  const auto put = [&](std::size_t end, std::uint64_t bits, int digits) {
    for (; digits > 0; --digits, bits >>= 4) text[--end] = "0123456789abcdef"[bits & 15];
  };
  put(17, high >> 32, 8);
  put(22, high >> 16, 4);
  put(27, high, 4);
  put(32, low >> 48, 4);
  put(45, low, 12);
  return text;
}

TransactionObject& transaction_self(lua_State* L) {
  return checked_object<TransactionObject>(L, 1, Object::Kind::transaction);
}

int make_transaction(lua_State* L) {
  Session& session = LuaRuntime::of(L).session();
  DocumentBox& box = made_documents(L, session);
  Document& document = box.read();
  auto& object = *static_cast<TransactionObject*>(
      new_object(L, Object::Kind::transaction, sizeof(TransactionObject), session.serial));
  object.box = &box;
  object.bundle = document.make_object();
  document.add_fixed(object.bundle, "resourceType", document.make_fixed("Bundle"));
  document.add_fixed(object.bundle, "type", document.make_fixed("transaction"));
  object.entries = document.make_array();
  document.add_fixed(object.bundle, "entry", object.entries);
  charge(L, session, box);
  return 1;
}

// A copy of what fhir.* made and nobody edited since; kNone of anything else.
NodeId copy_as_made(lua_State* L, DocumentBox& box, const DocumentObject& object) {
  check_alive(L, object);
  const bool unedited = object.made.end != 0 && object.made.edits == box.edits;
  if (object.box != &box || !unedited) return kNone;
  Machine::of(L).work(L, object.made.end - object.made.first);
  const NodeId copied = box.read().copy_made(object.root, object.made.first, object.made.end);
  charge(L, LuaRuntime::of(L).session(), box);
  return copied;
}

// The resource at `index`, in FHIR's form, as a detached node of the transaction's box.
NodeId resource_argument(lua_State* L, DocumentBox& box, int index, std::string_view what) {
  if (lua_type(L, index) != LUA_TTABLE && !is_document(L, index)) {
    throw ScriptError("L240", std::string(what) +
                                  " takes a resource, fhir.Patient{…} or the "
                                  "like, not a " +
                                  luaL_typename(L, index));
  }
  const Object* object = object_at(L, index);
  if (object != nullptr && object->kind == Object::Kind::document) {
    const NodeId copied = copy_as_made(L, box, static_cast<const DocumentObject&>(*object));
    if (copied != kNone) return copied;
  }
  const NodeId resource = tree_value(L, box, index, what, false);
  Document& document = box.read();
  const Node node = document.node(resource);
  if (node.kind() != Kind::object) {
    throw ScriptError("L240", std::string(what) + " takes a resource, and this is empty");
  }
  // What fhir.* made has its form already: document_argument() saw to it.
  const bool arranged = object != nullptr && object->kind == Object::Kind::document &&
                        static_cast<const DocumentObject*>(object)->arranged != 0;
  if (!arranged) arrange_or_throw(document, resource, type_of(node));
  return resource;
}

struct Entry {
  std::string method;
  std::string url;
  std::string full_url;
  NodeId resource = kNone;
  std::vector<std::pair<const char*, std::string>> conditions;  // ifNoneExist …
};

void add_text(Document& document, NodeId object, const char* name, std::string_view text) {
  const NodeId made = document.make_string(text);
  if (made == kNone) {
    throw ScriptError("L240", std::string("the ") + name + " of an entry is not UTF-8");
  }
  document.add_fixed(object, name, made);
}

// Adds the entry and pushes its reference, { reference = "urn:uuid:…" }.
int add_entry(lua_State* L, TransactionObject& transaction, const Entry& entry) {
  Document& document = transaction.box->read();
  const NodeId made = document.make_object();
  if (!entry.full_url.empty()) add_text(document, made, "fullUrl", entry.full_url);
  if (entry.resource != kNone) document.add_fixed(made, "resource", entry.resource);
  const NodeId request = document.make_object();
  add_text(document, request, "method", entry.method);
  add_text(document, request, "url", entry.url);
  for (const auto& [name, text] : entry.conditions) add_text(document, request, name, text);
  document.add_fixed(made, "request", request);
  document.append(transaction.entries, made);
  charge(L, LuaRuntime::of(L).session(), *transaction.box);
  lua_createtable(L, 0, 1);
  push(L, entry.full_url);
  lua_setfield(L, -2, "reference");
  return 1;
}

// The text member `name` of the table at `index`; empty when there is none.
std::string option(lua_State* L, int index, const char* name) {
  lua_getfield(L, index, name);
  std::string text(text_value(L, -1, name).value_or(""));
  lua_pop(L, 1);
  return text;
}

void check_options(lua_State* L, int index, std::span<const std::string_view> known,
                   std::string_view what) {
  if (lua_type(L, index) != LUA_TTABLE) {
    throw ScriptError("L240", std::string(what) + " takes its options as a table, not a " +
                                  luaL_typename(L, index));
  }
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    const std::string_view name = lua_type(L, -2) == LUA_TSTRING ? view_at(L, -2) : "";
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw ScriptError("L240", std::string(what) + " has no option '" +
                                    std::string(name.substr(0, 60)) + "'" +
                                    did_you_mean(name, known));
    }
    lua_pop(L, 1);
  }
}

int create(lua_State* L) {
  TransactionObject& transaction = transaction_self(L);
  Entry entry;
  if (!lua_isnoneornil(L, 3)) {
    constexpr std::string_view kKnown[] = {"unless_exists"};
    check_options(L, 3, kKnown, "create");
    const std::string condition = option(L, 3, "unless_exists");
    if (!condition.empty()) entry.conditions.emplace_back("ifNoneExist", condition);
  }
  entry.resource = resource_argument(L, *transaction.box, 2, "create");
  entry.method = "POST";
  entry.url = transaction.box->read().node(entry.resource).member("resourceType").text();
  entry.full_url = next_reference(LuaRuntime::of(L).session());
  return add_entry(L, transaction, entry);
}

int update(lua_State* L) {
  TransactionObject& transaction = transaction_self(L);
  Entry entry;
  entry.method = "PUT";
  entry.url = text_value(L, 3, "the url of update").value_or("");
  entry.resource = resource_argument(L, *transaction.box, 2, "update");
  const std::string type =
      transaction.box->read().node(entry.resource).member("resourceType").text();
  if (!entry.url.starts_with(type + "?") && !entry.url.starts_with(type + "/")) {
    throw ScriptError("L240", "update takes where the resource is, \"" + type +
                                  "?identifier=system|value\" or \"" + type + "/12\", not '" +
                                  entry.url.substr(0, 100) + "'");
  }
  entry.full_url = next_reference(LuaRuntime::of(L).session());
  return add_entry(L, transaction, entry);
}

int add(lua_State* L) {
  TransactionObject& transaction = transaction_self(L);
  constexpr std::string_view kKnown[] = {
      "method",        "url",      "resource",      "full_url",
      "unless_exists", "if_match", "if_none_match", "if_modified_since"};
  check_options(L, 2, kKnown, "add");
  Entry entry;
  entry.method = option(L, 2, "method");
  entry.url = option(L, 2, "url");
  if (entry.method.empty() || entry.url.empty()) {
    throw ScriptError("L240", "add needs method and url: { method = \"DELETE\", url = \"…\" }");
  }
  constexpr std::pair<const char*, const char*> kConditions[] = {
      {"if_none_match", "ifNoneMatch"},
      {"if_modified_since", "ifModifiedSince"},
      {"if_match", "ifMatch"},
      {"unless_exists", "ifNoneExist"}};
  for (const auto& [name, element] : kConditions) {
    const std::string text = option(L, 2, name);
    if (!text.empty()) entry.conditions.emplace_back(element, text);
  }
  if (lua_getfield(L, 2, "resource") != LUA_TNIL) {
    entry.resource = resource_argument(L, *transaction.box, lua_gettop(L), "add");
  }
  entry.full_url = option(L, 2, "full_url");
  if (entry.full_url.empty() && entry.resource != kNone) {
    entry.full_url = next_reference(LuaRuntime::of(L).session());
  }
  return add_entry(L, transaction, entry);
}

int encode(lua_State* L) {
  transaction_self(L);
  const lua_Integer indent = luaL_optinteger(L, 2, 0);
  push(L, json_text(L, 1, indent < 0 || indent > 8 ? 2 : static_cast<int>(indent)));
  return 1;
}

int to_string(lua_State* L) {
  lua_settop(L, 1);
  return encode(L);
}

int document(lua_State* L) {
  TransactionObject& transaction = transaction_self(L);
  const Node bundle = transaction.box->read().node(transaction.bundle);
  const NodeId copied = transaction.box->read().copy(bundle);
  Session& session = LuaRuntime::of(L).session();
  charge(L, session, *transaction.box);
  push_document(L, session, *transaction.box, copied).arranged = transaction.box->edits + 1;
  return 1;
}

int count(lua_State* L) {
  TransactionObject& transaction = transaction_self(L);
  const Node entries = transaction.box->read().node(transaction.entries);
  lua_pushinteger(L, static_cast<lua_Integer>(entries.size()));
  return 1;
}

int length(lua_State* L) {
  lua_settop(L, 1);
  return count(L);
}

constexpr Binding kTransactionMembers[] = {
    {"create", "(resource: Document|table, options?: { unless_exists: string }): Reference",
     "Adds a resource to be created; with `unless_exists = \"identifier=system|value\"` only when "
     "the server finds none by that search. Gives a reference to it for other resources.",
     &guarded<create>},
    {"update", "(resource: Document|table, url: string): Reference",
     "Adds a resource to be written at `\"Patient/12\"`, or where the server finds the one of "
     "`\"Patient?identifier=system|value\"`.",
     &guarded<update>},
    {"add", "(entry: table): Reference",
     "Adds any entry: `method` and `url`, and as wanted `resource`, `full_url`, `unless_exists`, "
     "`if_match`, `if_none_match`, `if_modified_since`.",
     &guarded<add>},
    {"count", "(): integer", "How many entries there are.", &guarded<count>},
    {"encode", "(indent?: integer): string", "JSON text.", &guarded<encode>},
    {"document", "(): Document", "A copy as a Document.", &guarded<document>},
};

int index_transaction(lua_State* L) {
  transaction_self(L);
  const std::string_view name = lua_type(L, 2) == LUA_TSTRING ? view_at(L, 2) : "";
  const auto member = find_member(kTransactionMembers, name);
  if (!member) unknown_member("Transaction", kTransactionMembers, name);
  lua_pushcfunction(L, kTransactionMembers[*member].function);
  return 1;
}

int refuse_write(lua_State*) {
  throw ScriptError("L222",
                    "a transaction is filled by :create, :update and :add; edit the "
                    "resources before, or its :document() after");
}

}  // namespace

void arrange_again(lua_State*, DocumentObject& document) {
  if (document.arranged == 0 || document.arranged == document.box->edits + 1) return;
  Document& made = document.box->read();
  arrange_or_throw(made, document.root, type_of(made.node(document.root)));
  document.arranged = document.box->edits + 1;
}

Node transaction_bundle(const Object& object) {
  const auto& transaction = static_cast<const TransactionObject&>(object);
  return transaction.box->read().node(transaction.bundle);
}

void add_fhir_constructors(lua_State* L) {
  for (const std::string_view name : Model::r4().resources()) {
    push(L, name);
    // Lua has no pointers to const; it is only handed back.
    lua_pushlightuserdata(L, const_cast<Type*>(Model::r4().find(name)));
    lua_pushcclosure(L, &guarded<construct>, 1);
    lua_rawset(L, -3);
  }
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, &guarded<unknown_constructor>);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
}

void open_fhir_objects(lua_State* L) {
  lua_createtable(L, 0, 6);
  lua_pushcfunction(L, &guarded<index_transaction>);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, &guarded<refuse_write>);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, &guarded<to_string>);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, &guarded<length>);
  lua_setfield(L, -2, "__len");
  set_object_metatable(L, Object::Kind::transaction);
}

Library transaction_object() {
  return {"Transaction", Library::Kind::object,
          "A Bundle of type transaction under construction. It can be given to send, reply and "
          "json.encode like a Document. The `urn:uuid` of its entries come from the message's id "
          "and a counter, so a repeat of the run makes the same.",
          kTransactionMembers};
}

constexpr const char* kAboutObservation =
    "A resource of FHIR R4: <http://hl7.org/fhir/R4/resourcelist.html>. With an OBX after the "
    "table, what stands beside its value is taken from it where the table is silent: "
    "`interpretation` (OBX-8, as of `fhir.interpretation`) and `referenceRange` (OBX-7 in the unit "
    "of OBX-6, as of `fhir.range`). The value is not, for it may be doubtful: `fhir.value` says "
    "so.";

Library fhir_library() {
  static const std::vector<Binding> bindings = [] {
    std::vector<Binding> all = {
        {"transaction", "(): Transaction", "Begins a transaction.", &guarded<make_transaction>}};
    for (const auto converters : {fhir_converters(), fhir_observation_converters()}) {
      all.insert(all.end(), converters.begin(), converters.end());
    }
    for (const std::string_view name : Model::r4().resources()) {
      if (name == "Observation") {
        all.push_back({name, "(elements?: table, obx?: Segment): Document", kAboutObservation});
        continue;
      }
      all.push_back({name, "(elements?: table): Document",
                     "A resource of FHIR R4: <http://hl7.org/fhir/R4/resourcelist.html>."});
    }
    return all;
  }();
  return {"fhir", Library::Kind::table,
          "FHIR R4. A constructor takes a table of elements and gives a Document: names that R4 "
          "does not have are an error, as are texts of a wrong form; elements come in R4's order "
          "with `resourceType` first; a single value stands for a list of one; decimals given as "
          "text keep their digits; what is empty is left out. The Document can be edited by paths "
          "and gets its form again when it is sent. `fhir.date` and the others make FHIR of HL7 v2 "
          "values; nil gives nil.",
          bindings};
}

}  // namespace cannula::script
