#include "engine/script/values.h"

#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "engine/script/machine.h"
#include "engine/script/objects.h"

namespace cannula::script {

namespace {

void append_number(lua_State* L, int index, std::string& out) {
  char digits[40];
  std::to_chars_result end{};
  if (lua_isinteger(L, index) != 0) {
    end = std::to_chars(digits, digits + sizeof(digits), lua_tointeger(L, index));
  } else {
    end = std::to_chars(digits, digits + sizeof(digits), lua_tonumber(L, index));
  }
  const std::string_view text(digits, static_cast<std::size_t>(end.ptr - digits));
  out += text;
  // A float stays one: 1.0 is not 1 in Lua.
  if (lua_isinteger(L, index) == 0 && text.find_first_of(".e") == std::string_view::npos)
    out += ".0";
}

// Whether the keys of the table are 1 … n, all of them.
bool is_list(lua_State* L, int table) {
  const auto size = lua_rawlen(L, table);
  std::size_t keys = 0;
  lua_pushnil(L);
  while (lua_next(L, table) != 0) {
    lua_pop(L, 1);
    ++keys;
    if (keys > size || lua_isinteger(L, -1) == 0) {
      lua_pop(L, 1);
      return false;
    }
  }
  return keys == size && size > 0;
}

// Writes a value by the rules of a policy: `Policy::other` for what JSON does not have.
class Writer {
 public:
  Writer(lua_State* L, std::string& out, int levels, std::size_t size)
      : L_(L), out_(out), levels_(levels), limit_(out.size() + size) {}
  virtual ~Writer() = default;

  void write(int index, int level) {
    Machine::of(L_).work(L_, 4);
    luaL_checkstack(L_, 6, nullptr);
    const int at = lua_absindex(L_, index);
    if (out_.size() > limit_) return too_large();
    switch (lua_type(L_, at)) {
      case LUA_TNIL:
        out_ += "null";
        return;
      case LUA_TBOOLEAN:
        out_ += lua_toboolean(L_, at) != 0 ? "true" : "false";
        return;
      case LUA_TNUMBER:
        if (!std::isfinite(lua_tonumber(L_, at))) return other(at);
        return append_number(L_, at, out_);
      case LUA_TSTRING:
        return string(view_at(L_, at));
      case LUA_TTABLE:
        if (level >= levels_) return too_deep();
        return is_list(L_, at) ? list(at, level) : members(at, level);
      default:
        return other(at);
    }
  }

 protected:
  virtual void string(std::string_view text) = 0;
  virtual void other(int index) = 0;
  virtual void key(int index) = 0;
  virtual void too_deep() = 0;
  virtual void too_large() = 0;

  std::size_t room() const { return out_.size() > limit_ ? 0 : limit_ - out_.size(); }

  lua_State* L_;
  std::string& out_;

 private:
  void list(int table, int level) {
    out_ += '[';
    const auto size = static_cast<lua_Integer>(lua_rawlen(L_, table));
    for (lua_Integer at = 1; at <= size; ++at) {
      if (at > 1) out_ += ',';
      lua_rawgeti(L_, table, at);
      write(-1, level + 1);
      lua_pop(L_, 1);
      if (out_.size() > limit_) break;
    }
    out_ += ']';
  }

  void members(int table, int level) {
    out_ += '{';
    bool first = true;
    lua_pushnil(L_);
    while (lua_next(L_, table) != 0) {
      if (!first) out_ += ',';
      first = false;
      key(lua_absindex(L_, -2));
      out_ += ':';
      write(-1, level + 1);
      lua_pop(L_, 1);
      if (out_.size() > limit_) {
        lua_pop(L_, 1);
        break;
      }
    }
    out_ += '}';
  }

  const int levels_;
  const std::size_t limit_;
};

class StateWriter final : public Writer {
 public:
  StateWriter(lua_State* L, std::string& out, std::string_view what)
      : Writer(L, out, 16, 256u << 10), what_(what) {}

