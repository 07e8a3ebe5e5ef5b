// Our pattern functions answer what those of Lua 5.4 answer, on made-up texts and patterns.
#include "engine/script/pattern.h"

#include <random>

#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>

#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

// Runs pieces of Lua in a stock state.
class StockLua {
 public:
  StockLua() : state_(luaL_newstate()) { luaL_openlibs(state_); }
  StockLua(const StockLua&) = delete;
  StockLua& operator=(const StockLua&) = delete;
  ~StockLua() { lua_close(state_); }
  std::string answer(const std::string& chunk) {
    if (luaL_dostring(state_, chunk.c_str()) != LUA_OK) {
      ADD_FAILURE() << lua_tostring(state_, -1);
    }
    std::size_t size = 0;
    const char* text = lua_tolstring(state_, -1, &size);
    std::string result = text != nullptr ? std::string(text, size) : "(no text)";
    lua_settop(state_, 0);
    return result;
  }

 private:
  lua_State* state_;
};

constexpr const char* kShow = R"(
  local function show(ok, ...)
    local parts = {tostring(ok)}
    for i = 1, select('#', ...) do
      local value = select(i, ...)
      parts[#parts + 1] = type(value) .. ':' .. tostring(value):gsub('^.-%d+: ', '')
    end
    return table.concat(parts, '|')
  end
  local function walk(text, pattern, init)
    local all = {}
    for a, b in string.gmatch(text, pattern, init) do
      all[#all + 1] = tostring(a) .. '/' .. tostring(b)
      if #all > 50 then break end
    end
    return table.concat(all, ';')
  end
  local function all(text, pattern)
    return table.concat({
      show(pcall(string.find, text, pattern)), show(pcall(string.find, text, pattern, 3)),
      show(pcall(string.find, text, pattern, -2)), show(pcall(string.find, text, pattern, 1, true)),
      show(pcall(string.match, text, pattern)), show(pcall(string.match, text, pattern, 2)),
      show(pcall(walk, text, pattern)), show(pcall(walk, text, pattern, 2)),
      show(pcall(string.gsub, text, pattern, '<%0>')), show(pcall(string.gsub, text, pattern, '%1-%2', 2)),
      show(pcall(string.gsub, text, pattern, {a = 'A', b = false, ab = 7})),
      show(pcall(string.gsub, text, pattern, function(x, y) return y and tostring(x) .. tostring(y) end)),
      show(pcall(string.gsub, text, pattern, setmetatable({}, {__index = function(_, k) return k ~= 'a' and '[' .. k .. ']' end}))),
    }, '\n')
  end
)";

class PatternTest : public ScriptTest {
 protected:
  std::string ours(const std::string& chunk) {
    return sent(std::string(kShow) + "send('ehr', " + chunk + ")");
  }
  std::string stock(const std::string& chunk) {
    return stock_.answer(std::string(kShow) + "return " + chunk);
  }
  void expect_same(const std::string& chunk) { EXPECT_EQ(ours(chunk), stock(chunk)) << chunk; }
  static std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char letter : text) {
      char code[8];
      std::snprintf(code, sizeof(code), "\\%03d", static_cast<unsigned char>(letter));
      out += code;
    }
    return out + "\"";
  }
  StockLua stock_;
};

TEST_F(PatternTest, KnownPatternsAnswerAsInLua) {
  const std::pair<const char*, const char*> cases[] = {{"hello world", "o w"},
                                                       {"hello", "l+"},
                                                       {"hello", "l-"},
                                                       {"hello", "(l)(l)"},
                                                       {"hello", "()ll()"},
                                                       {"THE (quick) fox", "%((%a+)%)"},
                                                       {"THE (quick) fox", "%f[%a]%a+"},
                                                       {"x = (a(b)c) d", "%b()"},
                                                       {"key = value", "^(%w+)%s*=%s*(%w+)$"},
                                                       {"aaa", "a-$"},
                                                       {"abab", "(ab)%1"},
                                                       {"", ""},
                                                       {"", ".*"},
                                                       {"a,b,,c", "([^,]*)"},
                                                       {"[]]", "[]]"},
                                                       {"a-z", "[a%-z]+"},
                                                       {"^$", "[%^%$]"},
                                                       {"abc", "[^%a]"},
                                                       {"a.b", "a%.b"},
                                                       {"aXb", "%u"},
                                                       {"tab\there", "%s"},
                                                       {"0x1F", "%x+"},
                                                       {"über", "[\xC3\xBC]+"},
                                                       {"abc", "[a-]"},
                                                       {"a]c", "[^]]+"},
                                                       {"x", "%"},
                                                       {"x", "["},
                                                       {"x", "[a"},
                                                       {"x", "[%"},
                                                       {"x", "[^"},
                                                       {"x", "(x"},
                                                       {"x", "x)"},
                                                       {"x", "%1"},
                                                       {"xx", "(x%1)"},
                                                       {"x", "%b"},
                                                       {"x", "%bx"},
                                                       {"x", "%f"},
                                                       {"x", "%fx"},
                                                       {"x", "()%1"},
                                                       {"a\nb", "a.b"},
                                                       {"aaa", "a?a?a?a"},
                                                       {"$x$", "%$(%w)%$"},
                                                       {"a$", "a$"},
                                                       {"a$b", "a$b"},
                                                       {"^a", "^^a"},
                                                       {"a^", "a^"},
                                                       {"abc", "%z"},
                                                       {"abc", "a*?"},
                                                       {"a+", "a++"},
                                                       {"aaa", "-"},
                                                       {"ab", "a-b-"},
                                                       {"abc", "(a)(b)(c)(d?)"},
                                                       {"ab", "[b-a]"},
                                                       {"ab", "[a-%a]+"},
                                                       {"a%", "[%a-%%]"},
                                                       {"01/02", "(%d+)/(%d+)"}};
  for (const auto& [text, pattern] : cases) {
    expect_same("all(" + quoted(text) + ", " + quoted(pattern) + ")");
  }
}

