// The grammar of rule files (docs/reference/rules-language.md), in Boost.Spirit X3.
//
// Tokens skip blanks and comments themselves and note where they were missed; so the mistake to
// report is the one farthest into the text, with everything that could have stood there. Every rule
// of the grammar makes one Node; alternatives are told apart by their first tokens, so that nothing
// is added to a Node twice.
#define BOOST_SPIRIT_X3_NO_RTTI
#include <boost/spirit/home/x3.hpp>

#include "rules/language/lexer.h"
#include "rules/language/progress.h"
#include "rules/language/syntax.h"

namespace cannula::rules {
namespace {

namespace x3 = boost::spirit::x3;

struct ProgressTag;
struct OriginTag;

// -- Tokens ---------------------------------------------------------------------------------------
struct Token : x3::parser<Token> {
  using attribute_type = Node;
  static constexpr bool has_attribute = true;

  Kind kind;
  Progress::Expected expected;
  Place (*match)(Place, Place) = nullptr;
  Place (*match_this)(Place, Place, std::string_view) = nullptr;  // expected.what

  template <class Iterator, class Context, class RContext, class Attribute>
  bool parse(Iterator& first, const Iterator& last, const Context& context, const RContext&,
             Attribute& attribute) const {
    Progress& progress = x3::get<ProgressTag>(context);
    const Place begin = skip_blanks(first, last);
    const Place end =
        match_this != nullptr ? match_this(begin, last, expected.what) : match(begin, last);
    if (end == nullptr || !nested(progress)) {
      progress.missed(begin, expected);
      return false;
    }
    first = end;
    const Place origin = x3::get<OriginTag>(context);
    const std::string_view written(begin, static_cast<std::size_t>(end - begin));
    Node node{kind,
              {static_cast<std::size_t>(begin - origin), static_cast<std::size_t>(end - origin)},
              kind == Kind::text ? plain_text(written) : std::string(written),
              {}};
    x3::traits::move_to(std::move(node), attribute);
    return true;
  }