 protected:
  void string(std::string_view text) override {
    if (text.size() > room()) too_large();
    if (!tree::is_utf8(text)) fail("a string that is not UTF-8");
    append_json_string(out_, text);
  }
  void other(int index) override {
    const Object* object = object_at(L_, index);
    fail(lua_type(L_, index) == LUA_TNUMBER ? "a number that is not finite"
         : object != nullptr                ? std::string("a ") + name_of(object->kind)
                                            : std::string("a ") + luaL_typename(L_, index));
  }
  void key(int index) override {
    if (lua_type(L_, index) != LUA_TSTRING) {
      fail("a table whose keys are neither 1 … n nor all strings");
    }
    string(view_at(L_, index));
  }
  void too_deep() override { fail("tables in more than 16 levels"); }
  void too_large() override { fail("more than 256 KB"); }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    throw ScriptError(
        "L223",
        std::string(what_) + " keeps strings, numbers, booleans and tables of them, not " + found);
  }
  std::string_view what_;
};

class LogWriter final : public Writer {
 public:
  LogWriter(lua_State* L, std::string& out) : Writer(L, out, 4, 8u << 10) {}

 protected:
  void string(std::string_view text) override { append_json_string(out_, text.substr(0, room())); }
  void other(int index) override {
    const Object* object = object_at(L_, index);
    const bool masked = object != nullptr &&
                        (object->kind == Object::Kind::phi || object->kind == Object::Kind::secret);
    string(masked              ? "***"
           : object != nullptr ? std::string("(") + name_of(object->kind) + ")"
                               : std::string("(") + luaL_typename(L_, index) + ")");
  }
  void key(int index) override {
    if (lua_type(L_, index) == LUA_TSTRING) return string(view_at(L_, index));
    if (lua_isinteger(L_, index) != 0) return string(std::to_string(lua_tointeger(L_, index)));
    other(index);
  }
  void too_deep() override { out_ += "\"…\""; }
  void too_large() override { out_ += "null"; }
};

// Builds the Lua value of a JSON text while it is read.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(lua_State* L) : L_(L) {}
  bool null() override {
    lua_pushnil(L_);
    return add();
  }
  bool boolean(bool value) override {
    lua_pushboolean(L_, value);
    return add();
  }
  bool number_integer(number_integer_t value) override {
    lua_pushinteger(L_, value);
    return add();
  }
  bool number_unsigned(number_unsigned_t value) override {
    lua_pushinteger(L_, static_cast<lua_Integer>(value));
    return add();
  }
  bool number_float(number_float_t value, const string_t&) override {
    lua_pushnumber(L_, value);
    return add();
  }
  bool string(string_t& value) override {
    push(L_, value);
    return add();
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(-1); }
  bool key(string_t& value) override {
    push(L_, value);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(0); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool open(lua_Integer kind) {
    luaL_checkstack(L_, 4, nullptr);
    lua_newtable(L_);
    open_.push_back(kind);
    return true;
  }
  bool close() {
    open_.pop_back();
    return add();
  }
  // Puts the value on top into the table or list around it.
  bool add() {
    if (open_.empty()) return true;
    if (open_.back() < 0) {
      lua_rawset(L_, -3);
    } else {
      lua_rawseti(L_, -2, ++open_.back());
    }
    return true;
  }

  lua_State* L_;
  std::vector<lua_Integer> open_;  // for a list, its last index; -1 for an object
};

}  // namespace

std::string state_json(lua_State* L, int index, std::string_view what) {
  std::string out;
  StateWriter(L, out, what).write(index, 0);
  return out;
}

void append_log_json(lua_State* L, int index, std::string& out) {
  LogWriter(L, out).write(index, 0);
}

void push_json(lua_State* L, std::string_view json) {
  Builder builder(L);
  if (!nlohmann::json::sax_parse(json, &builder)) {
    throw ScriptError("L223", "what the channel's state holds here is not JSON");
  }
}

}  // namespace cannula::script
