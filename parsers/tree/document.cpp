#include "parsers/tree/document.h"

#include <algorithm>
#include <cstring>

#include "parsers/tree/json_text.h"

namespace cannula::tree {

// Texts that were made, in blocks that copies of the document share; a block is only written where
// no text stands yet, so sharing needs no lock.
struct Document::Texts {
  Texts() = default;
  Texts(const Texts& other) : blocks(other.blocks), bytes(other.bytes) {}
  Texts& operator=(Texts&&) noexcept = default;

  std::vector<std::shared_ptr<char[]>> blocks;
  char* free = nullptr;
  std::size_t left = 0;
  std::size_t bytes = 0;
  std::size_t usual_block = 0;  // the last of the usual kind, and its size
  std::size_t usual_size = 0;

  // Begins again in the largest block of the usual kind, when no copy shares it.
  void clear() {
    std::shared_ptr<char[]> kept;
    if (usual_block < blocks.size() && blocks[usual_block].use_count() == 1) {
      kept = std::move(blocks[usual_block]);
    }
    const std::size_t size = usual_size;
    *this = Texts();
    if (!kept) return;
    free = kept.get();
    left = bytes = usual_size = size;
    usual_block = 0;
    blocks.push_back(std::move(kept));
  }

  std::string_view keep(std::string_view text);

  char* take(std::size_t size) {
    if (size > left) {
      constexpr std::size_t kLargestBlock = 64u << 10;
      const std::size_t usual =
          std::min<std::size_t>(kLargestBlock, std::max<std::size_t>(1024, 2 * usual_size));
      if (size > usual / 4) {  // a block of its own
        bytes += size;
        return blocks.emplace_back(new char[size]).get();
      }
      usual_block = blocks.size();
      usual_size = usual;
      free = blocks.emplace_back(new char[usual]).get();
      left = usual;
      bytes += usual;
    }
    char* taken = free;
    free += size;
    left -= size;
    return taken;
  }
};

std::string_view name_of(Kind kind) {
  constexpr std::string_view kNames[] = {"nothing",  "null",     "a boolean", "a number",
                                         "a string", "an array", "an object"};
  return kNames[static_cast<std::size_t>(kind)];
}

Document::Document() : texts_(std::make_unique<Texts>()), name_texts_(std::make_unique<Texts>()) {}
Document::Document(const Document& other)
    : source_(other.source_),
      records_(other.records_),
      names_(other.names_),
      texts_(std::make_unique<Texts>(*other.texts_)),
      name_texts_(std::make_unique<Texts>(*other.name_texts_)),
      root_(other.root_),
      edited_(other.edited_),
      repeated_(other.repeated_) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(const Document& other) {
  if (this != &other) *this = Document(other);
  return *this;
}
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

std::size_t Document::memory() const {
  return sizeof(Document) + records_.capacity() * sizeof(Record) + names_.memory() + texts_->bytes +
         name_texts_->bytes;
}

void Document::clear() {
  constexpr std::size_t kKeptRecords = 1u << 14;
  constexpr std::size_t kKeptNames = 1000;
  records_.clear();
  if (records_.capacity() > kKeptRecords) records_.shrink_to_fit();
  // Names of received bytes do not outlive those.
  if (source_ || names_.size() > kKeptNames) {
    names_ = Names();
    *name_texts_ = Texts();
  }
  texts_->clear();
  source_.reset();
  repeated_.clear();
  root_ = kNone;
  edited_ = false;
}

namespace {

// Names are as long as a sender likes.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 100;  // bytes
  if (text.size() <= kMost) return std::string(text);
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "\u2026";
}

}  // namespace

