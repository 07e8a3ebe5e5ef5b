#include "parsers/tree/path.h"

#include <charconv>

#include "parsers/tree/document.h"

namespace cannula::tree {
namespace {

class PathReader {
 public:
  explicit PathReader(std::string_view text) : text_(text) {}

  Result<Path> read() {
    Path path;
    if (text_.empty()) return fail("a path is empty, where a name was expected");
    if (!is_utf8(text_)) return fail("it is not UTF-8");
    while (at_ < text_.size()) {
      if (path.steps.size() == Path::kMostSteps) {
        return fail("a path has at most " + std::to_string(Path::kMostSteps) + " steps");
      }
      if (text_[at_] == '[') {
        TRY(bracket(path));
      } else {
        if (!path.steps.empty()) {
          if (text_[at_] != '.') return fail("'.' or '[' was expected behind ']'");
          ++at_;
        }
        TRY(name(path));
      }
    }
    return path;
  }

 private:
  Result<void> name(Path& path) {
    const std::size_t end = std::min(text_.find_first_of(".[", at_), text_.size());
    if (end == at_) return fail("a name was expected");
    const std::string_view found = text_.substr(at_, end - at_);
    if (const auto bad = found.find(']'); bad != std::string_view::npos) {
      at_ += bad;
      return fail("']' has no '[' before it");
    }
    path.steps.push_back({Path::Step::Kind::name, 0, std::string(found)});
    at_ = end;
    return {};
  }

  Result<void> bracket(Path& path) {
    const std::size_t open = at_++;
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) return quoted(path);
    const std::size_t close = text_.find(']', at_);
    if (close == std::string_view::npos) {
      at_ = open;
      return fail("'[' has no ']' behind it");
    }
    const std::string_view inside = text_.substr(at_, close - at_);
    if (inside == "*") {
      path.steps.push_back({Path::Step::Kind::all, 0, {}});
    } else {
      std::uint32_t position = 0;
      const auto [end, failure] =
          std::from_chars(inside.data(), inside.data() + inside.size(), position);
      if (failure != std::errc() || end != inside.data() + inside.size() || position == 0) {
        return fail("[n] takes a number counted from 1, or *");
      }
      path.steps.push_back({Path::Step::Kind::element, position, {}});
    }
    at_ = close + 1;
    return {};
  }

  Result<void> quoted(Path& path) {
    const std::string closing = {text_[at_], ']'};
    const std::size_t end = text_.find(closing, at_ + 1);
    if (end == std::string_view::npos) return fail("a name in quotes ends with " + closing);
    path.steps.push_back(
        {Path::Step::Kind::name, 0, std::string(text_.substr(at_ + 1, end - at_ - 1))});
    at_ = end + 2;
    return {};
  }

  Error fail(const std::string& what) const {
    return {"N001",
            "the path '" + std::string(text_.substr(0, 100)) + "' cannot be read at character " +
                std::to_string(at_ + 1) + ": " + what,
            "write names joined by dots and [n] counted from 1, as in entry[1].resource.id",
            Span{at_, std::min(at_ + 1, text_.size())}};
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Path> Path::parse(std::string_view text) {
  return PathReader(text).read();
}

std::string Path::text() const {
  std::string out;
  for (const Step& step : steps) {
    switch (step.kind) {
      case Step::Kind::element:
        out += "[" + std::to_string(step.position) + "]";
        break;
      case Step::Kind::all:
        out += "[*]";
        break;
      case Step::Kind::name:
        if (step.name.empty() || step.name.find_first_of(".[]") != std::string::npos) {
          const char quote = step.name.find("\"]") == std::string::npos ? '"' : '\'';
          out += std::string("[") + quote + step.name + quote + "]";
        } else {
          out += (out.empty() ? "" : ".") + step.name;
        }
    }
  }
  return out;
}

}  // namespace cannula::tree
