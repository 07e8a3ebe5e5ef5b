// lookup and lookup.must: the mapping tables that clinical staff keep.
#include <chrono>
#include <string>
#include <vector>

#include "engine/script/lua_api.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/objects.h"
#include "engine/script/places.h"
#include "engine/script/registry.h"
#include "engine/script/rules_objects.h"
#include "engine/script/sandbox.h"
#include "engine/script/trace.h"
#include "engine/script/values.h"
#include "rules/tables/table.h"

namespace cannula::script {

namespace {

constexpr std::size_t kMostMisses = 1000;  // of one run
constexpr std::size_t kLongestKey = 256;   // bytes kept of the key of a miss

// Valid while its run lasts: the session holds the tables that it began with.
struct RowObject : Object {
  const tables::Table* table;
  std::uint32_t number;
};

const tables::Table& table_argument(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    throw ScriptError("L230", std::string("lookup takes the name of a table first, not a ") +
                                  luaL_typename(L, 1));
  }
  const auto& known = LuaRuntime::of(L).session().resources->tables;
  const auto found = known.find(view_at(L, 1));
  if (found != known.end()) return *found->second;
  std::vector<std::string_view> names;
  names.reserve(known.size());
  for (const auto& [name, table] : known) names.push_back(name);
  const std::string wanted(view_at(L, 1).substr(0, 60));
  throw ScriptError("L230", "there is no table '" + wanted + "'" + did_you_mean(wanted, names) +
                                ": tables are the files tables/NAME.csv of the site");
}

// The parts of the key: a text, or a list of texts for a table with several key columns. The views
// live while the argument does. A part that is nil or empty is empty.
std::vector<std::string_view> key_argument(lua_State* L, const tables::Table& table) {
  const std::size_t wanted = table.key_columns().size();
  std::vector<std::string_view> parts;
  if (lua_type(L, 2) == LUA_TTABLE) {
    for (std::size_t part = 1; part <= wanted; ++part) {
      lua_rawgeti(L, 2, static_cast<lua_Integer>(part));
      // A number becomes a string in the table itself, so that the view stays good.
      if (lua_type(L, -1) == LUA_TNUMBER) {
        lua_tolstring(L, -1, nullptr);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, static_cast<lua_Integer>(part));
      }
      parts.push_back(text_value(L, -1, "a part of the key of lookup").value_or(""));
      lua_pop(L, 1);
    }
    lua_rawgeti(L, 2, static_cast<lua_Integer>(wanted) + 1);
    const bool too_many = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!too_many) return parts;
  } else {
    parts.push_back(text_value(L, 2, "the key of lookup").value_or(""));
    if (wanted == 1) return parts;
  }
  std::string columns;
  for (const std::size_t column : table.key_columns()) {
    columns += (columns.empty() ? "" : ", ") + table.columns()[column];
  }
  throw ScriptError("L231", "a row of '" + table.name() + "' is found by " +
                                (wanted == 1 ? "one column" : std::to_string(wanted) + " columns") +
                                ", " + columns + ": give " +
                                (wanted == 1 ? "one text" : "a list of that many texts"));
}

std::string joined(const std::vector<std::string_view>& parts) {
  std::string text;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (part > 0) text += tables::kKeySeparator;
    text += parts[part];
  }
  return text;
}

std::string text_option(lua_State* L) {
  if (lua_isnoneornil(L, 3)) return {};
  if (lua_type(L, 3) != LUA_TTABLE) {
    throw ScriptError("L231",
                      std::string("lookup takes its options as a table, { text = … }, not a ") +
                          luaL_typename(L, 3));
  }
  lua_getfield(L, 3, "text");
  std::string text(
      text_value(L, -1, "the option 'text' of lookup").value_or("").substr(0, kLongestKey));
  lua_pop(L, 1);
  return text;
}

// The value a phi holds is not shown.
bool is_phi(lua_State* L, int index) {
  const Object* object = object_at(L, index);
  return object != nullptr && object->kind == Object::Kind::phi;
}

void trace_lookup(lua_State* L, const tables::Table& table, std::string_view key,
                  const std::optional<tables::Row>& row) {
  std::string line;
  line.reserve(256);
  line += ",\"lookup\":{\"table\":";
  append_json_string(line, table.name());
  line += ",\"key\":";
  append_json_string(line, is_phi(L, 2) ? "***" : key);
  if (!row) {
    line += ",\"row\":null}}";
  } else {
    line += ",\"line\":" + std::to_string(row->line()) + ",\"row\":{";
    bool first = true;
    for (std::size_t column = 0; column < table.columns().size(); ++column) {
      if (row->at(column).empty()) continue;
      if (!std::exchange(first, false)) line += ',';
      append_json_string(line, table.columns()[column]);
      line += ':';
      append_json_string(line, row->at(column));
    }
    line += "}}}";
  }
  add_trace(L, line);
}

