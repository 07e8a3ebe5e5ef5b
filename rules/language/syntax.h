// A rule file as it is written: one type of node for everything, each with its place. Made by the
// grammar (grammar.cpp, the only file that knows Boost.Spirit), read by the checker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "parsers/text/diagnostic.h"
#include "parsers/text/span.h"

namespace cannula::rules {

enum class Kind : std::uint8_t {
  none,
  // tokens; Node::text is what was written, of a text what stands between the quotes
  word,
  name,
  text,
  number,
  date,
  unit,
  // items; children in the order of the grammar
  term,        // name, code …, measured | charge | molar_mass …
  code,        // word (system), text (code), [text (system of `in`) as word `in`], [text (meaning)]
  in_system,   // text
  measured,    // unit
  charge,      // number
  molar_mass,  // number, unit
  rule,        // name, number, date, [until], clauses
  until,       // date
  // clauses
  source,       // text
  owner,        // text
  on,           // name …; none: any result
  when,         // condition
  unless,       // condition
  then,         // word (urgency), text
  route,        // name
  acknowledge,  // number, word
  repeat,       // number, word, …
  missing,      // word (what), word (answer: hold, fire, ignore)
  test,         // text, fact …, word (outcome)
  // conditions
  any_of,      // condition …
  all_of,      // condition …
  negation,    // condition; Node::text is empty when it is negated twice
  comparison,  // subject, predicate; Node::text "not" when negated
  // subjects
  value,
  result,  // name
  age,
  sex,
  flag,
  status,
  specimen,
  range,
  // predicates
  compare,   // quantity; Node::text is `<` `<=` `>` `>=` `=`
  between,   // quantity, quantity
  within,    // Node::text is `above` `below` `outside` `within` (the reference range)
  matches,   // text | name | word …
  presence,  // Node::text is `missing` or `known`
  quantity,  // number, [unit | word]
  // facts of tests
  fact_age,        // number, word
  fact_sex,        // word
  fact_result,     // name, fact_number | text | name | word `missing`, attributes
  fact_number,     // quantity; Node::text is the comparator
  fact_attribute,  // word | text | name; Node::text is `status` `flag` `range` `specimen`
};

struct Node {
  Kind kind = Kind::none;
  Span span;
  std::string text;
  std::vector<Node> children;

  const Node* find(Kind wanted) const {
    for (const Node& child : children) {
      if (child.kind == wanted) return &child;
    }
    return nullptr;
  }
};

struct Syntax {
  std::vector<Node> items;  // terms and rules that could be read
  std::vector<Diagnostic> findings;
  // Names of terms that could not be read, so that their use is not reported as well.
  std::vector<std::string> unread_terms;
};

// Takes any bytes. After a mistake reading goes on at the next line that begins with `rule` or
// `term`.
Syntax read_syntax(const std::shared_ptr<const Source>& source);

// Words of the language, which name nothing else.
bool is_reserved(std::string_view word);

}  // namespace cannula::rules
