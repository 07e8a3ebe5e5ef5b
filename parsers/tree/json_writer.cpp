// JSON out: values as they stand, in their order.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "parsers/tree/document.h"
#include "parsers/tree/json_text.h"

namespace cannula::tree {

// Goes along the links of the tree, so that no depth is too deep.
class JsonWriter {
 public:
  JsonWriter(const Document& document, int indent) : document_(document), indent_(indent) {}
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  void write(NodeId root) {
    NodeId at = root;
    while (true) {
      const Document::Record& record = document_.records_[at];
      if (at != root) begin_child(record);
      if (record.is_container() && record.children.first != kNone) {
        put(record.kind == Kind::object ? '{' : '[');
        ++level_;
        at = record.children.first;
        continue;
      }
      write_leaf(record);
      while (at != root && document_.records_[at].next == kNone) {
        at = document_.records_[at].parent;
        --level_;
        new_line();
        put(document_.records_[at].kind == Kind::object ? '}' : ']');
      }
      if (at == root) return;
      put(',');
      at = document_.records_[at].next;
    }
  }

  std::string_view written() const { return {buffer_, at_}; }

 private:
  char* room(std::size_t size) {
    if (size_ - at_ < size) [[unlikely]]
      grow(size);
    return buffer_ + at_;
  }
  [[gnu::noinline]] void grow(std::size_t size) {
    const std::size_t wanted = std::max(at_ + size, 2 * size_);
    auto longer = std::make_unique_for_overwrite<char[]>(wanted);
    std::memcpy(longer.get(), buffer_, at_);
    longer_ = std::move(longer);
    buffer_ = longer_.get();
    size_ = wanted;
  }
  void put(char letter) {
    *room(1) = letter;
    ++at_;
  }
  void put(std::string_view text) {
    std::memcpy(room(text.size()), text.data(), text.size());
    at_ += text.size();
  }
  void put_quoted(std::string_view text) {
    char* to = room(text.size() + 2);
    *to++ = '"';
    std::memcpy(to, text.data(), text.size());
    to[text.size()] = '"';
    at_ += text.size() + 2;
  }

  void new_line() {
    if (indent_ == 0) return;
    const std::size_t blanks = level_ * static_cast<std::size_t>(indent_);
    char* to = room(1 + blanks);
    *to = '\n';
    std::memset(to + 1, ' ', blanks);
    at_ += 1 + blanks;
  }

  void begin_child(const Document::Record& record) {
    new_line();
    if (document_.records_[record.parent].kind != Kind::object) return;
    const Names::Name& name = document_.names_[record.name];
    if (name.plain) {
      put_quoted(name.text);
    } else {
      std::string escaped;
      append_escaped(escaped, name.text);
      put_quoted(escaped);
    }
    put(':');
    if (indent_ != 0) put(' ');
  }

  void write_leaf(const Document::Record& record) {
    switch (record.kind) {
      case Kind::object:
        return put("{}");
      case Kind::array:
        return put("[]");
      case Kind::string:
        return put_quoted(record.view());
      default:
        return put(record.view());
    }
  }

  const Document& document_;
  const int indent_;
  std::size_t level_ = 0;
  // Most documents of a message need no more than this, and no memory is asked for.
  std::array<char, 16384> first_;
  std::unique_ptr<char[]> longer_;
  char* buffer_ = first_.data();
  std::size_t size_ = first_.size();
  std::size_t at_ = 0;  // how much of buffer_ is written
};

void Document::encode_to(std::string& out, Node node, int indent) const {
  if (!node) return;
  JsonWriter writer(*node.document(), indent);
  writer.write(node.id());
  out += writer.written();
}

std::string Document::encode(Node node, int indent) const {
  std::string out;
  encode_to(out, node, indent);
  return out;
}

}  // namespace cannula::tree