TEST_F(PatternTest, MadeUpPatternsAnswerAsInLua) {
  std::mt19937 random(20260115);
  const std::string letters = "aab().%[]^$*+-?%ab01b%f%s%w,\\";
  std::string chunk;
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    std::string pattern;
    for (std::size_t size = random() % 9; size > 0; --size) text += "aab01,( )]"[random() % 10];
    for (std::size_t size = random() % 8; size > 0; --size)
      pattern += letters[random() % letters.size()];
    chunk += "all(" + quoted(text) + ", " + quoted(pattern) + ")";
    if (round % 20 != 19) {
      chunk += "..'#'..";
      continue;
    }
    expect_same(chunk);
    if (HasFailure()) return;
    chunk.clear();
  }
}

TEST_F(PatternTest, ZeroBytesAreBytesLikeOthers) {
  expect_same("all('a\\0b\\0c', '%z')");
  expect_same("all('a\\0b\\0c', 'a\\0')");
  expect_same("all('a\\0b\\0c', '[\\0]b')");
  expect_same("all('a\\0b', 'a\\0b$')");
  expect_same("all('a\\0b', '%b\\0b')");
}

TEST_F(PatternTest, ReplacementsAreCheckedAsInLua) {
  for (const char* replacement : {"'%2'", "'%'", "'%x'", "'%%'", "'%9'", "'%0%0'", "5", "1.5",
                                  "{a={}}", "function() return {} end", "function() return nil end",
                                  "function() return 5 end", "true", "nil"}) {
    expect_same(std::string("show(pcall(string.gsub, 'abc', '(a)', ") + replacement + "))");
    expect_same(std::string("show(pcall(string.gsub, 'abc', '', ") + replacement + ", 2))");
  }
}

TEST_F(PatternTest, OtherStringAndTableFunctionsAnswerAsInLua) {
  for (const char* chunk :
       {"show(('ab'):rep(3))",
        "show(('ab'):rep(3, ', '))",
        "show(('ab'):rep(0))",
        "show(('ab'):rep(-1))",
        "show((''):rep(5))",
        "show((''):rep(3, ','))",
        "show(('ab'):rep(1, 'x'))",
        "show(table.concat({1, 2.5, 'x'}, '-'))",
        "show(table.concat({}, '-'))",
        "show(table.concat({1, 2, 3}, '-', 2))",
        "show(table.concat({1, 2, 3}, '-', 2, 2))",
        "show(pcall(table.concat, {1, {}, 3}))",
        "show(table.unpack({1, 2, 3}))",
        "show(table.unpack({1, 2, 3}, 2))",
        "show(table.unpack({1, 2}, 1, 3))",
        "show(select('#', table.unpack({}, 1, 0)))",
        "show(table.pack(1, nil, 3).n)",
        "table.concat(table.move({1, 2, 3}, 1, 3, 2), ',')",
        "table.concat(table.move({1, 2, 3}, 2, 3, 1), ',')",
        "table.concat(table.move({1, 2, 3}, 1, 3, 1, {}), ',')",
        "show(pcall(table.move, {}, 1, math.maxinteger, 2))",
        "show(pcall(table.move, {}, -1, math.maxinteger, 2))",
        R"((function()
             local t = {1, 2, 3}
             table.insert(t, 4)
             table.insert(t, 1, 0)
             return table.concat(t, ',')
           end)())",
        R"((function()
             local t = {1, 2, 3}
             return show(table.remove(t), table.remove(t, 1), #t)
           end)())",
        "(function() local t = {} return show(table.remove(t), table.remove(t, 0), #t) end)()",
        "show(pcall(table.insert, {1}, 5, 1))",
        "show(pcall(table.insert, {1}, 0, 1))",
        "show(pcall(table.insert, {1}))",
        "show(pcall(table.insert, {1}, 1, 2, 3))",
        "show(pcall(table.remove, {1}, 2))",

        "(function() local t = {3, 1, 2, 5, 4} table.sort(t) return table.concat(t) end)()",
        R"((function()
             local t = {3, 1, 2, 5, 4}
             table.sort(t, function(a, b) return a > b end)
             return table.concat(t)
           end)())",
        "show(pcall(table.sort, {1, 'x'}))",
        "show('10' + 5, '3' * '4', -'2', 10 .. 20)",
        "show(tostring(nil), tostring(1.0), tostring('x'))",
        "show(tonumber('0x10'), tonumber('z', 36), tonumber('x'))",
        "show(pcall(error, 'text', 0))",
        "show(pcall(error))",
        "show(select(-1, 1, 2, 3))",
        "show(xpcall(function(a) return a end, print, 5))",
        "show(xpcall(error, function(e) return 'h' .. e end, 'x'))",
        "show(pcall(setmetatable, 1, {}))",
        "show(load('return 1 + 1')())",
        "show(load('return x', 'n', 't', {x = 5})())",
        "show(load('return ='))",
        "show(rawequal('a', 'a'), rawlen({1, 2}), rawget({a = 1}, 'a'))"}) {
    expect_same(chunk);
  }
}

