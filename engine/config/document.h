// A TOML file as a tree that remembers where each thing stands. The only door to the TOML library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/diagnostic.h"

namespace cannula::config {

struct Member;

// A value as written. Tables keep their members in the order of the file.
struct Node {
  enum class Kind { text, integer, number, boolean, date, array, table };
  Kind kind = Kind::table;
  std::string text{};  // of text; of a date as ISO 8601; of every other scalar as written
  std::int64_t integer = 0;
  bool boolean = false;
  std::vector<Node> items{};    // of an array
  std::vector<Member> members;  // of a table
  Span span{};                  // with its quotes or brackets; a [table] is its header

  const Member* find(std::string_view name) const;
  bool is(Kind wanted) const { return kind == wanted; }
};

struct Member {
  std::string name;
  Span name_span;
  Node value;
};

// "a string", "a list": as a message names what it found.
std::string_view name_of(Node::Kind kind);

// The file's table. A syntax error is added to `findings` (C101) and gives an empty table,
// `readable` false.
struct Document {
  Node root;
  bool readable = false;
};
Document parse_document(const std::shared_ptr<const Source>& source,
                        std::vector<Diagnostic>& findings);

// The place of `part`, bytes of the string's value, in the file. The whole string when it holds
// escapes, because then its bytes do not stand in the file one for one.
Span inside_text(const Source& source, const Node& text, Span part);

}  // namespace cannula::config
