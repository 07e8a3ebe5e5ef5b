// Document and DocumentNode objects: JSON in a script's hands, and Lua values as JSON and back.
#pragma once

#include <string>

#include "engine/script/objects.h"
#include "parsers/tree/document.h"

namespace cannula::script {

// A whole document: a tree in a box. `root` is kNone where it is the box's own root, which may not
// be there yet.
struct DocumentObject : Object {
  DocumentBox* box;
  tree::NodeId root;
  std::uint64_t arranged;  // DocumentBox::edits + 1 when FHIR's form was given; 0: it is not FHIR
  // Its tree is all that stands between these ids as long as DocumentBox::edits is the same; end 0:
  // that is not known.
  struct Made {
    tree::NodeId first;
    tree::NodeId end;
    std::uint64_t edits;
  } made;
};

// A place in a document. What is not there is a place too: it reads as empty, and set() makes it.
struct DocumentNodeObject : Object {
  DocumentBox* box;
  tree::NodeId id;    // kNone: look for path() below base
  tree::NodeId base;  // kNone: the box's root
  std::uint32_t size;
  std::string_view path() const { return {reinterpret_cast<const char*>(this + 1), size}; }
};

void open_document_objects(lua_State* L);

DocumentObject& push_document(lua_State* L, Session& session, DocumentBox& box,
                              tree::NodeId root = tree::kNone);
// The box of what the run makes itself.
DocumentBox& made_documents(lua_State* L, Session& session);

// The node that a Document, DocumentNode or Transaction at `index` stands for; a missing one when
// something else is there, or nothing. Gives FHIR's form to a FHIR resource that was edited.
tree::Node document_argument(lua_State* L, int index);
bool is_document(lua_State* L, int index);

// The value at `index` as a detached node of the box. Tables become objects or arrays, in the order
// of their names unless `ordered` is false. nil is kNone. Throws L229, naming `what`.
tree::NodeId tree_value(lua_State* L, DocumentBox& box, int index, std::string_view what,
                        bool ordered = true);
// Pushes a node as Lua has it: tables, strings, numbers.
void push_plain(lua_State* L, tree::Node node);

// JSON of any value, as json.encode.
std::string json_text(lua_State* L, int index, int indent = 0);

// The metatable that json.array gives a table.
bool is_marked_array(lua_State* L, int index);
void open_json(lua_State* L);
void open_document_values(lua_State* L);

}  // namespace cannula::script
