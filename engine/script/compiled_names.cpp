#include "engine/script/compiled_names.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cannula::script {
namespace {

// Compiled code as lua_dump writes it (ldump.c, lundump.h) and its instructions (lopcodes.h), of
// Lua 5.4.0 to 5.4.6: numbers in seven-bit groups, the last one marked, and strings by their size
// + 1.
constexpr std::string_view kHeader(
    "\x1BLua\x54\x00\x19\x93\r\n\x1A\n\x04\x08\x08"
    "\x78\x56\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x28\x77\x40",
    31);
constexpr std::size_t kDeepest = 220;  // functions inside each other: more than Lua's limit

enum Tag : std::uint8_t {
  nil = 0x00,
  no = 0x01,
  integer = 0x03,
  text = 0x04,
  yes = 0x11,
  number = 0x13,
  long_text = 0x14
};
enum Operation : std::uint8_t {
  load_constant = 3,
  get_upvalue = 9,
  get_global = 11,
  get_table = 12,
  get_field = 14,
  set_global = 15,
  jump = 56,
  call = 68,
  tail_call = 69
};

struct Instruction {
  std::uint32_t word;
  std::uint8_t operation() const { return word & 0x7F; }
  std::uint8_t a() const { return (word >> 7) & 0xFF; }
  std::uint8_t b() const { return (word >> 16) & 0xFF; }
  std::uint8_t c() const { return word >> 24; }
  std::uint32_t bx() const { return word >> 15; }
};

class Code {
 public:
  explicit Code(std::string_view dump) : rest_(dump) {}

  bool read(CompiledNames& names) {
    if (!rest_.starts_with(kHeader)) return false;
    rest_.remove_prefix(kHeader.size());
    byte();  // upvalues of the main chunk: _ENV, which is the globals
    read_function({}, true, 0, names);
    return !broken_;
  }

 private:
  struct Function {
    std::vector<Instruction> code;
    std::vector<std::optional<std::string>> constants;  // the strings among them
    std::vector<bool> globals;                          // of each upvalue: whether it is _ENV
    // `line` is a place in the code until it is known.
    std::vector<CompiledNames::Read> reads;
    std::vector<CompiledNames::Call> calls;
  };

