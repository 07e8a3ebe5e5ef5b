// Where a Document or DocumentNode stands, and how a place is read and written: for their keys and
// for their methods.
#pragma once

#include <string_view>

#include "engine/script/document_objects.h"
#include "parsers/tree/path.h"

namespace cannula::script {

// Where a Document or DocumentNode reads and writes.
struct DocumentPlace {
  DocumentBox* box;
  tree::NodeId base;      // kNone: the box's root
  tree::NodeId id;        // kNone: nothing stands there
  std::string_view path;  // below base, of what is not there

  tree::Node node() const { return id == tree::kNone ? tree::Node() : box->read().node(id); }
};

// The root of the box where none is named.
tree::NodeId root_of(DocumentBox& box, tree::NodeId root);
// Looks where the object's path leads when nothing stood there the last time.
DocumentPlace place_of(DocumentNodeObject& object);
// Of the Document or DocumentNode at index 1.
DocumentPlace own_place(lua_State* L);

// Throws L220.
tree::Path document_path(std::string_view text);
// The string at `index`; throws L220 when it is none.
std::string_view document_path_argument(lua_State* L, int index);

void push_node(lua_State* L, DocumentBox& box, tree::NodeId id, tree::NodeId base = tree::kNone,
               std::string_view path = {});
// A scalar as its text, nil for null and nothing, JSON of a container.
void push_text(lua_State* L, tree::Node node);
// Looking along a list or an object passes what stands before.
void count_work(lua_State* L, tree::Node node);
// Writes the value at stack index `value` to a path below the place; nil removes. Throws L222.
void write_document(lua_State* L, const DocumentPlace& place, const tree::Path& path, int value);

}  // namespace cannula::script