std::vector<Diagnostic> Document::findings(std::string_view name, std::size_t limit) const {
  std::vector<Diagnostic> found;
  if (repeated_.empty()) return found;
  const auto source = std::make_shared<const Source>(std::string(name), *source_);
  for (const NodeId id : repeated_) {
    Diagnostic finding;
    if (found.size() == limit) {
      finding.severity = Severity::warning;
      finding.code = "N201";
      finding.message = std::to_string(repeated_.size()) + " names stand twice in this document";
      finding.source = source;
      finding.hint = "those after the first " + std::to_string(limit) + " are not listed";
      found.push_back(std::move(finding));
      break;
    }
    finding.severity = Severity::warning;
    finding.code = "N201";
    finding.path = node(id).path().text();
    finding.message = "the name \"" + shown(names_[records_[id].name].text) +
                      "\" stands twice in one object (" + shown(finding.path) +
                      "); the first one is read, both are kept";
    finding.source = source;
    finding.span = Span{records_[id].offset, records_[id].offset + 1};
    finding.hint = "ask the sender which of the two it means";
    found.push_back(std::move(finding));
  }
  return found;
}

// -- Making ---------------------------------------------------------------------------------------

NodeId Document::make(Kind kind) {
  Record& record = records_.emplace_back();
  record.kind = kind;
  record.children = {kNone, kNone};
  return static_cast<NodeId>(records_.size() - 1);
}

std::string_view Document::Texts::keep(std::string_view text) {
  if (text.empty()) return "";
  char* kept = take(text.size());
  std::memcpy(kept, text.data(), text.size());
  return {kept, text.size()};
}

std::string_view Document::keep(std::string_view text) {
  return texts_->keep(text);
}

std::string_view Document::keep_name(std::string_view text) {
  return name_texts_->keep(text);
}

NodeId Document::make_text(Kind kind, std::string_view text, bool encoded) {
  const NodeId id = make(kind);
  Record& record = records_[id];
  record.text = text.data();
  record.size = static_cast<std::uint32_t>(text.size());
  record.encoded = encoded;
  return id;
}

NodeId Document::make_null() {
  return make_text(Kind::null, "null", false);
}

NodeId Document::make_boolean(bool value) {
  return make_text(Kind::boolean, value ? "true" : "false", false);
}

NodeId Document::make_number(std::string_view text) {
  if (!is_number(text)) return kNone;
  return make_text(Kind::number, keep(text), false);
}

NodeId Document::make_string(std::string_view text) {
  if (is_plain(text)) return make_text(Kind::string, keep(text), false);
  if (!is_utf8(text)) return kNone;
  if (find_special(text) == std::string_view::npos) {
    return make_text(Kind::string, keep(text), false);
  }
  std::string encoded;
  append_escaped(encoded, text);
  return make_text(Kind::string, keep(encoded), true);
}

NodeId Document::make_fixed(std::string_view text) {
  return make_text(Kind::string, text, false);
}

NodeId Document::make_array() {
  return make(Kind::array);
}

NodeId Document::make_object() {
  return make(Kind::object);
}

NodeId Document::copy(Node from) {
  if (!from) return kNone;
  const Document& source = *from.document();
  const bool same = &source == this;
  const auto copy_one = [&](NodeId id, NodeId parent) {
    const Record original = source.records_[id];
    NodeId made = kNone;
    if (original.is_container()) {
      made = make(original.kind);
    } else {
      made = make_text(original.kind, same ? original.view() : keep(original.view()),
                       original.encoded);
    }
    if (parent != kNone) {
      records_[made].name = same || original.name == kNoName
                                ? original.name
                                : name_id(source.names_[original.name].text);
      link(parent, made);
    }
    return made;
  };
  const NodeId root = copy_one(from.id(), kNone);
  NodeId at = from.id();
  NodeId to = root;
  while (true) {
    const Record& record = source.records_[at];
    if (record.is_container() && record.children.first != kNone) {
      at = record.children.first;
      to = copy_one(at, to);
      continue;
    }
    while (at != from.id() && source.records_[at].next == kNone) {
      at = source.records_[at].parent;
      to = records_[to].parent;
    }
    if (at == from.id()) return root;
    at = source.records_[at].next;
    to = copy_one(at, records_[to].parent);
  }
}