  std::string_view bytes(std::size_t count) {
    if (count > rest_.size()) broken_ = true;
    if (broken_) return {};
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::uint8_t byte() {
    const std::string_view one = bytes(1);
    return one.empty() ? 0 : static_cast<std::uint8_t>(one.front());
  }
  std::size_t size() {
    std::size_t value = 0;
    while (!broken_) {
      const std::uint8_t next = byte();
      if (value >> 56 != 0) broken_ = true;
      value = value << 7 | (next & 0x7F);
      if ((next & 0x80) != 0) break;
    }
    return value;
  }
  // How many things follow, each of at least a byte.
  std::size_t count() {
    const std::size_t value = size();
    if (value > rest_.size()) broken_ = true;
    return broken_ ? 0 : value;
  }
  std::optional<std::string> string() {
    const std::size_t length = size();
    if (length == 0) return std::nullopt;
    return std::string(bytes(length - 1));
  }

  void read_function(const std::vector<bool>& outer, bool is_main, std::size_t depth,
                     CompiledNames& names) {
    if (depth > kDeepest) broken_ = true;
    if (broken_) return;
    string();  // the source's name
    const std::size_t first_line = size();
    size();    // the last line
    bytes(3);  // parameters, varargs, registers
    Function function;
    read_code(function);
    read_constants(function, names);
    for (std::size_t i = 0, upvalues = count(); i < upvalues; ++i) {
      const bool in_stack = byte() != 0;
      const std::uint8_t index = byte();
      byte();
      function.globals.push_back(is_main || (!in_stack && index < outer.size() && outer[index]));
    }
    find_names(function, names);
    CompiledNames inner;
    for (std::size_t i = 0, functions = count(); i < functions && !broken_; ++i) {
      read_function(function.globals, false, depth + 1, inner);
    }
    read_lines(function, first_line);
    std::move(function.reads.begin(), function.reads.end(), std::back_inserter(names.reads));
    std::move(inner.reads.begin(), inner.reads.end(), std::back_inserter(names.reads));
    std::move(function.calls.begin(), function.calls.end(), std::back_inserter(names.calls));
    std::move(inner.calls.begin(), inner.calls.end(), std::back_inserter(names.calls));
    std::move(inner.written.begin(), inner.written.end(), std::back_inserter(names.written));
    std::move(inner.texts.begin(), inner.texts.end(), std::back_inserter(names.texts));
  }

  void read_code(Function& function) {
    const std::string_view code = bytes(count() * sizeof(Instruction));
    function.code.resize(code.size() / sizeof(Instruction));
    if (!code.empty()) std::memcpy(function.code.data(), code.data(), code.size());
  }

  void read_constants(Function& function, CompiledNames& names) {
    for (std::size_t i = 0, constants = count(); i < constants && !broken_; ++i) {
      std::optional<std::string> constant;
      switch (byte()) {
        case Tag::nil:
        case Tag::no:
        case Tag::yes:
          break;
        case Tag::integer:
        case Tag::number:
          bytes(8);
          break;
        case Tag::text:
        case Tag::long_text:
          constant = string();
          break;
        default:
          broken_ = true;
      }
      if (constant) names.texts.push_back(*constant);
      function.constants.push_back(std::move(constant));
    }
  }

  // _ENV.name is one instruction; where a function has more constants than its operands can tell
  // apart, _ENV comes into a register first, and the name perhaps as well.
  static void find_names(Function& function, CompiledNames& names) {
    const auto& code = function.code;
    const auto constant = [&](std::size_t index) { return text_at(function, index); };
    const auto is_globals = [&](std::uint8_t upvalue) {
      return upvalue < function.globals.size() && function.globals[upvalue];
    };
    for (std::size_t at = 0; at < code.size(); ++at) {
      const Instruction now = code[at];
      const std::string* name = nullptr;
      std::size_t last = at;  // of the instructions that read it
      if (now.operation() == Operation::get_global && is_globals(now.b())) {
        name = constant(now.c());
      } else if (now.operation() == Operation::set_global && is_globals(now.a())) {
        if (const std::string* written = constant(now.b())) names.written.push_back(*written);
      } else if (now.operation() == Operation::get_upvalue && is_globals(now.b()) &&
                 at + 2 < code.size()) {
        const Instruction next = code[at + 1], then = code[at + 2];
        if (next.operation() == Operation::get_field && next.b() == now.a()) {
          name = constant(next.c());
          last = at + 1;
        } else if (next.operation() == Operation::load_constant &&
                   then.operation() == Operation::get_table && then.b() == now.a() &&
                   then.c() == next.a()) {
          name = constant(next.bx());
          last = at + 2;
        }
      }
      if (!name) continue;
      function.reads.push_back({*name, at});
      find_call(function, *name, last);
    }
  }

  static const std::string* text_at(const Function& function, std::size_t index) {
    return index < function.constants.size() && function.constants[index]
               ? &*function.constants[index]
               : nullptr;
  }

  // A function lies in a register with its arguments in those behind it: it, or its member, comes
  // there, then the text, and nothing else before the call. What is not so plain is passed over.
  static void find_call(Function& function, std::string name, std::size_t read) {
    const auto& code = function.code;
    const std::uint8_t callee = code[read].a();
    const auto at = [&](std::size_t index) {
      return index < code.size() ? code[index] : Instruction{0};
    };
    std::size_t next = read + 1;
    if (at(next).operation() == Operation::get_field && at(next).a() == callee &&
        at(next).b() == callee) {
      const std::string* member = text_at(function, at(next).c());
      if (member == nullptr) return;
      name += "." + *member;
      ++next;
    }
    if (at(next).operation() != Operation::load_constant || at(next).a() != callee + 1) return;
    const std::string* text = text_at(function, at(next).bx());
    if (text == nullptr) return;
    for (std::size_t i = next + 1; i < code.size(); ++i) {
      const std::uint8_t operation = code[i].operation();
      if (operation == Operation::jump) continue;  // has no register
      const bool calls = operation == Operation::call || operation == Operation::tail_call;
      if (calls && code[i].a() == callee) {
        function.calls.push_back({std::move(name), *text, next});
        return;
      }
      if (calls && code[i].a() < callee) return;  // it is an argument itself
      if (code[i].a() == callee || code[i].a() == callee + 1) return;
    }
  }

  // The debug information: lines as steps from instruction to instruction, or outright where a step
  // would be too large; then the names of locals and upvalues.
  void read_lines(Function& function, std::size_t first_line) {
    constexpr std::int8_t kOutright = -0x80;
    const std::string_view steps = bytes(count());
    std::vector<std::size_t> outright;
    for (std::size_t i = 0, lines = count(); i < lines; ++i) {
      size();
      outright.push_back(size());
    }
    std::size_t line = first_line, next = 0;
    auto read = function.reads.begin();
    auto call = function.calls.begin();
    for (std::size_t at = 0; at < steps.size(); ++at) {
      const auto step = static_cast<std::int8_t>(steps[at]);
      if (step == kOutright && next < outright.size()) {
        line = outright[next++];
      } else {
        line += static_cast<std::size_t>(static_cast<std::ptrdiff_t>(step));
      }
      for (; read != function.reads.end() && read->line == at; ++read) read->line = line;
      for (; call != function.calls.end() && call->line == at; ++call) call->line = line;
    }
    for (std::size_t i = 0, locals = count(); i < locals; ++i) {
      string();
      size();
      size();
    }
    for (std::size_t i = 0, upvalues = count(); i < upvalues; ++i) string();
  }

  std::string_view rest_;
  bool broken_ = false;
};

int append(lua_State*, const void* bytes, std::size_t size, void* into) {
  static_cast<std::string*>(into)->append(static_cast<const char*>(bytes), size);
  return 0;
}

}  // namespace

std::optional<CompiledNames> compiled_names(lua_State* L) {
  std::string dump;
  if (lua_dump(L, &append, &dump, 0) != 0) return std::nullopt;
  CompiledNames names;
  if (!Code(dump).read(names)) return std::nullopt;
  const auto same = [](const auto& a, const auto& b) {
    return a.line == b.line && a.name == b.name;
  };
  std::stable_sort(names.reads.begin(), names.reads.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  names.reads.erase(std::unique(names.reads.begin(), names.reads.end(), same), names.reads.end());
  return names;
}

}  // namespace cannula::script
