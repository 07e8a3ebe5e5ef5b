// Any bytes: a document or an error with a place inside the text; a document is walked, written,
// read again and is the same; edits at places the input chooses leave a document that reads back.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "parsers/tree/document.h"

namespace cannula::tree {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void walk(const Document& document) {
  std::string space;
  std::size_t budget = 20'000;
  for (Node at = document.root(); at && budget-- > 0;) {
    const std::string_view text = at.text(space);
    if (at.kind() == Kind::string) require(is_utf8(text));
    if (at.kind() == Kind::number) require(is_number(text));
    require(is_utf8(at.name()));
    require(at.offset().has_value() && *at.offset() < document.received()->size());
    if (at.first()) {
      at = at.first();
      continue;
    }
    while (at && !at.next()) at = at.parent();
    if (at) at = at.next();
  }
}

void edit(Document document, std::string_view bytes) {
  const std::size_t half = bytes.size() / 2;
  const auto path = Path::parse(bytes.substr(0, std::min<std::size_t>(half, 40)));
  const NodeId value = document.make_string(bytes.substr(half));
  if (path && value != kNone) {
    if (document.set(*path, value)) {
      for (const Node found : document.root().find_all(*path)) {
        require(found.text() == bytes.substr(half));
        require(document.root().find(found.path()).id() == found.id() ||
                !document.findings().empty());
      }
    }
    document.append(document.make_array(), document.copy(document.root()));
    document.remove(document.root().id(), *path);
  }
  if (!document.root()) return;
  const std::string out = document.encode();
  const auto again = Document::parse(make_bytes(out), {.depth = 1000});
  require(again.has_value());
  require(again->encode() == out);
}

}  // namespace
}  // namespace cannula::tree

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cannula;
  using namespace cannula::tree;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t split = bytes.find('\xFF');  // JSON, then what to edit
  const auto document = Document::parse(make_bytes(bytes.substr(0, split)));
  if (!document) {
    const Error& error = document.error();
    require(!error.code.empty() && (!error.span || error.span->begin <= size));
    return 0;
  }
  walk(*document);
  const std::string out = document->encode();
  const auto again = Document::parse(make_bytes(out));
  require(again.has_value() && again->encode() == out);
  const auto indented = Document::parse(make_bytes(document->encode(2)));
  require(indented.has_value() && indented->encode() == out);
  require(document->findings().size() == again->findings().size());
  if (split != std::string::npos) edit(*document, std::string_view(bytes).substr(split + 1));
  return 0;
}
