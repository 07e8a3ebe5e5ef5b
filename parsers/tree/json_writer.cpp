// JSON out: values as they stand, in their order.
#include <algorithm>

#include "parsers/tree/document.h"
#include "parsers/tree/json_text.h"

namespace cannula::tree {

// Goes along the links of the tree, so that no depth is too deep.
class JsonWriter {
 public:
  JsonWriter(const Document& document, std::string& out, int indent)
      : document_(document), out_(out), indent_(indent) {}

  void write(NodeId root) {
    NodeId at = root;
    while (true) {
      const Document::Record& record = document_.records_[at];
      if (at != root) begin_child(record);
      if (record.is_container() && record.children.first != kNone) {
        out_ += record.kind == Kind::object ? '{' : '[';
        ++level_;
        at = record.children.first;
        continue;
      }
      write_leaf(record);
      while (at != root && document_.records_[at].next == kNone) {
        at = document_.records_[at].parent;
        --level_;
        new_line();
        out_ += document_.records_[at].kind == Kind::object ? '}' : ']';
      }
      if (at == root) return;
      out_ += ',';
      at = document_.records_[at].next;
    }
  }

 private:
  void new_line() {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(level_ * static_cast<std::size_t>(indent_), ' ');
  }

  void begin_child(const Document::Record& record) {
    new_line();
    if (document_.records_[record.parent].kind != Kind::object) return;
    const Names::Name& name = document_.names_[record.name];
    out_ += '"';
    if (name.plain) {
      out_ += name.text;
    } else {
      append_escaped(out_, name.text);
    }
    out_ += indent_ == 0 ? "\":" : "\": ";
  }

  void write_leaf(const Document::Record& record) {
    switch (record.kind) {
      case Kind::object:
        out_ += "{}";
        return;
      case Kind::array:
        out_ += "[]";
        return;
      case Kind::string:
        out_ += '"';
        out_ += record.view();
        out_ += '"';
        return;
      default:
        out_ += record.view();
    }
  }

  const Document& document_;
  std::string& out_;
  const int indent_;
  std::size_t level_ = 0;
};

void Document::encode_to(std::string& out, Node node, int indent) const {
  if (node) JsonWriter(*node.document(), out, indent).write(node.id());
}

std::string Document::encode(Node node, int indent) const {
  std::string out;
  if (node && !node.parent()) out.reserve(std::min<std::size_t>(records_.size() * 8, 1u << 20));
  encode_to(out, node, indent);
  return out;
}

}  // namespace cannula::tree