NodeId Document::copy_made(NodeId root, NodeId first, NodeId end) {
  const std::size_t count = end - first;
  const NodeId moved = static_cast<NodeId>(records_.size()) - first;
  if (records_.capacity() - records_.size() < count) {
    records_.reserve(std::max(records_.size() + count, 2 * records_.capacity()));
  }
  const auto shifted = [&](NodeId id) { return id == kNone ? kNone : id + moved; };
  for (NodeId id = first; id < end; ++id) {
    Record& record = records_.emplace_back(records_[id]);
    record.parent = shifted(record.parent);
    record.next = shifted(record.next);
    if (record.is_container()) {
      record.children = {shifted(record.children.first), shifted(record.children.last)};
    }
  }
  return root + moved;
}

// -- Putting together -----------------------------------------------------------------------------

void Document::set_root(NodeId root) {
  edited_ = true;
  root_ = root;
}

void Document::link(NodeId container, NodeId child) {
  Record& parent = records_[container];
  records_[child].parent = container;
  records_[child].next = kNone;
  if (parent.children.first == kNone) {
    parent.children.first = child;
  } else {
    records_[parent.children.last].next = child;
  }
  parent.children.last = child;
  ++parent.size;
}

void Document::unlink(NodeId child) {
  Record& record = records_[child];
  if (record.parent == kNone) return;
  Record& parent = records_[record.parent];
  NodeId before = kNone;
  for (NodeId at = parent.children.first; at != child; at = records_[at].next) before = at;
  if (before == kNone) {
    parent.children.first = record.next;
  } else {
    records_[before].next = record.next;
  }
  if (parent.children.last == child) parent.children.last = before;
  --parent.size;
  record.parent = kNone;
  record.next = kNone;
}

NameId Document::name_id(std::string_view text) {
  const NameId known = names_.find(text);
  if (known != kNoName) return known;
  return names_.add(keep_name(text), find_special(text) == std::string_view::npos);
}

void Document::append(NodeId array, NodeId element) {
  edited_ = true;
  link(array, element);
}

void Document::add(NodeId object, std::string_view name, NodeId member) {
  edited_ = true;
  records_[member].name = name_id(name);
  link(object, member);
}

void Document::add_fixed(NodeId object, std::string_view name, NodeId member) {
  edited_ = true;
  records_[member].name = names_.fixed(name);
  link(object, member);
}

void Document::put(NodeId object, std::string_view name, NodeId member) {
  const NodeId there = find_member(object, name);
  if (there == kNone) {
    add(object, name, member);
  } else {
    replace(there, member);
  }
}

// The place keeps its id and takes over what `with` holds.
void Document::replace(NodeId old, NodeId with) {
  edited_ = true;
  Record& place = records_[old];
  const Record value = records_[with];
  place.size = value.size;
  place.kind = value.kind;
  place.encoded = value.encoded;
  place.offset = value.offset;
  if (value.is_container()) {
    place.children = value.children;
    for (NodeId at = value.children.first; at != kNone; at = records_[at].next) {
      records_[at].parent = old;
    }
    records_[with].children = {kNone, kNone};
    records_[with].size = 0;
  } else {
    place.text = value.text;
  }
}

void Document::remove(NodeId node) {
  edited_ = true;
  if (node == root_) root_ = kNone;
  unlink(node);
}

void Document::take_children(NodeId container, std::vector<NodeId>& out) {
  edited_ = true;
  Record& record = records_[container];
  for (NodeId at = record.children.first; at != kNone; at = records_[at].next) {
    records_[at].parent = kNone;
    out.push_back(at);
  }
  record.children = {kNone, kNone};
  record.size = 0;
}

void Document::put_back(NodeId container, NodeId child) {
  link(container, child);
}

NodeId Document::wrap(NodeId member) {
  const NodeId array = make(Kind::array);
  records_[array].name = std::exchange(records_[member].name, kNoName);
  link(array, member);
  return array;
}

bool Document::to_number(NodeId string) {
  Record& record = records_[string];
  if (record.encoded || !is_number(record.view())) return false;
  edited_ = true;
  record.kind = Kind::number;
  return true;
}

void Document::to_string(NodeId number) {
  edited_ = true;
  records_[number].kind = Kind::string;
}

// -- Places ---------------------------------------------------------------------------------------

