#include "rules/language/terms.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "rules/facts/facts.h"
#include "rules/tables/loinc.h"

namespace cannula::rules {
namespace {

double number_of(const Node& node) {
  double value = 0;
  std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
  return value;
}

bool is_of_two_charges(const Term& term) {
  const std::string name = small_letters(term.name);
  return name.find("calcium") != std::string::npos || name.find("magnesium") != std::string::npos;
}

}  // namespace

Terms::Terms(Findings& findings, const Syntax& syntax) : findings_(findings), syntax_(syntax) {
  for (const Node& item : syntax.items) {
    if (item.kind == Kind::term) declare(item);
  }
}

void Terms::declare(const Node& node) {
  const Node& name = node.children.front();
  Term term;
  term.name = name.text;
  term.span = name.span;
  for (const Node& child : node.children) {
    if (child.kind == Kind::code) add_code(child, term);
  }
  const auto index = static_cast<TermIndex>(terms_.size());
  const auto [at, added] = by_name_.emplace(term.name, index);
  if (!added) {
    findings_.error("R212", name.span, fmt::format("there is already a term `{}`", term.name),
                    fmt::format("it stands on line {}; join the codes of both with `or`",
                                findings_.line_of(terms_[at->second].span)));
    return;
  }
  charge_declared_.push_back(node.find(Kind::charge) != nullptr);
  charge_warned_.push_back(false);
  measure_declared_.push_back(node.find(Kind::measured) != nullptr);
  used_.push_back(false);
  terms_.push_back(std::move(term));
  add_properties(node, terms_.back());
}

void Terms::add_code(const Node& node, Term& term) {
  CodePattern pattern;
  const std::string& kind = node.children[0].text;
  const Node& code = node.children[1];
  pattern.code = code.text;
  if (kind == "text") {
    pattern.kind = CodePattern::Kind::text;
    pattern.code = small_letters(pattern.code);
  } else if (const Node* in = node.find(Kind::in_system)) {
    pattern.system = facts::code_system(in->children.front().text);
  } else if (kind != "code") {
    pattern.system = kind;
  }
  if (code.text.empty()) {
    findings_.error("R213", code.span, "this code is empty", "write the code between the quotes");
  } else if (pattern.system == "loinc") {
    check_loinc(code);
  }
  term.codes.push_back(std::move(pattern));
}

// A rule about a code that does not exist would never fire, and nobody would know.
void Terms::check_loinc(const Node& code) {
  const auto mistake = tables::loinc_mistake(code.text);
  if (!mistake) return;
  findings_.error(
      "R224", code.span, mistake->what,
      mistake->better.empty()
          ? fmt::format("a code of the laboratory's own is written code \"{}\"", code.text)
          : fmt::format("did you mean {}? Look the code up: any of its digits may be the "
                        "mistyped one",
                        mistake->better));
}

void Terms::add_properties(const Node& node, Term& term) {
  const auto index = static_cast<TermIndex>(terms_.size() - 1);
  for (const Node& child : node.children) {
    if (child.kind == Kind::measured) {
      term.measure = unit_of(child.children.front());
      measured_on_line_[index] = findings_.line_of(child.span);
    } else if (child.kind == Kind::charge) {
      const double charge = number_of(child.children.front());
      term.substance.charge = static_cast<int>(std::clamp(charge, 1.0, 9.0));
      if (charge != term.substance.charge) {
        findings_.error("R213", child.span, "the charge of an ion is a whole number from 1 to 9");
      }
    } else if (child.kind == Kind::molar_mass) {
      const double mass = number_of(child.children.front());
      const auto unit = unit_of(child.children.back());
      if (!unit) continue;
      const auto grams = units::convert(mass, unit->unit, *units::Unit::parse("g/mol"));
      if (!grams || !(*grams > 0)) {
        findings_.error("R213", child.span,
                        "a molar mass is a mass per mole, such as 113.12 g/mol");
        continue;
      }
      term.substance.molar_mass = grams;
    }
  }
  if (term.substance.molar_mass)
    warn_of_charge(term, WrittenUnit{*units::Unit::parse("mol"), {}}, term.span);
  // In feeds "IU/L" of an enzyme is U/L; a term is one analyte, so that nothing else is mixed up.
  term.substance.international_unit_is_enzyme_unit = true;
}

bool Terms::unreadable(const std::string& name) const {
  return std::find(syntax_.unread_terms.begin(), syntax_.unread_terms.end(), name) !=
         syntax_.unread_terms.end();
}

std::optional<TermIndex> Terms::resolve(const Node& name) {
  const auto at = by_name_.find(name.text);
  if (at != by_name_.end()) {
    used_[at->second] = true;
    return at->second;
  }
  if (unreadable(name.text) || !reported_.insert(name.text).second) return std::nullopt;
  std::vector<std::string_view> names;
  for (const auto& [known, index] : by_name_) names.push_back(known);
  const auto near = nearest(name.text, names);
  if (near) used_[by_name_.find(*near)->second] = true;
  findings_.error(
      "R203", name.span, fmt::format("there is no term `{}` in this file", name.text),
      near ? fmt::format("did you mean `{}`?", *near)
           : fmt::format("say what it stands for: term {} is loinc \"\u2026\"", name.text));
  return std::nullopt;
}

std::optional<WrittenUnit> Terms::unit_of(const Node& node) {
  auto unit = units::Unit::read(node.text);
  if (unit) return WrittenUnit{*unit, node.text};
  if (const auto readings = units::two_readings(node.text)) {
    findings_.error("R207", node.span, fmt::format("`{}` is used for two units", node.text),
                    fmt::format("write {} or {}", readings->one, readings->other));
    return std::nullopt;
  }
  const auto near = units::nearest_unit(node.text);
  findings_.error("R207", node.span, fmt::format("`{}` is no unit", node.text),
                  near ? fmt::format("did you mean {}?", *near)
                       : "units are written as in mmol/L, mg/dL, 10*9/L, U/L, %");
  return std::nullopt;
}

bool Terms::keeps_to_measure(const std::vector<TermIndex>& terms, const Quantity& quantity,
                             Span span) {
  for (const TermIndex index : terms) {
    Term& term = terms_[index];
    if (!term.measure) {
      term.measure = quantity.unit;
      measured_on_line_[index] = findings_.line_of(span);
      warn_of_charge(term, quantity.unit, span);
      continue;
    }
    warn_of_charge(term, quantity.unit, span);
    const std::string where =
        measure_declared_[index]
            ? fmt::format("{} is measured in {}", term.name,
                          term.measure->text.empty() ? "plain numbers" : term.measure->text)
            : fmt::format(
                  "on line {} {} is compared with {}", measured_on_line_[index], term.name,
                  term.measure->text.empty() ? "a number without unit" : term.measure->text);
    if (quantity.unit.text.empty() != term.measure->text.empty()) {
      if (quantity.unit.text.empty() && !term.measure->unit.is_number()) {
        findings_.error(
            "R209", span, fmt::format("{} has no unit, but {}", quantity.digits, where),
            fmt::format("write {} {}, if that is meant", quantity.digits, term.measure->text));
        return false;
      }
    }
    if (units::comparable(quantity.unit.unit, term.measure->unit, term.substance)) continue;
    const bool by_mass = [&] {
      units::Substance any = term.substance;
      any.molar_mass = 1;
      return units::comparable(quantity.unit.unit, term.measure->unit, any);
    }();
    findings_.error(
        "R208", span,
        fmt::format("{} is {}, but {}, {}", quantity.unit.text, units::kind_of(quantity.unit.unit),
                    where, units::kind_of(term.measure->unit)),
        by_mass ? fmt::format("write it in {}, or give the term its molar mass: molar mass \u2026 "
                              "g/mol",
                              term.measure->text)
                : fmt::format("write it in {}", term.measure->text));
    return false;
  }
  return true;
}

// mEq/L of calcium is half a mmol/L; who writes either should say which charge is meant.
void Terms::warn_of_charge(const Term& term, const WrittenUnit& unit, Span span) {
  const auto index = static_cast<std::size_t>(&term - terms_.data());
  if (charge_declared_[index] || charge_warned_[index] || !is_of_two_charges(term)) return;
  const auto& dimension = unit.unit.dimension;
  if (dimension[units::kMole] == 0 && dimension[units::kEquivalent] == 0) return;
  charge_warned_[index] = true;
  findings_.warning(
      "R219", span,
      fmt::format("{} has two charges, but its term does not say so: a result in "
                  "mEq/L would be taken for as many mmol/L",
                  term.name),
      fmt::format("add `charge 2` to the term on line {}", findings_.line_of(term.span)));
}

void Terms::warn_of_unused() {
  for (std::size_t index = 0; index < terms_.size(); ++index) {
    if (used_[index]) continue;
    findings_.warning("R218", terms_[index].span,
                      fmt::format("no rule uses the term `{}`", terms_[index].name),
                      "remove it, or use it");
  }
}

}  // namespace cannula::rules