void note_miss(lua_State* L, const tables::Table& table, std::string_view key) {
  Session& session = LuaRuntime::of(L).session();
  Miss miss{table.name(), std::string(key.substr(0, kLongestKey)), text_option(L)};
  for (const Miss& known : session.misses) {
    if (known.table == miss.table && known.key == miss.key) return;
  }
  if (session.misses.size() >= kMostMisses) return;
  charge(L, session, sizeof(Miss) + miss.key.size() + miss.text.size());
  session.misses.push_back(std::move(miss));
}

// Pushes the row, or notes the miss and pushes nil.
bool look_up(lua_State* L) {
  const tables::Table& table = table_argument(L);
  const std::vector<std::string_view> parts = key_argument(L, table);
  Session& session = LuaRuntime::of(L).session();
  const auto day = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(session.now)));
  const auto row = table.find(parts, day);
  const std::string key = joined(parts);
  trace_lookup(L, table, key, row);
  if (!row) {
    note_miss(L, table, key);
    lua_pushnil(L);
    return false;
  }
  auto* object =
      static_cast<RowObject*>(new_object(L, Object::Kind::row, sizeof(RowObject), session.serial));
  object->table = &table;
  object->number = static_cast<std::uint32_t>(row->number());
  return true;
}

int lookup(lua_State* L) {
  lua_remove(L, 1);  // the table that was called
  look_up(L);
  return 1;
}

int must(lua_State* L) {
  if (look_up(L)) return 1;
  Session& session = LuaRuntime::of(L).session();
  std::string key = session.misses.empty() || is_phi(L, 2) ? "" : session.misses.back().key;
  std::replace(key.begin(), key.end(), tables::kKeySeparator, '|');
  session.end = Conclusion::Kind::parked;
  session.until_mapped = true;
  session.end_reason = "waits for a row in table " + std::string(view_at(L, 1)) +
                       (key.empty() ? "" : " for '" + key + "'");
  Machine::of(L).stop(L, Machine::Stop::ended, "");
}

int index_row(lua_State* L) {
  const RowObject& row = checked_object<RowObject>(L, 1, Object::Kind::row);
  if (lua_type(L, 2) != LUA_TSTRING)
    throw ScriptError("L232", "a row is read by column: row.loinc");
  const std::string_view name = view_at(L, 2);
  const auto cell = row.table->row(row.number).get(name);
  if (!cell) {
    const auto columns = row.table->columns();
    const std::vector<std::string_view> names(columns.begin(), columns.end());
    std::string list;
    for (const std::string_view known : names)
      list += (list.empty() ? "" : ", ") + std::string(known);
    throw ScriptError("L232", "the table '" + row.table->name() + "' has no column '" +
                                  std::string(name.substr(0, 60)) + "'" +
                                  did_you_mean(name, names) + "; it has " + list);
  }
  if (cell->empty()) {
    lua_pushnil(L);
  } else {
    push(L, *cell);
  }
  return 1;
}

int refuse_write(lua_State*) {
  throw ScriptError("L232",
                    "a row of a table cannot be written: its file belongs to the clinic's staff");
}

int row_text(lua_State* L) {
  const RowObject& row = checked_object<RowObject>(L, 1, Object::Kind::row);
  push(L, row.table->name() + ".csv:" + std::to_string(row.table->row(row.number).line()));
  return 1;
}

constexpr Binding kBindings[] = {
    {"lookup", "(table: string, key: string|string[], options?: LookupOptions): Row?",
     "The row of a mapping table, `tables/NAME.csv`, that is active today. `key` is a text, or a "
     "list "
     "of texts where the table has several key columns. nil when there is none: that is counted on "
     "the worklist (`cannula table unmapped`), with the option `text`, the code's local name, "
     "beside "
     "it."},
    {"lookup.must", "(table: string, key: string|string[], options?: LookupOptions): Row",
     "The same, but a miss parks the message; it runs again by itself when the row is there."},
};

}  // namespace

void open_lookup(lua_State* L) {
  open_object(L, Object::Kind::row, &guarded<index_row>, &guarded<refuse_write>,
              &guarded<row_text>);

  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, &guarded<must>);
  lua_setfield(L, -2, "must");
  protect_callable(L, &guarded<lookup>, "lookup");
}

Library lookup_library() {
  return {"Tables", Library::Kind::globals,
          "Mapping tables are CSV files that clinical staff keep.", kBindings};
}

Library row_object() {
  return {
      "Row",
      Library::Kind::object,
      "A row of a mapping table: `row.loinc` is the text of a column, nil when the cell is empty. "
      "A column that the table does not have is an error.",
      {}};
}

}  // namespace cannula::script
