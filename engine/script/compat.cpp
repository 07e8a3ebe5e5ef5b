#include "engine/script/compat.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "engine/script/lua_runtime.h"
#include "engine/script/sandbox.h"
#include "parsers/hl7v2/dictionary/dictionary.h"

namespace cannula::script {

namespace {

const hl7v2::Dictionary& dictionary_argument(lua_State* L, int index) {
  const auto version = hl7v2::version_of(string_argument(L, index));
  return hl7v2::dictionary(version.value_or(hl7v2::Version::v2_5_1));
}

// field_repeats(version, segment, field): false also for what the standard does not know.
int field_repeats(lua_State* L) {
  const auto* segment = dictionary_argument(L, 1).segment(string_argument(L, 2));
  const lua_Integer number = luaL_checkinteger(L, 3);
  const auto* field = segment == nullptr || number < 1 || number > 1000
                          ? nullptr
                          : segment->field(static_cast<std::uint32_t>(number));
  lua_pushboolean(L, field != nullptr && field->repetitions != 1);
  return 1;
}

// Whether a segment may repeat where it stands: in the group, or outside of all where `group` is
// empty. By the structure's definition: "MSH [{NK1}] {ORDER: ORC [{NTE}]}".
bool repeats_in(std::string_view definition, std::string_view group, std::string_view segment) {
  struct Bracket {
    bool repeats;
    std::string_view group;
  };
  std::vector<Bracket> open = {{false, ""}};
  for (std::size_t at = 0; at < definition.size();) {
    const char letter = definition[at];
    if (letter == '{' || letter == '[') open.push_back({letter == '{', ""});
    if ((letter == '}' || letter == ']') && open.size() > 1) open.pop_back();
    const std::size_t end = std::min(definition.find_first_of("{}[] ", at), definition.size());
    const std::string_view word = definition.substr(at, end - at);
    at = std::max(end, at + 1);
    if (word.ends_with(':')) {
      open.back().group = word.substr(0, word.size() - 1);
    } else if (word == segment) {
      bool repeats = false;
      std::size_t inner = open.size();
      while (inner > 1 && open[inner - 1].group.empty()) repeats |= open[--inner].repeats;
      if (open[inner - 1].group == group && repeats) return true;
    }
  }
  return false;
}

// segment_repeats(version, structure, group, segment)
int segment_repeats(lua_State* L) {
  const auto* structure = dictionary_argument(L, 1).structure(string_argument(L, 2));
  lua_pushboolean(
      L, structure != nullptr &&
             repeats_in(structure->definition, string_argument(L, 3), string_argument(L, 4)));
  return 1;
}

}  // namespace

std::span<const BuiltInModule> built_in_modules() {
  static const std::array kModules = {BuiltInModule{"compat.iguana", kCompatIguana},
                                      BuiltInModule{"compat.mirth", kCompatMirth}};
  return kModules;
}

const BuiltInModule* find_built_in_module(std::string_view name) {
  for (const BuiltInModule& module : built_in_modules()) {
    if (module.name == name) return &module;
  }
  return nullptr;
}

void push_module_support(lua_State* L) {
  const Program& program = LuaRuntime::of(L).program();
  lua_createtable(L, 0, 6);
  push(L, program.channel);
  lua_setfield(L, -2, "channel");
  push(L, program.timezone.empty() ? "UTC" : program.timezone);
  lua_setfield(L, -2, "timezone");
  lua_createtable(L, static_cast<int>(program.destinations.size()), 0);
  lua_Integer at = 0;
  for (const std::string& name : program.destinations) {
    push(L, name);
    lua_rawseti(L, -2, ++at);
  }
  lua_setfield(L, -2, "destinations");
  lua_pushcfunction(L, &guarded<field_repeats>);
  lua_setfield(L, -2, "field_repeats");
  lua_pushcfunction(L, &guarded<segment_repeats>);
  lua_setfield(L, -2, "segment_repeats");
  // Where Iguana's string functions go, so that text:split(",") finds them.
  lua_getglobal(L, "string");
  push_behind_protection(L, -1);
  lua_remove(L, -2);
  lua_setfield(L, -2, "strings");
}

}  // namespace cannula::script
