// A JSON document as a tree of small nodes in one arena: names interned, numbers kept as the text
// they came as, strings kept as they stand in the source, and for each value where it stood.
//
//   Document document = TRY(Document::parse(bytes));
//   std::string id = document.root().find(TRY(Path::parse("entry[1].resource.id"))).text();
//   TRY(document.set(path, document.make_string("final")));
//   std::string out = document.encode();
//
// Parsing looks at each byte once and copies none: nodes point into the received bytes, which the
// Document keeps. What was not edited is written as it came: the same order of members, the same
// text of each number and each string; only blanks between values are not kept.
//
// Ids and Nodes. A node's id stays the same for the Document's life. Nodes that were made but not
// put anywhere, or that were removed, are detached: they read as before, and are not written. So
// one Document can hold several trees, and moving a text from one to the other copies nothing.
//
// Threads: const members may be called from several threads at once; a Document that is being
// edited has one owner. Copies share the texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/text/diagnostic.h"
#include "parsers/text/result.h"
#include "parsers/text/span.h"
#include "parsers/tree/names.h"
#include "parsers/tree/path.h"

namespace cannula::tree {

enum class Kind : std::uint8_t { missing, null, boolean, number, string, array, object };
std::string_view name_of(Kind kind);  // "a string", "an object"

using NodeId = std::uint32_t;
inline constexpr NodeId kNone = 0xFFFFFFFF;

class Document;

// A place in a Document, cheap to copy; reads as missing where there is nothing. Valid while the
// Document lives and is not moved.
class Node {
 public:
  Node() = default;
  Node(const Document& document, NodeId id) : document_(&document), id_(id) {}

  NodeId id() const { return id_; }
  const Document* document() const { return document_; }
  explicit operator bool() const { return id_ != kNone; }

  Kind kind() const;
  bool is_container() const { return kind() >= Kind::array; }
  // A string decoded, a number as its exact text, "true" or "false"; JSON text of a container;
  // empty for null and where nothing is.
  std::string text() const;
  // The same of a scalar without a copy where that is possible; `space` holds it otherwise.
  std::string_view text(std::string& space) const;
  std::string_view name() const;  // of a member, decoded; empty for others
  // Where the value begins in the bytes it was parsed from; nothing for what was made.
  std::optional<std::size_t> offset() const;

  Node parent() const;
  Node first() const;                        // member or element
  Node next() const;                         // sibling
  std::size_t size() const;                  // of members or elements; 0 for scalars
  Node at(std::size_t position) const;       // element or member, counted from 0
  Node member(std::string_view name) const;  // the first of that name
  // The place a path leads to, the first one where it has [*]. A name looked for in an array is
  // looked for in its first element.
  Node find(const Path& path) const;
  std::vector<Node> find_all(const Path& path) const;
  Path path() const;  // from the root of its tree

 private:
  const Document* document_ = nullptr;
  NodeId id_ = kNone;
};

class Document {
 public:
  struct Limits {
    std::size_t depth = 256;        // of nested arrays and objects
    std::size_t size = 512u << 20;  // bytes; never more than 4 GB
    // Bytes for the nodes and the names, which may be 16 times the bytes of a text that is nothing
    // but small numbers. Not counted are four bytes for each mark between values, while it is read.
    std::size_t memory = SIZE_MAX;
  };

  // Fails (N1xx) with the place as span; the message names line and column. `json` is not null.
  // A byte order mark in front is passed over.
  static Result<Document> parse(Bytes json, const Limits& limits);
  static Result<Document> parse(Bytes json) { return parse(std::move(json), Limits()); }

  Document();  // without a root
  Document(const Document&);
  Document(Document&&) noexcept;
  Document& operator=(const Document&);
  Document& operator=(Document&&) noexcept;
  ~Document();

  Node root() const { return {*this, root_}; }
  Node node(NodeId id) const { return {*this, id}; }
  const Bytes& received() const { return source_; }  // null when it was not parsed
  bool edited() const { return edited_; }
  // Bytes of memory that it holds besides the received ones.
  std::size_t memory() const;
  // Becomes empty, for another use: keeps room and the names it knows, unless they are many. Nodes
  // of before are gone.
  void clear();

  // What is odd about the document as it was parsed (N2xx warnings): names that stand twice in one
  // object. `name` is what the finding calls the text.
  // All of them up to `limit`, then one that says how many there are; a sender can repeat a name a
  // million times.
  std::vector<Diagnostic> findings(std::string_view name = "document",
                                   std::size_t limit = 100) const;

  // -- Making: detached nodes. ------------------------------------------------------------------
  NodeId make_null();
  NodeId make_boolean(bool value);
  NodeId make_number(std::string_view text);  // kNone when it is not a number as JSON writes it
  NodeId make_string(std::string_view text);  // kNone when it is not UTF-8
  // The same for a text that outlives the Document and stands for itself in JSON: not copied.
  NodeId make_fixed(std::string_view text);
  NodeId make_array();
  NodeId make_object();
  // A deep copy of any node of any Document. Of this one, it shares the texts.
  NodeId copy(Node from);
  // The id that the next node will have.
  NodeId next_id() const { return static_cast<NodeId>(records_.size()); }
  // The same as copy() of a detached `root`, quicker: all of its tree, and nothing that leads out
  // of it, was made while next_id() went from `first` to `end`, and was not edited since.
  NodeId copy_made(NodeId root, NodeId first, NodeId end);