 private:
  // Parentheses are the only recursion of the grammar.
  bool nested(Progress& progress) const {
    if (match_this != match_sign) return true;
    if (expected.what == ")") --progress.depth;
    if (expected.what == "(" && ++progress.depth > Progress::kDeepest) progress.too_deep = true;
    return !progress.too_deep;
  }
};

Token token(Kind kind, std::string_view what, Place (*match)(Place, Place)) {
  Token made{};
  made.kind = kind;
  made.expected.what = what;
  made.match = match;
  return made;
}
Token word(std::string_view text) {
  Token made{};
  made.kind = Kind::word;
  made.expected = {text, true, false};
  made.match_this = match_word;
  return made;
}
Token clause_word(std::string_view text) {
  Token made = word(text);
  made.expected.clause = true;
  return made;
}
Token sign(std::string_view text) {
  Token made = word(text);
  made.match_this = match_sign;
  return made;
}

const Token name = token(Kind::name, "a name", match_name);
const Token text = token(Kind::text, "a text in quotation marks", match_text);
const Token number = token(Kind::number, "a number", match_number);
const Token date = token(Kind::date, "a date such as 2026-01-01", match_date);
const Token unit = token(Kind::unit, "a unit", match_unit);

// -- Actions --------------------------------------------------------------------------------------
Span joined(const Span& a, const Span& b) {
  if (a.end == 0) return b;
  return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

// The matched node becomes the next child.
const auto add = [](auto& context) {
  Node& parent = x3::_val(context);
  Node& child = x3::_attr(context);
  parent.span = joined(parent.span, child.span);
  parent.children.push_back(std::move(child));
};
// The matched word begins (or ends) the node, and is no child of it.
const auto cover = [](auto& context) {
  Node& parent = x3::_val(context);
  parent.span = joined(parent.span, x3::_attr(context).span);
};
// The matched node is the node.
const auto become = [](auto& context) { x3::_val(context) = std::move(x3::_attr(context)); };

auto is_a(Kind kind) {
  return x3::eps[([kind](auto& context) { x3::_val(context).kind = kind; })];
}
// The matched word says what the node means.
auto means(std::string_view meaning) {
  return [meaning](auto& context) {
    Node& parent = x3::_val(context);
    parent.text = std::string(meaning);
    parent.span = joined(parent.span, x3::_attr(context).span);
  };
}

// Any of these, with one action. (Alternatives under one action would make a variant of Nodes.)
template <class Action, class... Parsers>
auto one_of(Action action, const Parsers&... parsers) {
  return (parsers[action] | ...);
}

template <class Id>
using Rule = x3::rule<Id, Node>;

// -- Words with a choice --------------------------------------------------------------------------
const Rule<class AgeUnit> age_unit = "age_unit";
const auto age_unit_def =
    one_of(become, word("years"), word("year"), word("months"), word("month"), word("weeks"),
           word("week"), word("days"), word("day"), word("hours"), word("hour"));
const Rule<class DurationUnit> duration_unit = "duration_unit";
const auto duration_unit_def = one_of(become, word("minutes"), word("minute"), word("hours"),
                                      word("hour"), word("days"), word("day"));
const Rule<class SexWord> sex_word = "sex_word";
const auto sex_word_def = one_of(become, word("female"), word("male"), word("other"));
const Rule<class StatusWord> status_word = "status_word";
const auto status_word_def =
    one_of(become, word("final"), word("preliminary"), word("corrected"), word("partial"));
const Rule<class Urgent> urgency = "urgency";
const auto urgency_def = one_of(become, word("critical"), word("warning"), word("info"));

// -- Terms ----------------------------------------------------------------------------------------
const Rule<class InSystem> in_system = "in_system";
const auto in_system_def = is_a(Kind::in_system) >> word("in")[cover] >> text[add];
const Rule<class CodeNode> code = "code";
const auto code_def = is_a(Kind::code) >>
                      (one_of(add, word("loinc"), word("snomed"), word("icd10"), word("rxnorm")) >>
                           text[add] >> -text[add] |
                       word("code")[add] >> text[add] >> -in_system[add] >> -text[add] |
                       word("text")[add] >> text[add]);
const Rule<class Measured> measured = "measured";
const auto measured_def = is_a(Kind::measured) >> word("measured")[cover] >>
                          word("in")[cover] >> unit[add];
const Rule<class Charge> charge = "charge";
const auto charge_def = is_a(Kind::charge) >> word("charge")[cover] >> number[add];
const Rule<class MolarMass> molar_mass = "molar_mass";
const auto molar_mass_def = is_a(Kind::molar_mass) >> word("molar")[cover] >>
                            word("mass")[cover] >> number[add] >> unit[add];
const Rule<class Term> term = "term";
const auto term_def = is_a(Kind::term) >> word("term")[cover] >> name[add] >>
                      word("is")[cover] >> code[add] >> *(word("or")[cover] >> code[add]) >>
                      *(measured[add] | charge[add] | molar_mass[add]);

// -- Conditions -----------------------------------------------------------------------------------
const Rule<class Quantity> quantity = "quantity";
const auto quantity_def = is_a(Kind::quantity) >> number[add] >> -unit[add];
const Rule<class Age> age_quantity = "age_quantity";
const auto age_quantity_def = is_a(Kind::quantity) >> number[add] >> age_unit[add];
const Rule<class HalfAge> half_age = "half_age";
const auto half_age_def = is_a(Kind::quantity) >> number[add] >> -age_unit[add];

// The longer signs first.
const Rule<class Comparison> comparison_sign = "comparison_sign";
const auto comparison_sign_def =
    is_a(Kind::compare) >>
    (sign("<=")[means("<=")] | sign("\u2264")[means("<=")] | sign(">=")[means(">=")] |
     sign("\u2265")[means(">=")] | sign("<")[means("<")] | sign(">")[means(">")] |
     sign("=")[means("=")] | word("below")[means("<")] | word("above")[means(">")] |
     word("at")[cover] >> (word("most")[means("<=")] | word("least")[means(">=")]));

const auto begin_compare = [](auto& context) {
  Node& parent = x3::_val(context);
  parent = std::move(x3::_attr(context));
};
const Rule<class Compare> compare = "compare";
const auto compare_def = comparison_sign[begin_compare] >> quantity[add];
const Rule<class CompareAge> compare_age = "compare_age";
const auto compare_age_def = comparison_sign[begin_compare] >> age_quantity[add];
const Rule<class Between> between = "between";
const auto between_def = is_a(Kind::between) >> word("between")[cover] >> quantity[add] >>
                         word("and")[cover] >> quantity[add];
const Rule<class BetweenAges> between_ages = "between_ages";
const auto between_ages_def = is_a(Kind::between) >> word("between")[cover] >> half_age[add] >>
                              word("and")[cover] >> age_quantity[add];
const Rule<class Presence> presence = "presence";
const auto presence_def = is_a(Kind::presence) >>
                          (word("missing")[means("missing")] | word("known")[means("known")]);
const Rule<class WithinRange> within_range = "within_range";
const auto within_range_def = is_a(Kind::within) >>
                              (word("above")[means("above")] | word("below")[means("below")] |
                               word("outside")[means("outside")] |
                               word("within")[means("within")]) >>
                              word("reference")[cover] >> word("range")[cover];
const Rule<class Texts> texts = "texts";
const auto texts_def = is_a(Kind::matches) >> one_of(add, text, name) >>
                       *(word("or") >> one_of(add, text, name));
const Rule<class Flags> flags = "flags";
const auto flags_def = is_a(Kind::matches) >> text[add] >> *(word("or") >> text[add]);
const Rule<class Names> names = "names";
const auto names_def = is_a(Kind::matches) >> name[add] >> *(word("or") >> name[add]);
const Rule<class Statuses> statuses = "statuses";
const auto statuses_def = is_a(Kind::matches) >> status_word[add] >>
                          *(word("or") >> status_word[add]);
const Rule<class Sexes> sexes = "sexes";
const auto sexes_def = is_a(Kind::matches) >> sex_word[add] >> *(word("or") >> sex_word[add]);

// Subjects: what is compared.
const Rule<class ValueSubject> value_subject = "value_subject";
const auto value_subject_def = word("value")[cover] >> is_a(Kind::value) |
                               word("result")[cover] >> name[add] >> is_a(Kind::result);
const Rule<class AgeSubject> age_subject = "age_subject";
const auto age_subject_def = is_a(Kind::age) >> word("patient")[cover] >> word("age")[cover];
const Rule<class SexSubject> sex_subject = "sex_subject";
const auto sex_subject_def = is_a(Kind::sex) >> word("patient")[cover] >> word("sex")[cover];
const Rule<class FlagSubject> flag_subject = "flag_subject";
const auto flag_subject_def = is_a(Kind::flag) >> word("flag")[cover];
const Rule<class StatusSubject> status_subject = "status_subject";
const auto status_subject_def = is_a(Kind::status) >> word("status")[cover];
const Rule<class SpecimenSubject> specimen_subject = "specimen_subject";
const auto specimen_subject_def = is_a(Kind::specimen) >> word("specimen")[cover];
const Rule<class RangeSubject> range_subject = "range_subject";
const auto range_subject_def = is_a(Kind::range) >> word("reference")[cover] >>
                               word("range")[cover];

// One rule for each kind of subject, so that a mistake behind it stays with it.
const auto is_or_is_not = word("is") >> -word("not")[means("not")];
const Rule<class AboutValue> about_value = "about_value";
const auto about_value_def = is_a(Kind::comparison) >> value_subject[add] >>
                             (is_or_is_not >>
                                  one_of(add, presence, within_range, between, compare, texts) |
                              one_of(add, within_range, between, compare));
const Rule<class AboutAge> about_age = "about_age";
const auto about_age_def = is_a(Kind::comparison) >> age_subject[add] >>
                           (is_or_is_not >> one_of(add, presence, between_ages, compare_age) |
                            one_of(add, between_ages, compare_age));
const Rule<class AboutSex> about_sex = "about_sex";
const auto about_sex_def = is_a(Kind::comparison) >> sex_subject[add] >> is_or_is_not >>
                           one_of(add, presence, sexes);
const Rule<class AboutFlag> about_flag = "about_flag";
const auto about_flag_def = is_a(Kind::comparison) >> flag_subject[add] >> is_or_is_not >>
                            one_of(add, presence, flags);
const Rule<class AboutStatus> about_status = "about_status";
const auto about_status_def = is_a(Kind::comparison) >> status_subject[add] >> is_or_is_not >>
                              one_of(add, presence, statuses);
const Rule<class AboutSpecimen> about_specimen = "about_specimen";
const auto about_specimen_def =
    is_a(Kind::comparison) >> specimen_subject[add] >> is_or_is_not >> names[add];
const Rule<class AboutRange> about_range = "about_range";
const auto about_range_def =
    is_a(Kind::comparison) >> range_subject[add] >> is_or_is_not >> presence[add];

const Rule<class Condition> condition = "condition";
const Rule<class Plain> plain = "plain";
const auto plain_def = sign("(") >> condition[become] >> sign(")") |
                       one_of(become, about_value, about_age, about_sex, about_flag, about_status,
                              about_specimen, about_range);
// `not not` is nothing; counted, not nested, so that no text makes the grammar recurse deeply.
const auto toggle = [](auto& context) {
  Node& parent = x3::_val(context);
  parent.text = parent.text.empty() ? "not" : "";
  parent.span = joined(parent.span, x3::_attr(context).span);
};
const Rule<class Negated> negated = "negated";
const auto negated_def = is_a(Kind::negation) >> +word("not")[toggle] >> plain[add];
const Rule<class Single> single = "single";
const auto single_def = one_of(become, negated, plain);
const Rule<class Both> both = "both";
const auto both_def = is_a(Kind::all_of) >> single[add] >> *(word("and") >> single[add]);
const auto condition_def = is_a(Kind::any_of) >> both[add] >> *(word("or") >> both[add]);

// -- Clauses --------------------------------------------------------------------------------------
const Rule<class SourceClause> source_clause = "source";
const auto source_clause_def = is_a(Kind::source) >> clause_word("source")[cover] >> text[add];
const Rule<class OwnerClause> owner_clause = "owner";
const auto owner_clause_def = is_a(Kind::owner) >> clause_word("owner")[cover] >> text[add];
const Rule<class OnClause> on_clause = "on";
const auto on_clause_def = is_a(Kind::on) >> clause_word("on")[cover] >>
                           (word("any")[cover] >> word("result")[cover] |
                            word("result")[cover] >> name[add] >> *(sign(",") >> name[add]));
const Rule<class WhenClause> when_clause = "when";
const auto when_clause_def = is_a(Kind::when) >> clause_word("when")[cover] >> condition[add];
const Rule<class UnlessClause> unless_clause = "unless";
const auto unless_clause_def = is_a(Kind::unless) >> clause_word("unless")[cover] >> condition[add];
const Rule<class ThenClause> then_clause = "then";
const auto then_clause_def = is_a(Kind::then) >>
                             clause_word("then")[cover] >> urgency[add] >> text[add];
const Rule<class RouteClause> route_clause = "route";
const auto route_clause_def = is_a(Kind::route) >> clause_word("route")[cover] >> name[add];
const Rule<class AcknowledgeClause> acknowledge_clause = "acknowledge";
const auto acknowledge_clause_def = is_a(Kind::acknowledge) >> clause_word("acknowledge")[cover] >>
                                    word("within")[cover] >> number[add] >> duration_unit[add];
const Rule<class RepeatClause> repeat_clause = "repeat";
const auto repeat_clause_def = is_a(Kind::repeat) >> clause_word("repeat")[cover] >>
                               word("not")[cover] >>
                               word("within")[cover] >> number[add] >> duration_unit[add] >>
                               -(word("unless") >> word("worse")[cover] >> word("by")[cover] >>
                                 quantity[add]);
const Rule<class MissingClause> missing_clause = "missing";
const auto missing_clause_def = is_a(Kind::missing) >> clause_word("missing")[cover] >>
                                one_of(add, word("value"), word("unit"), word("age"), word("sex"),
                                       word("status"), word("range"), word("result"),
                                       word("anything")) >>
                                sign("->") >>
                                (word("hold")[add] >> word("for")[cover] >> word("review")[cover] |
                                 word("fire")[add] | word("ignore")[add]);

// -- Tests ----------------------------------------------------------------------------------------
const Rule<class Attribute> attribute = "attribute";
const auto attribute_def = is_a(Kind::fact_attribute) >>
                           (word("status")[means("status")] >> status_word[add] |
                            word("flag")[means("flag")] >> text[add] |
                            word("range")[means("range")] >> text[add] |
                            word("specimen")[means("specimen")] >> name[add]);
const Rule<class FactNumber> fact_number = "fact_number";
const auto become_number = [](auto& context) {
  Node& parent = x3::_val(context);
  parent = std::move(x3::_attr(context));
  parent.kind = Kind::fact_number;
};
const auto fact_number_def =
    is_a(Kind::fact_number) >> -comparison_sign[become_number] >> quantity[add];
const Rule<class FactAge> fact_age = "fact_age";
const auto fact_age_def = is_a(Kind::fact_age) >>
                          word("age")[cover] >> number[add] >> age_unit[add];
const Rule<class FactSex> fact_sex = "fact_sex";
const auto fact_sex_def = is_a(Kind::fact_sex) >> word("sex")[cover] >> sex_word[add];
const Rule<class FactResult> fact_result = "fact_result";
const auto fact_result_def = is_a(Kind::fact_result) >> name[add] >>
                             one_of(add, fact_number, text, name, word("missing")) >>
                             *attribute[add];
const Rule<class TestClause> test_clause = "test";
const auto test_clause_def = is_a(Kind::test) >> clause_word("test")[cover] >> text[add] >>
                             word("given")[cover] >> one_of(add, fact_age, fact_sex, fact_result) >>
                             *(sign(",") >>
                               one_of(add, fact_age, fact_sex, fact_result, attribute)) >>
                             word("expect")[cover] >>
                             one_of(add, word("critical"), word("warning"), word("info"),
                                    word("nothing"), word("hold"));

const Rule<class Clause> clause = "clause";
const auto clause_def =
    one_of(become, source_clause, owner_clause, on_clause, when_clause, unless_clause, then_clause,
           route_clause, acknowledge_clause, repeat_clause, missing_clause, test_clause);

const Rule<class Until> until = "until";
const auto until_def = is_a(Kind::until) >> word("until")[cover] >> date[add];
const Rule<class RuleItem> rule = "rule";
const auto rule_def = is_a(Kind::rule) >> word("rule")[cover] >> name[add] >>
                      word("version")[cover] >> number[add] >>
                      word("effective")[cover] >> date[add] >> -until[add] >> *clause[add];
const Rule<class Item> item = "item";
const auto item_def = one_of(become, term, rule);

BOOST_SPIRIT_DEFINE(age_unit, duration_unit, sex_word, status_word, urgency)
BOOST_SPIRIT_DEFINE(in_system, code, measured, charge, molar_mass, term)
BOOST_SPIRIT_DEFINE(quantity, age_quantity, half_age, comparison_sign, compare, compare_age,
                    between, between_ages, presence, within_range)
BOOST_SPIRIT_DEFINE(texts, flags, names, statuses, sexes)
BOOST_SPIRIT_DEFINE(value_subject, age_subject, sex_subject, flag_subject, status_subject,
                    specimen_subject, range_subject)
BOOST_SPIRIT_DEFINE(about_value, about_age, about_sex, about_flag, about_status, about_specimen,
                    about_range, condition, plain, negated, single, both)
BOOST_SPIRIT_DEFINE(source_clause, owner_clause, on_clause, when_clause, unless_clause, then_clause,
                    route_clause, acknowledge_clause, repeat_clause, missing_clause)
BOOST_SPIRIT_DEFINE(attribute, fact_number, fact_age, fact_sex, fact_result, test_clause, clause)
BOOST_SPIRIT_DEFINE(until, rule, item)

// -- Files ----------------------------------------------------------------------------------------
bool begins_item(Place at, Place end) {
  return match_word(at, end, "rule") != nullptr || match_word(at, end, "term") != nullptr;
}

// The next line behind `at` that begins with `rule` or `term`.
Place next_item(Place at, Place end) {
  while (at != end) {
    while (at != end && *at != '\n' && *at != '\r') ++at;
    while (at != end && (*at == '\n' || *at == '\r' || *at == ' ' || *at == '\t')) ++at;
    if (begins_item(at, end)) return at;
  }
  return end;
}

class FileReader {
 public:
  explicit FileReader(const std::shared_ptr<const Source>& source)
      : source_(source),
        origin_(source->text().data()),
        end_(origin_ + source->text().size()),
        at_(origin_) {}

  Syntax read() {
    while ((at_ = skip_blanks(at_, end_)) != end_) read_item();
    return std::move(syntax_);
  }

 private:
  void read_item() {
    const Place begin = at_;
    Progress progress;
    Node node;
    Place here = at_;
    const auto grammar =
        x3::with<ProgressTag>(std::ref(progress))[x3::with<OriginTag>(origin_)[item]];
    const bool read = x3::parse(here, end_, grammar, node);
    const Place behind = skip_blanks(here, end_);
    if (read && (behind == end_ || begins_item(behind, end_))) {
      syntax_.items.push_back(std::move(node));
      at_ = behind;
      return;
    }
    if (progress.farthest == nullptr) progress.farthest = begin;
    syntax_.findings.push_back(describe_mistake(progress, source_));
    note_unread(begin);
    at_ = next_item(progress.farthest > begin ? progress.farthest - 1 : begin, end_);
  }

  void note_unread(Place begin) {
    const Place behind = match_word(begin, end_, "term");
    if (behind == nullptr) return;
    const Place at = skip_blanks(behind, end_);
    syntax_.unread_terms.emplace_back(word_at(at, end_));
  }

  const std::shared_ptr<const Source>& source_;
  Place origin_;
  Place end_;
  Place at_;
  Syntax syntax_;
};

}  // namespace

Syntax read_syntax(const std::shared_ptr<const Source>& source) {
  return FileReader(source).read();
}

}  // namespace cannula::rules
