// Sentences about what the grammar could not read.
#include <algorithm>

#include <fmt/format.h>

#include "rules/language/progress.h"
#include "rules/language/syntax.h"

namespace cannula::rules {
namespace {

constexpr std::string_view kOpeningQuotes[] = {"\u201C", "\u201D", "\u201E", "\u00AB",
                                               "\u2018", "\u2019", "'"};

// What stands there, for people: a word, or the characters up to a blank.
std::string_view found_at(std::string_view text, std::size_t at) {
  const char* begin = text.data() + at;
  const std::string_view word = word_at(begin, text.data() + text.size());
  if (!word.empty()) return word.substr(0, 40);
  std::size_t end = at;
  while (end < text.size() && end - at < 12 && !std::isspace(static_cast<unsigned char>(text[end])))
    ++end;
  // Not in the middle of a character.
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return text.substr(at, end - at);
}

std::string joined_by_or(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += i + 1 == parts.size() ? " or " : ", ";
    text += parts[i];
  }
  return text;
}

// "`and`, `or` or a clause (`when`, `then` …)".
std::string expected_in_words(const Progress& progress) {
  std::vector<std::string> words;
  bool clause = false;
  for (const Progress::Expected& expected : progress.expected) {
    if (expected.clause) {
      clause = true;
      continue;
    }
    std::string text =
        expected.word ? fmt::format("`{}`", expected.what) : std::string(expected.what);
    if (std::find(words.begin(), words.end(), text) == words.end()) words.push_back(text);
  }
  // Signs that mean the same as others, and the singular of units of time.
  std::erase_if(words, [&](const std::string& word) {
    if (word == "`\u2264`" || word == "`\u2265`") return true;
    const std::string plural = word.substr(0, word.size() - 1) + "s`";
    return std::find(words.begin(), words.end(), plural) != words.end();
  });
  if (clause) words.emplace_back("a clause (`on`, `when`, `unless`, `then`, `test` \u2026)");
  if (words.empty()) words.emplace_back("`rule` or `term`");
  return joined_by_or(words);
}

std::optional<std::string> suggestion(const Progress& progress, std::string_view found) {
  std::vector<std::string_view> words;
  for (const Progress::Expected& expected : progress.expected) {
    if (expected.word) words.push_back(expected.what);
  }
  if (words.empty()) words = {"rule", "term"};
  std::string small(found);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  // Signs resemble everything.
  if (small.size() < 2) return std::nullopt;
  return nearest(small, words);
}

bool expects(const Progress& progress, std::string_view what) {
  return std::any_of(progress.expected.begin(), progress.expected.end(),
                     [&](const Progress::Expected& each) { return each.what == what; });
}

Diagnostic finding(const std::shared_ptr<const Source>& source, std::size_t at, std::size_t length,
                   std::string code, std::string message, std::string hint) {
  Diagnostic made;
  made.code = std::move(code);
  made.message = std::move(message);
  made.hint = std::move(hint);
  made.source = source;
  made.span = Span{at, at + std::max<std::size_t>(length, 1)};
  return made;
}

bool is_digit(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

// Mistakes that have a better explanation than what was expected.
std::optional<Diagnostic> known_mistake(const Progress& progress, std::size_t at,
                                        const std::shared_ptr<const Source>& source) {
  const std::string_view text = source->text();
  if (progress.too_deep) {
    return finding(source, at, 1, "R205",
                   fmt::format("more than {} parentheses are open here", Progress::kDeepest),
                   "divide the rule into several");
  }
  if (text[at] == '"') {
    if (match_text(text.data() + at, text.data() + text.size()) != nullptr) return std::nullopt;
    return finding(source, at, 1, "R202", "this text has no closing quotation mark on its line",
                   "a text begins and ends with \" on one line; inside of it write \\\" for one");
  }
  for (const std::string_view quote : kOpeningQuotes) {
    if (!text.substr(at).starts_with(quote)) continue;
    return finding(source, at, quote.size(), "R202",
                   fmt::format("{} is not the quotation mark that a text stands in", quote),
                   "write straight ones, as in \"Potassium {value}\"; word processors change them");
  }
  if (text[at] == ',' && is_digit(text, at + 1) && at > 0 && is_digit(text, at - 1)) {
    return finding(source, at, 1, "R201", "numbers are written with a point, not with a comma",
                   "write 2.8 for 2,8, and 1000 for 1,000");
  }
  const std::string_view word = word_at(text.data() + at, text.data() + text.size());
  if (expects(progress, "a name") && is_reserved(word)) {
    return finding(source, at, word.size(), "R204",
                   fmt::format("`{}` is a word of the language and cannot be a name", word),
                   fmt::format("choose another name, such as `{}-1`", word));
  }
  if ((word == "age" || word == "sex") && expects(progress, "patient")) {
    return finding(source, at, word.size(), "R201",
                   fmt::format("`{}` cannot stand here without saying whose it is", word),
                   fmt::format("did you mean `patient {}`?", word));
  }
  return std::nullopt;
}

}  // namespace

Diagnostic describe_mistake(const Progress& progress, const std::shared_ptr<const Source>& source) {
  const std::string_view text = source->text();
  const auto at = static_cast<std::size_t>(progress.farthest - text.data());
  if (at >= text.size()) {
    // Behind the last word of the file, not behind blanks and comments.
    std::size_t last = text.size();
    while (last > 0 && std::isspace(static_cast<unsigned char>(text[last - 1]))) --last;
    return finding(source, last == 0 ? 0 : last - 1, 1, "R201",
                   "the file ends here; expected is " + expected_in_words(progress),
                   "write the rule to its end");
  }
  if (auto known = known_mistake(progress, at, source)) return std::move(*known);
  const std::string_view found = found_at(text, at);
  const auto near = suggestion(progress, found);
  return finding(
      source, at, found.size(), "R201",
      fmt::format("`{}` cannot stand here; expected is {}", found, expected_in_words(progress)),
      near ? fmt::format("did you mean `{}`?", *near)
           : "the language: docs/reference/rules-language.md");
}

}  // namespace cannula::rules