NodeId Document::find_member(NodeId object, std::string_view name) const {
  const NameId wanted = names_.find(name);
  if (wanted == kNoName) return kNone;
  NodeId at = records_[object].children.first;
  while (at != kNone && records_[at].name != wanted) at = records_[at].next;
  return at;
}

NodeId Document::find_element(NodeId array, std::size_t position) const {
  if (position >= records_[array].size) return kNone;
  NodeId at = records_[array].children.first;
  while (position-- > 0) at = records_[at].next;
  return at;
}

// The first place that a step leads to.
NodeId Document::find_step(NodeId from, const Path::Step& step) const {
  if (step.kind != Path::Step::Kind::name) {
    if (records_[from].kind != Kind::array) return kNone;
    return find_element(from, step.kind == Path::Step::Kind::all ? 0 : step.position - 1);
  }
  while (from != kNone && records_[from].kind == Kind::array) from = records_[from].children.first;
  if (from == kNone || records_[from].kind != Kind::object) return kNone;
  return find_member(from, step.name);
}

void Document::find_all(NodeId from, const Path& path, std::size_t step,
                        std::vector<NodeId>& out) const {
  for (; from != kNone && step < path.steps.size(); ++step) {
    if (path.steps[step].kind == Path::Step::Kind::all) {
      if (records_[from].kind != Kind::array) return;
      for (NodeId at = records_[from].children.first; at != kNone; at = records_[at].next) {
        find_all(at, path, step + 1, out);
      }
      return;
    }
    from = find_step(from, path.steps[step]);
  }
  if (from != kNone) out.push_back(from);
}

namespace {
bool has_all(const Path& path, std::size_t step) {
  return std::any_of(path.steps.begin() + static_cast<std::ptrdiff_t>(step), path.steps.end(),
                     [](const Path::Step& at) { return at.kind == Path::Step::Kind::all; });
}
}  // namespace

// Whether set() will find its way; looks only.
Result<void> Document::check_way(NodeId base, const Path& path, std::size_t step) const {
  NodeId at = base;  // kNone once the rest is to be made
  for (; step < path.steps.size(); ++step) {
    const Path::Step& wanted = path.steps[step];
    if (wanted.kind == Path::Step::Kind::all) return {};
    const bool by_name = wanted.kind == Path::Step::Kind::name;
    // A name is looked for in the first element of an array.
    while (by_name && at != kNone && records_[at].kind == Kind::array) {
      at = records_[at].children.first;
    }
    const Kind kind = at == kNone ? Kind::null : records_[at].kind;
    if (kind != Kind::null && kind != Kind::array && !(by_name && kind == Kind::object)) {
      return Error{"N301",
                   "the path '" + path.text() + "' cannot be written: at '" +
                       node(at).path().text() + "' stands " + std::string(name_of(kind)) +
                       ", where " + (by_name ? "an object" : "an array") + " was expected",
                   by_name ? "remove that value first, or write another path"
                           : "leave out the [n], or remove that value first"};
    }
    const std::size_t there = kind == Kind::array ? records_[at].size : 0;
    if (!by_name && wanted.position > there + 1) {
      return Error{"N302",
                   "the path '" + path.text() + "' cannot be written: [" +
                       std::to_string(wanted.position) + "] is beyond the next element, [" +
                       std::to_string(there + 1) + "]",
                   "elements are added one after the other"};
    }
    at = at == kNone ? kNone : find_step(at, wanted);
  }
  return {};
}

// The place a step leads to, made when it is missing; check_way() was content.
NodeId Document::make_step(NodeId from, const Path::Step& step) {
  const bool by_name = step.kind == Path::Step::Kind::name;
  if (records_[from].kind == Kind::null) {
    records_[from].kind = by_name ? Kind::object : Kind::array;
    records_[from].children = {kNone, kNone};
    records_[from].size = 0;
  }
  while (by_name && records_[from].kind == Kind::array) {
    if (records_[from].children.first == kNone) link(from, make(Kind::object));
    from = records_[from].children.first;
    if (records_[from].kind != Kind::null) continue;
    records_[from].kind = Kind::object;
    records_[from].children = {kNone, kNone};
    records_[from].size = 0;
  }
  NodeId there = find_step(from, step);
  if (there != kNone) return there;
  there = make_null();
  if (by_name) records_[there].name = name_id(step.name);
  link(from, there);
  return there;
}

