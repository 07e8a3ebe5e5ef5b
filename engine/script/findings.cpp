#include "engine/script/findings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <set>

#include <fmt/format.h>

#include "engine/script/compiled_names.h"
#include "engine/script/lua_api.h"
#include "engine/script/modules.h"

namespace cannula::script {

namespace {

struct CloseState {
  void operator()(lua_State* L) const { lua_close(L); }
};

struct SyntaxError {
  std::size_t line = 1;
  std::string message;  // without the place
  std::string token;    // empty when Lua names none that stands in the text
};

// "script:12: '=' expected near 'x'", as luaL_loadbufferx gives it for a chunk named "=script".
SyntaxError read_syntax_error(std::string_view text) {
  SyntaxError error;
  if (text.starts_with("script:")) {
    text.remove_prefix(7);
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), error.line);
    if (failure == std::errc()) {
      text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(end - text.data()) + 2));
    }
  }
  error.message = text;
  constexpr std::string_view kNear = " near '";
  if (const auto at = text.rfind(kNear); at != std::string_view::npos && text.ends_with("'")) {
    error.token = text.substr(at + kNear.size(), text.size() - at - kNear.size() - 1);
  }
  return error;
}

std::optional<std::string> compile(lua_State* L, std::string_view text) {
  text = without_byte_order_mark(text);
  const int status = luaL_loadbufferx(L, text.data(), text.size(), "=script", "t");
  std::optional<std::string> error;
  if (status != LUA_OK) {
    error = lua_type(L, -1) == LUA_TSTRING ? std::string(view_at(L, -1)) : "it cannot be compiled";
  }
  lua_settop(L, 0);
  return error;
}

// The place of the token in its line: Lua names it, not where. Where it stands more than once, it
// is the first at which the text before and including it is already wrong in the same way.
Span place_of(lua_State* L, const Source& source, const SyntaxError& error,
              const std::string& whole_error) {
  const Span first = source.span_at(error.line, 1);
  const std::string_view line = source.line(error.line);
  if (error.token.empty() || line.find(error.token) == std::string_view::npos) return first;
  for (std::size_t at = line.find(error.token); at != std::string_view::npos;
       at = line.find(error.token, at + 1)) {
    const std::size_t end = first.begin + at + error.token.size();
    const auto found = compile(L, source.text().substr(0, end));
    if (found && *found == whole_error) return {first.begin + at, end};
  }
  const std::size_t at = line.rfind(error.token);
  return {first.begin + at, first.begin + at + error.token.size()};
}

void check_source(lua_State* L, const std::shared_ptr<const Source>& source,
                  std::vector<Diagnostic>& findings) {
  const auto whole_error = compile(L, source->text());
  if (!whole_error) return;
  const SyntaxError error = read_syntax_error(*whole_error);
  Diagnostic finding;
  finding.code = "L101";
  finding.message = error.message;
  finding.source = source;
  finding.span = place_of(L, *source, error, *whole_error);
  findings.push_back(std::move(finding));
}

bool is_name_letter(char letter) {
  return letter == '_' || std::isalnum(static_cast<unsigned char>(letter)) != 0;
}

// Whether the text could define main: looked for without understanding, so only a hint.
bool mentions_main(std::string_view text) {
  for (auto at = text.find("main"); at != std::string_view::npos; at = text.find("main", at + 1)) {
    const bool starts = at == 0 || !is_name_letter(text[at - 1]);
    const bool ends = at + 4 == text.size() || !is_name_letter(text[at + 4]);
    if (starts && ends) return true;
  }
  return false;
}

// The name as Lua shows it in messages: the end of a long one.
std::string shown_name(const Source& source) {
  const std::string& name = source.name();
  if (name.size() < LUA_IDSIZE) return name;
  return "..." + name.substr(name.size() - (LUA_IDSIZE - 4));
}

std::optional<std::size_t> line_in(std::string_view text, const Source& source) {
  const std::string start = shown_name(source) + ":";
  const auto at = text.find(start);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + start.size());
  std::size_t line = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), line);
  if (failure != std::errc()) return std::nullopt;
  return line;
}

// The first place of the name in its line where it is no member of something.
Span place_of_name(const Source& source, std::size_t line_number, std::string_view name) {
  const Span first = source.span_at(line_number, 1);
  const std::string_view line = source.line(line_number);
  for (auto at = line.find(name); at != std::string_view::npos; at = line.find(name, at + 1)) {
    const bool starts =
        at == 0 || (!is_name_letter(line[at - 1]) && line[at - 1] != '.' && line[at - 1] != ':');
    const std::size_t end = at + name.size();
    if (starts && (end == line.size() || !is_name_letter(line[end]))) {
      return {first.begin + at, first.begin + end};
    }
  }
  return first;
}

