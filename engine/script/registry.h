// Every name that a script finds: one table a library, from which the functions are registered and
// the type file and the reference page are written (reference.h).
#pragma once

#include <span>
#include <string_view>

#include "engine/script/lua_api.h"

namespace cannula::script {

struct Binding {
  std::string_view name;
  // "(destination: string, payload: Message|string, options?: SendOptions): boolean"; of a value
  // that is not a function, its type: "string".
  std::string_view signature;
  std::string_view description;      // Markdown, a sentence or more
  lua_CFunction function = nullptr;  // null: a value, or made elsewhere
};

struct Library {
  enum class Kind {
    globals,  // names of their own
    table,    // members of a global table
    object,   // members of values that functions give: called with a colon
  };
  std::string_view name;  // of the table or the object; of globals, a heading
  Kind kind = Kind::table;
  std::string_view description;
  std::span<const Binding> bindings;
  bool standard = false;  // Lua's own, as its manual says, with the differences described here
};

Library base_library();
Library coroutine_library();
Library string_library();
Library table_library();
Library outcome_library();
Library log_library();
Library print_library();
Library time_library();
Library state_library();
Library document_object();
Library document_node_object();
Library request_object();
Library json_library();
Library fhir_library();
Library transaction_object();
Library hl7_library();
Library message_object();
Library segment_object();
Library node_object();
Library group_object();
Library response_object();
Library lookup_library();
Library reply_library();
Library row_object();
Library rules_library();
Library verdict_object();

std::span<const Library> libraries();  // all of them, in the order of the reference page

}  // namespace cannula::script