Result<void> Document::set(NodeId base, const Path& path, std::size_t step, NodeId value) {
  TRY(check_way(base, path, step));
  for (; step < path.steps.size(); ++step) {
    if (path.steps[step].kind == Path::Step::Kind::all) {
      if (records_[base].kind != Kind::array) return {};
      for (NodeId at = records_[base].children.first; at != kNone; at = records_[at].next) {
        TRY(set(at, path, step + 1, copy(node(value))));
      }
      return {};
    }
    // A way that ends at [*] makes nothing.
    if (has_all(path, step)) {
      base = find_step(base, path.steps[step]);
      if (base == kNone) return {};
    } else {
      base = make_step(base, path.steps[step]);
    }
  }
  replace(base, value);
  return {};
}

Result<void> Document::set(NodeId base, const Path& path, NodeId value) {
  return set(base, path, 0, value);
}

Result<void> Document::set(const Path& path, NodeId value) {
  if (root_ == kNone) {
    const NodeId root = make_null();
    TRY(check_way(root, path, 0));
    set_root(root);
  }
  return set(root_, path, 0, value);
}

void Document::remove(NodeId base, const Path& path) {
  std::vector<NodeId> places;
  find_all(base, path, 0, places);
  for (const NodeId place : places) remove(place);
}

// -- Node -----------------------------------------------------------------------------------------

std::string_view Node::text(std::string& space) const {
  if (id_ == kNone) return "";
  const Document::Record& record = document_->records_[id_];
  if (record.kind == Kind::null) return "";
  if (record.is_container()) {
    space.clear();
    document_->encode_to(space, *this);
    return space;
  }
  if (!record.encoded) return record.view();
  space.clear();
  append_decoded(space, record.view());
  return space;
}

std::string Node::text() const {
  std::string space;
  const std::string_view found = text(space);
  return found.data() == space.data() ? std::move(space) : std::string(found);
}

std::optional<std::size_t> Node::offset() const {
  if (id_ == kNone || document_->records_[id_].offset == Document::kNowhere) return std::nullopt;
  return document_->records_[id_].offset;
}

Node Node::parent() const {
  if (id_ == kNone) return {};
  return {*document_, document_->records_[id_].parent};
}

Node Node::at(std::size_t position) const {
  if (!is_container()) return {};
  return {*document_, document_->find_element(id_, position)};
}

Node Node::member(std::string_view name) const {
  if (kind() != Kind::object) return {};
  return {*document_, document_->find_member(id_, name)};
}

Node Node::find(const Path& path) const {
  if (id_ == kNone) return {};
  NodeId at = id_;
  for (std::size_t step = 0; step < path.steps.size(); ++step) {
    if (path.steps[step].kind == Path::Step::Kind::all) {
      // The first element where the rest of the path leads somewhere.
      std::vector<NodeId> places;
      document_->find_all(at, path, step, places);
      return places.empty() ? Node() : Node(*document_, places.front());
    }
    at = document_->find_step(at, path.steps[step]);
    if (at == kNone) return {};
  }
  return {*document_, at};
}

std::vector<Node> Node::find_all(const Path& path) const {
  std::vector<NodeId> places;
  if (id_ != kNone) document_->find_all(id_, path, 0, places);
  std::vector<Node> nodes;
  nodes.reserve(places.size());
  for (const NodeId place : places) nodes.emplace_back(*document_, place);
  return nodes;
}

Path Node::path() const {
  Path path;
  for (Node at = *this; at && at.parent(); at = at.parent()) {
    if (at.parent().kind() == Kind::object) {
      path.steps.push_back({Path::Step::Kind::name, 0, std::string(at.name())});
      continue;
    }
    std::uint32_t position = 1;
    for (Node before = at.parent().first(); before.id() != at.id(); before = before.next()) {
      ++position;
    }
    path.steps.push_back({Path::Step::Kind::element, position, {}});
  }
  std::reverse(path.steps.begin(), path.steps.end());
  return path;
}

}  // namespace cannula::tree
