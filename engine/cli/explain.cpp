#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/verb.h"
#include "parsers/text/diagnostic.h"

namespace cannula::cli {
namespace {

// The text, broken before column 100.
std::string folded(std::string_view text) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (column > 0 && column + 1 + end > 100) {
      out += '\n';
      column = 0;
    }
    if (column > 0) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

int explain(std::string code, const Context& context) {
  std::transform(code.begin(), code.end(), code.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::vector<std::string_view> codes;
  for (const auto& room : context.error_codes) {
    for (const ErrorCode& known : room) {
      codes.push_back(known.code);
      if (known.code != code) continue;
      const nlohmann::json json{
          {"code", known.code}, {"title", known.title}, {"explanation", known.explanation}};
      print(context.out, context.json ? json.dump() + "\n"
                                      : fmt::format("{}: {}\n\n{}\n", known.code, known.title,
                                                    folded(known.explanation)));
      return kFine;
    }
  }
  const auto near = nearest(code, codes);
  print_error(context, {"U105",
                        fmt::format("there is no code `{}`", code),
                        near ? fmt::format("did you mean {}?", *near)
                             : "codes are a letter and three digits, such as C103",
                        {}});
  return kUsage;
}

}  // namespace

Verb explain_verb() {
  auto code = std::make_shared<std::string>();
  return {.name = "explain",
          .summary = "Explain an error code: what it means and what to do.",
          .example = "cannula explain C103",
          .declare =
              [code](Arguments& arguments) {
                arguments.positional("CODE", *code, "A code as it stands in brackets in a message.",
                                     true);
              },
          .run = [code](const Context& context) { return explain(*code, context); }};
}

}  // namespace cannula::cli