using Names = std::set<std::string, std::less<>>;

Diagnostic unknown_name(const std::shared_ptr<const Source>& source,
                        const CompiledNames::Read& read, const Names& written,
                        const std::vector<std::string>& known) {
  // What Lua 5.1 and LuaJIT have and 5.4 has not: portable code says `table.unpack or unpack`.
  static const Names kOtherLua = {"unpack", "loadstring", "setfenv", "getfenv", "module",
                                  "bit32",  "bit",        "jit",     "newproxy"};
  static const Names kRefused = {"io", "debug", "package", "dofile", "loadfile", "warn"};
  Diagnostic finding;
  finding.code = "L107";
  finding.source = source;
  finding.span = place_of_name(*source, read.line, read.name);
  finding.message = fmt::format("nothing defines the name '{}'", read.name);
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  if (kOtherLua.contains(read.name)) {
    finding.severity = Severity::warning;
    finding.message = fmt::format("'{}' is a name of another Lua and not defined here", read.name);
    finding.hint = "to read it is an error: have it behind an `or`, as in table.unpack or unpack";
  } else if (kRefused.contains(read.name)) {
    finding.hint = "scripts do not have it: see `cannula explain L203`";
  } else if (read.name == "os") {
    finding.hint =
        "scripts do not have it; for times there is `time`, for the site's settings "
        "a table or a module";
  } else if (written.contains(read.name)) {
    finding.hint = fmt::format(
        "it is assigned to only after the script is loaded, when globals can "
        "no longer be: write local {} = \u2026",
        read.name);
  } else if (const auto near = nearest(read.name, candidates)) {
    finding.hint = fmt::format("did you mean '{}'?", *near);
  } else {
    finding.hint = "define it with `local` before this line, or in the script outside of functions";
  }
  return finding;
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

constexpr std::size_t kMostFindings = 50;

struct Unit {
  std::shared_ptr<const Source> source;
  CompiledNames names;
};

// The script and its modules, as far as they can be compiled; `written`: the globals they assign
// to. A module counts once its name stands in code that does: whatever else lies in lib/ is not
// this channel's.
std::vector<Unit> units_of(const Program& program, Names& written) {
  std::vector<Unit> units;
  const std::unique_ptr<lua_State, CloseState> state(luaL_newstate());
  if (!state) return units;
  Names seen;
  std::vector<std::shared_ptr<const Source>> to_read{program.main};
  while (!to_read.empty()) {
    Unit unit{std::move(to_read.back()), {}};
    to_read.pop_back();
    const int status = load_source(state.get(), *unit.source);
    auto names = status == LUA_OK ? compiled_names(state.get()) : std::nullopt;
    lua_settop(state.get(), 0);
    if (!names) continue;
    unit.names = *std::move(names);
    for (const std::string& text : unit.names.texts) {
      const auto module = program.modules.find(text);
      if (module != program.modules.end() && seen.insert(text).second) {
        to_read.push_back(module->second);
      }
    }
    written.insert(unit.names.written.begin(), unit.names.written.end());
    units.push_back(std::move(unit));
  }
  return units;
}

// What a function takes by name.
struct Named {
  std::string_view function;
  std::string_view code;
  std::string_view what;  // "destination"
  std::string_view hint;  // when no known name is near
  bool only_in_main;
  std::vector<std::string_view> known;
};

std::vector<Named> named_kinds(const Program& program, const rules::Resources& resources) {
  const std::vector<std::string_view> destinations(program.destinations.begin(),
                                                   program.destinations.end());
  std::vector<std::string_view> tables, rule_sets;
  for (const auto& [name, table] : resources.tables) tables.push_back(name);
  for (const auto& [name, rules] : resources.rule_sets) rule_sets.push_back(name);
  constexpr std::string_view kDestination = "name it in a [[destination]] of channel.toml";
  constexpr std::string_view kTable = "tables are the files tables/NAME.csv of the site";
  constexpr std::string_view kRules = "rule sets are the files rules/NAME.rules of the site";
  return {{"send", "L212", "destination", kDestination, true, destinations},
          {"created", "L212", "destination", kDestination, true, destinations},
          {"lookup", "L230", "table", kTable, false, tables},
          {"lookup.must", "L230", "table", kTable, false, tables},
          {"rules.evaluate", "L233", "rule set", kRules, false, rule_sets}};
}

// Where the text stands in its line, in quotes; the line's begin when it is written another way.
Span place_of_text(const Source& source, std::size_t line_number, const std::string& text) {
  const Span first = source.span_at(line_number, 1);
  const std::string_view line = source.line(line_number);
  for (const char* quote : {"\"", "'"}) {
    const auto at = line.find(quote + text + quote);
    if (at == std::string_view::npos) continue;
    return {first.begin + at, first.begin + at + text.size() + 2};
  }
  return first;
}

Diagnostic unknown_argument(const std::shared_ptr<const Source>& source,
                            const CompiledNames::Call& call, const Named& kind) {
  const auto near = nearest(call.text, kind.known);
  Diagnostic finding = finding_without_place(
      std::string(kind.code),
      fmt::format("there is no {} '{}'", kind.what, call.text.substr(0, 60)),
      near ? fmt::format("did you mean '{}'?", *near) : std::string(kind.hint));
  finding.source = source;
  finding.span = place_of_text(*source, call.line, call.text);
  return finding;
}

}  // namespace

