#include "engine/trial/json_leaves.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cannula::trial {
namespace {

using Json = nlohmann::json;

std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Gives each value with its path, and each begin and end, to `Sink`, by nlohmann's own parser: its
// values would lose the digits of numbers.
template <class Sink>
class Walker : public nlohmann::json_sax<Json> {
 public:
  explicit Walker(Sink& sink) : sink_(sink) {}

  bool null() override { return scalar(Leaf::Kind::null, "null"); }
  bool boolean(bool value) override {
    return scalar(Leaf::Kind::boolean, value ? "true" : "false");
  }
  bool number_integer(number_integer_t value) override {
    return scalar(Leaf::Kind::number, std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return scalar(Leaf::Kind::number, std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& digits) override {
    return scalar(Leaf::Kind::number, digits);
  }
  bool string(string_t& value) override { return scalar(Leaf::Kind::text, value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return begin(false); }
  bool start_array(std::size_t) override { return begin(true); }
  bool key(string_t& name) override {
    name_ = name;
    return true;
  }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  struct Level {
    std::string path;
    bool array;
    std::size_t count;
  };

  // The path of the value that comes now.
  std::string next() {
    if (levels_.empty()) return {};
    Level& level = levels_.back();
    ++level.count;
    if (level.array) return fmt::format("{}[{}]", level.path, level.count);
    return level.path.empty() ? name_ : level.path + "." + name_;
  }
  bool first() const { return levels_.empty() || levels_.back().count == 1; }
  bool in_object() const { return !levels_.empty() && !levels_.back().array; }

  bool scalar(Leaf::Kind kind, std::string text) {
    Leaf leaf{next(), kind, std::move(text)};
    sink_.value(std::move(leaf), levels_.size(), first(), in_object() ? &name_ : nullptr);
    return true;
  }
  bool begin(bool array) {
    std::string path = next();
    sink_.begin(array, levels_.size(), first(), in_object() ? &name_ : nullptr);
    levels_.push_back({std::move(path), array, 0});
    return levels_.size() < 1000;
  }
  bool end() {
    const Level level = std::move(levels_.back());
    levels_.pop_back();
    sink_.end(level.path, level.array, level.count == 0, levels_.size());
    return true;
  }

  Sink& sink_;
  std::vector<Level> levels_;
  std::string name_;
};

struct LeafList {
  std::vector<Leaf> leaves;
  void value(Leaf leaf, std::size_t, bool, const std::string*) {
    leaves.push_back(std::move(leaf));
  }
  void begin(bool, std::size_t, bool, const std::string*) {}
  void end(const std::string& path, bool array, bool empty, std::size_t) {
    if (!empty) return;
    leaves.push_back(
        {path, array ? Leaf::Kind::empty_array : Leaf::Kind::empty_object, array ? "[]" : "{}"});
  }
};

struct Indenter {
  std::string out;
  void lead(std::size_t depth, bool first, const std::string* name) {
    if (depth > 0) {
      if (!first) out += ',';
      out += '\n' + std::string(2 * depth, ' ');
    }
    if (name != nullptr) out += quoted(*name) + ": ";
  }
  void value(const Leaf& leaf, std::size_t depth, bool first, const std::string* name) {
    lead(depth, first, name);
    out += leaf.json();
  }
  void begin(bool array, std::size_t depth, bool first, const std::string* name) {
    lead(depth, first, name);
    out += array ? '[' : '{';
  }
  void end(const std::string&, bool array, bool empty, std::size_t depth) {
    if (!empty) out += '\n' + std::string(2 * depth, ' ');
    out += array ? ']' : '}';
  }
};

template <class Sink>
bool walk(std::string_view text, Sink& sink) {
  Walker<Sink> walker(sink);
  return Json::sax_parse(text.begin(), text.end(), &walker);
}

// Whether a path matches a pattern with [*], and how much of the path it took.
std::optional<std::size_t> matched(std::string_view path, std::string_view pattern) {
  std::size_t at = 0;
  while (!pattern.empty()) {
    if (pattern.starts_with("[*]")) {
      if (at >= path.size() || path[at] != '[') return std::nullopt;
      at = path.find(']', at) + 1;
      pattern.remove_prefix(3);
      continue;
    }
    if (at >= path.size() || path[at] != pattern.front()) return std::nullopt;
    ++at;
    pattern.remove_prefix(1);
  }
  return at;
}

}  // namespace

std::string Leaf::json() const {
  return kind == Kind::text ? quoted(text) : text;
}

std::optional<std::vector<Leaf>> json_leaves(std::string_view text) {
  LeafList list;
  if (!walk(text, list)) return std::nullopt;
  return std::move(list.leaves);
}

std::optional<std::string> indented_json(std::string_view text) {
  Indenter indenter;
  if (!walk(text, indenter)) return std::nullopt;
  return indenter.out + "\n";
}

std::vector<std::string> pick_leaves(const std::vector<Leaf>& leaves, std::string_view path) {
  std::vector<std::string> texts;
  for (const Leaf& leaf : leaves) {
    const auto taken = matched(leaf.path, path);
    if (!taken) continue;
    const std::string_view rest = std::string_view(leaf.path).substr(*taken);
    if (rest.empty()) {
      texts.push_back(leaf.text);
    } else if (rest.front() == '.' || rest.front() == '[' || path.empty()) {
      texts.push_back(fmt::format("{} = {}", leaf.path, leaf.json()));
    }
  }
  return texts;
}

}  // namespace cannula::trial
