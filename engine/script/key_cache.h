// What the string keys of messages and segments mean, `msg["PID-3.1"]`: worked out once a state,
// then found by the address of Lua's string, of which there is only one while it is kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/script/lua_api.h"
#include "parsers/hl7v2/path.h"
#include "parsers/tree/path.h"

namespace cannula::script {

struct Key {
  enum class Kind {
    path,     // PID-3.1
    segment,  // PID
    member,   // each, type
  };
  Kind kind = Kind::path;
  int member = 0;  // position in the object's table of members
  hl7v2::Path path;
  std::shared_ptr<const tree::Path> document_path{};  // of documents
};

class KeyCache {
 public:
  using Resolve = Key (*)(lua_State* L, std::string_view text);  // throws ScriptError

  // The key at stack index `index`, a string, of an object whose keys `resolve` explains. The
  // reference lives until the next call.
  const Key& find(lua_State* L, int index, Resolve resolve);

 private:
  static constexpr std::size_t kSlots = 1024;  // a power of two; emptied when half of them are used
  struct Slot {
    const char* text = nullptr;
    Resolve resolve = nullptr;
    Key key;
  };

  const Key& add(lua_State* L, int index, Resolve resolve);
  static std::size_t place(const char* text, Resolve resolve);

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  Key uncached_;
};

}  // namespace cannula::script