Diagnostic finding_without_place(std::string code, std::string message, std::string hint) {
  Diagnostic finding;
  finding.code = std::move(code);
  finding.message = std::move(message);
  finding.hint = std::move(hint);
  return finding;
}

Diagnostic missing_main(const std::shared_ptr<const Source>& main) {
  Diagnostic finding = finding_without_place("L102", "the script does not define main(msg)",
                                             "write: function main(msg) … end");
  finding.source = main;
  finding.span = main->span_at(1, 1);
  return finding;
}

Diagnostic failed_top_level(const Program& program, const Failure& failure) {
  Diagnostic finding = finding_without_place(
      "L103", "the top level of the script failed: " + first_line(failure.text), "");
  std::size_t nearest_place = std::string::npos;
  const auto consider = [&](const std::shared_ptr<const Source>& source) {
    const auto line = line_in(failure.text, *source);
    const std::size_t place = failure.text.find(shown_name(*source));
    if (!line || place >= nearest_place) return;
    nearest_place = place;
    finding.source = source;
    finding.span = source->span_at(*line, 1);
  };
  consider(program.main);
  for (const auto& [name, source] : program.modules) consider(source);
  return finding;
}

std::vector<Diagnostic> check(const Program& program) {
  const std::unique_ptr<lua_State, CloseState> state(luaL_newstate());
  std::vector<Diagnostic> findings;
  if (!state) return findings;
  check_source(state.get(), program.main, findings);
  for (const auto& [name, source] : program.modules) check_source(state.get(), source, findings);
  if (!has_errors(findings) && !mentions_main(program.main->text())) {
    findings.push_back(missing_main(program.main));
    findings.back().severity = Severity::warning;
  }
  return findings;
}

std::vector<Diagnostic> unknown_names(const Program& program,
                                      const std::vector<std::string>& known) {
  std::vector<Diagnostic> findings;
  const Names defined(known.begin(), known.end());
  Names written;
  const std::vector<Unit> units = units_of(program, written);
  for (const Unit& unit : units) {
    for (const CompiledNames::Read& read : unit.names.reads) {
      if (defined.contains(read.name) || findings.size() == kMostFindings) continue;
      findings.push_back(unknown_name(unit.source, read, written, known));
    }
  }
  return findings;
}

std::vector<Diagnostic> check_names(const Program& program, const rules::Resources& resources) {
  std::vector<Diagnostic> findings;
  Names written;
  const std::vector<Unit> units = units_of(program, written);
  const std::vector<Named> kinds = named_kinds(program, resources);
  for (const Unit& unit : units) {
    for (const CompiledNames::Call& call : unit.names.calls) {
      const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Named& one) {
        return one.function == call.function;
      });
      if (kind == kinds.end() || findings.size() == kMostFindings) continue;
      if (written.contains(call.function.substr(0, call.function.find('.')))) continue;
      if (kind->only_in_main && unit.source != program.main) continue;
      if (std::find(kind->known.begin(), kind->known.end(), call.text) != kind->known.end())
        continue;
      findings.push_back(unknown_argument(unit.source, call, *kind));
    }
  }
  return findings;
}

std::variant<std::unique_ptr<Runtime>, std::vector<Diagnostic>> Runtime::load(
    std::shared_ptr<const Program> program, const Limits& limits, Host& host, MemoryPool& pool) {
  std::unique_ptr<LuaRuntime> runtime;
  try {
    runtime = std::make_unique<LuaRuntime>(std::move(program), limits, host, pool);
  } catch (const std::bad_alloc&) {
    return std::vector{finding_without_place(
        "L106", "the script's state cannot be made: no memory is left for it",
        "Raise the memory limit of the channel, or that of all scripts together.")};
  }
  std::vector<Diagnostic> findings = runtime->start();
  if (!findings.empty()) return findings;
  return std::unique_ptr<Runtime>(std::move(runtime));
}

}  // namespace cannula::script
