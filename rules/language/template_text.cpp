#include "rules/language/template_text.h"

#include <fmt/format.h>

namespace cannula::rules {
namespace {

using What = Template::What;

constexpr std::string_view kPlaces[] = {"value", "number", "unit",  "name", "age",
                                        "sex",   "time",   "range", "flag", "status"};

class TemplateReader {
 public:
  TemplateReader(const Node& node, Findings& findings, Terms& terms)
      : node_(node), findings_(findings), terms_(terms) {}

  Template read() {
    const std::string_view text = node_.text;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char c = text[at];
      const bool doubled = at + 1 < text.size() && text[at + 1] == c;
      if ((c == '{' || c == '}') && doubled) {
        literal_ += c;
        ++at;
      } else if (c == '{') {
        const std::size_t close = text.find('}', at);
        if (close == std::string_view::npos) {
          wrong("this text has a `{` without `}`");
          break;
        }
        place(text.substr(at + 1, close - at - 1));
        at = close;
      } else {
        literal_ += c;
      }
    }
    end_literal();
    return std::move(made_);
  }

 private:
  void end_literal() {
    if (literal_.empty()) return;
    made_.parts.push_back({What::literal, std::move(literal_), 0});
    literal_.clear();
  }

  void place(std::string_view inner) {
    end_literal();
    constexpr std::string_view kResult = "result ";
    if (inner.starts_with(kResult)) {
      Node name;
      name.kind = Kind::name;
      name.span = node_.span;
      name.text = std::string(inner.substr(kResult.size()));
      if (const auto term = terms_.resolve(name)) made_.parts.push_back({What::result, {}, *term});
      return;
    }
    for (std::size_t i = 0; i < std::size(kPlaces); ++i) {
      if (kPlaces[i] != inner) continue;
      made_.parts.push_back({static_cast<What>(i + 1), {}, 0});
      return;
    }
    const auto near = nearest(inner, kPlaces);
    wrong(fmt::format("{{{}}} stands for nothing", inner),
          near ? fmt::format("did you mean {{{}}}?", *near)
               : "there are {value} {number} {unit} {name} {age} {sex} {time} {range} {flag} "
                 "{status} {result TERM}");
  }

  void wrong(std::string message, std::string hint = "write {{ for a brace") {
    findings_.error("R215", node_.span, std::move(message), std::move(hint));
  }

  const Node& node_;
  Findings& findings_;
  Terms& terms_;
  Template made_;
  std::string literal_;
};

}  // namespace

Template read_template(const Node& text, Findings& findings, Terms& terms) {
  return TemplateReader(text, findings, terms).read();
}

}  // namespace cannula::rules