TEST_F(PatternTest, CoroutinesBehaveAsInLua) {
  for (const char* chunk : {
           "show(coroutine.resume(coroutine.create(function(a, b) local c = coroutine.yield(a + b) "
           "return c end), 1, 2))",
           "(function() local co = coroutine.create(function(a) local b = coroutine.yield(a) "
           "error('x' .. b) end) "
           "return show(coroutine.resume(co, 1)) .. show(coroutine.resume(co, 2)) .. "
           "coroutine.status(co) .. show(coroutine.resume(co)) end)()",
           "(function() local f = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end "
           "end) return show(f(), f(), f(), f()) end)()",
           "(function() local f = coroutine.wrap(function() error({}) end) local ok, e = pcall(f) "
           "return type(e) end)()",
           "(function() local f = coroutine.wrap(function() error('x', 0) end) return "
           "show(pcall(f)) .. show(pcall(f)) end)()",
           "(function() local co co = coroutine.create(function() return coroutine.status(co), "
           "coroutine.running() == co, coroutine.isyieldable() end) return "
           "show(coroutine.resume(co)) end)()",
           "(function() local closed = '' local co = coroutine.create(function() local x <close> = "
           "setmetatable({}, {__close = function() closed = 'yes' end}) coroutine.yield() end) "
           "coroutine.resume(co) return show(coroutine.close(co)) .. closed .. "
           "coroutine.status(co) end)()",
           "(function() local co = coroutine.create(function() local x <close> = setmetatable({}, "
           "{__close = function() error('c', 0) end}) coroutine.yield() end) "
           "coroutine.resume(co) return show(coroutine.close(co)) end)()",
           "show(pcall(coroutine.close, coroutine.running()))",
           "(function() local co co = coroutine.create(function() return coroutine.resume(co) end) "
           "return show(coroutine.resume(co)) end)()",
           "(function() local outer = coroutine.wrap(function() local inner = "
           "coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) "
           "coroutine.yield(inner()) coroutine.yield(inner()) end) return show(outer(), outer()) "
           "end)()",
           "(function() local co = coroutine.wrap(function() return pcall(function() "
           "coroutine.yield(1) error('e', 0) end) end) return show(co()) .. show(co()) end)()",
           "(function() local co = coroutine.wrap(function() return ('ab'):gsub('.', function(c) "
           "return coroutine.yield(c) end) end) return show(co()) .. show(co('x')) end)()",
       }) {
    if (std::string_view(chunk).find("gsub('.', function(c) return coroutine") !=
        std::string_view::npos) {
      EXPECT_EQ(ours(chunk), "ab") << "where stock Lua cannot yield, we can";
      continue;
    }
    expect_same(chunk);
  }
}

TEST(Matcher, TellsItsMeterOfEveryStep) {
  class Counter final : public StepMeter {
   public:
    void spent(std::size_t steps) override {
      total += steps;
      if (total > 1'000'000) throw PatternError("enough");
    }
    std::size_t total = 0;
  } counter;
  const std::string text(1200, 'a');
  Matcher matcher(text, ".-.-.-.-b", counter);
  EXPECT_THROW(matcher.match(text.data()), PatternError);
  EXPECT_LE(counter.total, 1'020'000u);
}

}  // namespace
}  // namespace cannula::script