  // -- Putting together. ------------------------------------------------------------------------
  // `child` is detached, and is not `container` or something around it. Names are UTF-8.
  void set_root(NodeId root);
  void append(NodeId array, NodeId element);
  // Adds a member without looking whether there is one of that name.
  void add(NodeId object, std::string_view name, NodeId member);
  // The same for a name that outlives the Document and stands for itself in JSON.
  void add_fixed(NodeId object, std::string_view name, NodeId member);
  // Puts `member` in the place of the member of that name, or adds it.
  void put(NodeId object, std::string_view name, NodeId member);
  void replace(NodeId old, NodeId with);
  void remove(NodeId node);

  // Takes all children out of a container and appends them to `out`. They keep their names.
  void take_children(NodeId container, std::vector<NodeId>& out);
  // Puts a child back that take_children() gave.
  void put_back(NodeId container, NodeId child);
  // A member that take_children() gave becomes the only element of a new array of its name.
  NodeId wrap(NodeId member);
  // Reads a string as a number from now on; false when its text is none.
  bool to_number(NodeId string);
  // Reads a number as a string from now on.
  void to_string(NodeId number);

  // Puts `value` where the path leads from `base`, and makes what is missing on the way: objects
  // for names, arrays for [n]. With [*], each place there is gets a copy. Fails (N3xx), changing
  // nothing, where a scalar stands on the way or [n] is beyond the next one.
  Result<void> set(NodeId base, const Path& path, NodeId value);
  // The same from the root, which becomes an object (an array for a path that begins with [n]) when
  // there is none.
  Result<void> set(const Path& path, NodeId value);
  // Removes every place the path leads to.
  void remove(NodeId base, const Path& path);

  // -- Out. -------------------------------------------------------------------------------------
  // Compact, or with each member on a line of its own, indented by so many blanks a level. Empty
  // for a missing node.
  std::string encode(int indent = 0) const { return encode(root(), indent); }
  std::string encode(Node node, int indent = 0) const;
  void encode_to(std::string& out, Node node, int indent = 0) const;

 private:
  friend class Node;
  friend class JsonReader;
  friend class JsonWriter;

  static constexpr std::uint32_t kNowhere = 0xFFFFFFFF;
  struct Children {
    NodeId first;
    NodeId last;
  };
  struct Record {
    union {
      const char* text;   // of a scalar: in the received bytes, in texts_, or fixed
      Children children;  // of a container
    };
    std::uint32_t size = 0;  // bytes of the text, or how many children
    NodeId parent = kNone;   // none: detached, or a root
    NodeId next = kNone;
    NameId name = kNoName;
    std::uint32_t offset = kNowhere;  // in the received bytes
    Kind kind = Kind::null;
    bool encoded = false;  // the text of a string has escapes

    std::string_view view() const { return {text, size}; }
    bool is_container() const { return kind >= Kind::array; }
  };
  struct Texts;

  NodeId make(Kind kind);
  NodeId make_text(Kind kind, std::string_view text, bool encoded);
  std::string_view keep(std::string_view text);
  std::string_view keep_name(std::string_view text);
  NameId name_id(std::string_view text);
  void link(NodeId container, NodeId child);
  void unlink(NodeId child);
  NodeId find_member(NodeId object, std::string_view name) const;
  NodeId find_element(NodeId array, std::size_t position) const;
  NodeId find_step(NodeId from, const Path::Step& step) const;
  void find_all(NodeId from, const Path& path, std::size_t step, std::vector<NodeId>& out) const;
  Result<void> check_way(NodeId base, const Path& path, std::size_t step) const;
  NodeId make_step(NodeId from, const Path::Step& step);
  Result<void> set(NodeId base, const Path& path, std::size_t step, NodeId value);

  Bytes source_;
  std::vector<Record> records_;
  Names names_;
  std::unique_ptr<Texts> texts_;
  std::unique_ptr<Texts> name_texts_;  // apart, because names outlive clear()
  NodeId root_ = kNone;
  bool edited_ = false;
  std::vector<NodeId> repeated_;  // members whose name stood in their object before
};

// -- The small ones, which are called for every node.

inline Kind Node::kind() const {
  return id_ == kNone ? Kind::missing : document_->records_[id_].kind;
}

inline std::string_view Node::name() const {
  if (id_ == kNone) return "";
  const NameId name = document_->records_[id_].name;
  return name == kNoName ? std::string_view() : document_->names_[name].text;
}

inline Node Node::first() const {
  if (!is_container()) return {};
  return {*document_, document_->records_[id_].children.first};
}

inline Node Node::next() const {
  if (id_ == kNone) return {};
  return {*document_, document_->records_[id_].next};
}

inline std::size_t Node::size() const {
  return is_container() ? document_->records_[id_].size : 0;
}

// Whether the bytes are UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);
// Whether the text is a number as JSON writes it (RFC 8259, 6).
bool is_number(std::string_view text);
// `text` as the inside of a JSON string. Bytes that are not UTF-8 stay as they are.
void append_escaped(std::string& out, std::string_view text);
// `text` as a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace cannula::tree
