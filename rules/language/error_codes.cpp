#include "rules/language/error_codes.h"

#include <array>

namespace cannula::rules {
namespace {

constexpr std::array kCodes = {
    ErrorCode{"R201", "Something that cannot stand there",
              "The text is no rule from this place on. The message names what stands there and "
              "what could stand there instead. Reading goes on at the next line that begins with "
              "rule or term, so that every such mistake of a file is found at once."},
    ErrorCode{"R202", "A text without its quotation marks",
              "Texts begin and end with a straight quotation mark on one line. Word processors "
              "replace them by curved ones; write rules in a plain text editor."},
    ErrorCode{"R203", "A name that is no term",
              "Rules speak of results, specimen conditions and coded values by the names of terms, "
              "and terms are declared in the same file: term potassium is loinc \"2823-3\"."},
    ErrorCode{"R204", "A word of the language as a name",
              "Words that begin or continue a clause, such as value or result, cannot name a term, "
              "a rule or a route."},
    ErrorCode{"R205", "Too many open parentheses",
              "Conditions may be nested, but nobody can read such a one. Divide the rule."},
    ErrorCode{"R206", "A clause too many or too few",
              "A rule has one `on` and one `then`, and of the other clauses but `missing` and "
              "`test` at most one. Conditions are joined by and, or and not inside of one `when`."},
    ErrorCode{
        "R207", "A unit that is none",
        "Units are UCUM (mmol/L, mg/dL, 10*9/L) or what laboratories usually write instead "
        "(mEq/L, K/uL). What laboratories write for two things, such as MU/L (milliunits or "
        "a million units) and G/L (grams or 10*9 per litre), must be written so that only one "
        "is meant."},
    ErrorCode{"R208", "A number of the wrong kind",
              "A term is measured in one kind of quantity, and a number of another kind can never "
              "be compared with it: mg/dL is a mass per volume, mmol/L an amount of substance. "
              "Between these two the molar mass of the substance leads, if the term says it."},
    ErrorCode{"R209", "A number without its unit",
              "The term is measured in a unit, so each number it is compared with has one."},
    ErrorCode{"R210", "A condition that never holds",
              "Numbers joined by `and` leave no value over, as in value < 2 and value > 6. As a "
              "rule `or` was meant."},
    ErrorCode{"R211", "Two rules of one name in effect on the same day",
              "Several versions of a rule may stand in a file when their days do not overlap. End "
              "the older one with `until`, or rename one of them."},
    ErrorCode{"R212", "Two terms of one name",
              "A term may have many codes, joined by `or`, but is declared once."},
    ErrorCode{"R213", "A term that cannot be so",
              "A code that is empty, a charge that is not a whole number from 1 to 9, or a molar "
              "mass that is no mass per mole."},
    ErrorCode{
        "R214", "A date that cannot be so",
        "Dates are written year, month, day. The last day of a rule is not before its first."},
    ErrorCode{"R215", "A place in a text that stands for nothing",
              "In texts {value} and the like are replaced. A brace is written twice."},
    ErrorCode{"R216", "A rule without a source",
              "Who gets an alert may ask where its threshold comes from. Name the publication or "
              "the decision."},
    ErrorCode{"R217", "A rule without a test",
              "Tests beside a rule show what it does and keep the next change from breaking it."},
    ErrorCode{"R218", "A term that no rule uses", "It may be a misspelling, or left over."},
    ErrorCode{"R219", "A charge that is not declared",
              "A milliequivalent is a millimole of charges. Calcium and magnesium have two, so 2 "
              "mEq/L are 1 mmol/L. Without `charge 2` in the term the two units would be taken for "
              "the same."},
    ErrorCode{"R220", "An age that is not whole",
              "Ages are counted in full units, as people count them."},
    ErrorCode{"R221", "A number that is not whole",
              "Versions and durations are whole numbers from 1 on."},
    ErrorCode{"R222", "A test without a result",
              "A test gives at least one result for the rule to judge. Status, flag, range and "
              "specimen stand behind the result they belong to."},
    ErrorCode{"R223", "A file that is not text", "Rule files are text in UTF-8, up to 16 MB."},
    ErrorCode{"R224", "A LOINC code that cannot be one",
              "The digit behind the hyphen of a LOINC code is computed from those before it (Mod "
              "10, LOINC Users' Guide). With a mistyped digit the rule would look for a code that "
              "nobody sends, and never fire. Look the code up at loinc.org: the message says which "
              "check digit the others would have, but any digit may be the mistyped one. Codes "
              "that are not LOINC's are written code \"K\" or code \"K\" in \"99LAB\"."},
    ErrorCode{
        "R230", "A test of a rule failed",
        "The rule made something else of the test's facts than the test expects. The hint "
        "says step by step why. Either the rule is wrong or the test. A file with such a rule is "
        "treated as one with a mistake: a running engine goes on with what it said before, a "
        "reload changes nothing, and a site does not start with it."},
    ErrorCode{
        "R231", "A rule changed under its version",
        "The file was saved with a rule that says something else than the rule of that name "
        "and version in use. It is in use now all the same, but what was recorded of messages "
        "names a rule by its version, and cannot be told from what comes. Count the version "
        "up with each change of a rule; its tests may change without."},
    ErrorCode{"R250", "A clause that needs history",
              "`repeat not within` looks back at earlier results of the patient, which this "
              "version does not keep. It is refused rather than passed over, so that nobody relies "
              "on it."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::rules
