#include "rules/units/unit.h"

#include <cmath>

#include <fmt/format.h>

#include "rules/units/atoms.h"
#include "rules/units/clinical.h"

namespace cannula::units {
namespace {

constexpr int kDeepest = 32;           // parentheses
constexpr std::size_t kLongest = 200;  // bytes of a term
constexpr int kLargestExponent = 99;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// UCUM's grammar of terms (section 2.2), read from left to right: `/` and `.` have the same
// precedence.
class TermReader {
 public:
  explicit TermReader(std::string_view text) : text_(text) {}

  bool read_all(Unit& unit) {
    if (text_.size() > kLongest) return fail("is longer than any unit");
    if (text_.empty()) return true;
    if (!term(unit, 0)) return false;
    return at_ == text_.size() || fail("cannot stand here");
  }
  // Whether all of its atoms are of the clinic.
  bool is_clinical() const { return clinical_; }
  const std::string& problem() const { return problem_; }
  std::size_t begin() const { return begin_; }
  std::size_t end() const { return std::max(at_, begin_ + 1); }

 private:
  bool fail(std::string_view why) {
    if (!problem_.empty()) return false;
    begin_ = at_;
    problem_ = at_ < text_.size() ? fmt::format("`{}` {}", text_.substr(at_, 24), why)
                                  : std::string("something is missing at its end");
    return false;
  }
  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }

  bool term(Unit& unit, int depth) {
    int sign = 1;
    if (at('/')) {
      sign = -1;
      ++at_;
    }
    bool alone = sign == 1;
    for (;;) {
      Unit part;
      if (!component(part, depth)) return false;
      const bool more = at('.') || at('/');
      if (alone && !more) {
        unit = part;
        return true;
      }
      alone = false;
      multiply(unit, part, sign);
      if (!more) return true;
      sign = text_[at_++] == '/' ? -1 : 1;
    }
  }

  bool component(Unit& unit, int depth) {
    if (at('(')) {
      if (depth == kDeepest) return fail("is nested too deeply");
      ++at_;
      if (!term(unit, depth + 1)) return false;
      if (!at(')')) return fail("stands where a `)` is expected");
      ++at_;
      return annotation();
    }
    if (at('{')) return annotation();
    if (at_ < text_.size() && is_digit(text_[at_]) && !starts_power_of_ten()) {
      return number(unit) && annotation();
    }
    return symbol(unit) && annotation();
  }

  bool starts_power_of_ten() const {
    return text_.substr(at_, 3) == "10*" || text_.substr(at_, 3) == "10^";
  }

  bool annotation() {
    if (at('{')) {
      const std::size_t close = text_.find('}', at_);
      if (close == std::string_view::npos) return fail("has no `}`");
      for (char c : text_.substr(at_, close - at_)) {
        if (c < 0x20 || c > 0x7E) return fail("has characters that are not ASCII");
      }
      at_ = close + 1;
    }
    if (at_ < text_.size() && !at('.') && !at('/') && !at(')')) {
      return fail("stands where `.` or `/` is expected");
    }
    return true;
  }

  bool number(Unit& unit) {
    double value = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) value = value * 10 + text_[at_] - '0';
    if (value == 0 || !std::isfinite(value)) return fail("is no factor");
    unit.factor = value;
    return true;
  }

  // An atom with prefix and exponent: up to the next operator, brackets taken whole.
  bool symbol(Unit& unit) {
    const std::size_t start = at_;
    std::size_t end = at_;
    if (starts_power_of_ten()) end += 3;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (c == '[') {
        const std::size_t close = text_.find(']', end);
        if (close == std::string_view::npos) return fail("has no `]`");
        end = close;
      } else if (is_digit(c) || std::string_view("+-./(){}").find(c) != std::string_view::npos) {
        break;
      }
    }
    const std::string_view name = text_.substr(start, end - start);
    if (name.empty()) return fail("is no unit");
    if (!find(name, unit)) return fail("is no unit");
    at_ = end;
    return exponent(unit);
  }

  bool find(std::string_view name, Unit& unit) {
    if (const Atom* atom = find_atom(name)) {
      unit = atom->unit;
      // As a factor a K is a thousand: K/uL.
      clinical_ = clinical_ && units::is_clinical("", name) && (name != "K" || name == text_);
      return true;
    }
    for (const Prefix& prefix : prefixes()) {
      if (!name.starts_with(prefix.code)) continue;
      const Atom* atom = find_atom(name.substr(prefix.code.size()));
      if (atom == nullptr || !atom->metric) continue;
      unit = atom->unit;
      unit.factor *= prefix.factor;
      clinical_ = clinical_ && units::is_clinical(prefix.code, atom->code);
      return true;
    }
    return false;
  }

  bool exponent(Unit& unit) {
    const bool negative = at('-');
    const std::size_t start = at_;
    if (at('-') || at('+')) ++at_;
    int exponent = 0;
    std::size_t digits = 0;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_, ++digits) {
      exponent = std::min(exponent * 10 + (text_[at_] - '0'), 1000);
    }
    if (digits == 0) {
      if (at_ == start) return true;
      return fail("stands where an exponent is expected");
    }
    if (exponent > kLargestExponent) {
      at_ = start;
      return fail("is too large an exponent");
    }
    Unit power;
    for (int i = 0; i < exponent; ++i) multiply(power, unit, negative ? -1 : 1);
    if (exponent == 1 && !negative) power.offset = unit.offset;
    unit = power;
    return true;
  }

  void multiply(Unit& product, const Unit& by, int sign) const {
    product.factor = sign > 0 ? product.factor * by.factor : product.factor / by.factor;
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      const int sum = product.dimension[slot] + sign * by.dimension[slot];
      product.dimension[slot] = static_cast<std::int8_t>(std::clamp(sum, -127, 127));
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  bool clinical_ = true;
  std::string problem_;
};

// Equivalents as moles, by the charge.
Unit in_moles(Unit unit, const Substance& substance) {
  const int equivalents{unit.dimension[kEquivalent]};
  if (equivalents != 0) {
    unit.factor /= std::pow(substance.charge, equivalents);
    unit.dimension[kMole] = static_cast<std::int8_t>(unit.dimension[kMole] + equivalents);
    unit.dimension[kEquivalent] = 0;
  }
  if (!substance.international_unit_is_enzyme_unit) return unit;
  static const Unit international = find_atom("[IU]")->unit;
  for (std::size_t slot = kFirstArbitrary; slot < kSlots; ++slot) {
    if (international.dimension[slot] == 0) continue;
    const int count{unit.dimension[slot]};
    unit.factor *= std::pow(find_atom("U")->unit.factor, count);
    unit.dimension[kMole] = static_cast<std::int8_t>(unit.dimension[kMole] + count);
    unit.dimension[kSecond] = static_cast<std::int8_t>(unit.dimension[kSecond] - count);
    unit.dimension[slot] = 0;
  }
  return unit;
}

// What one of `from` is in base units of `to`, apart from its factor: 1, or by the molar mass;
// nullopt when they are of different kinds.
std::optional<double> bridge(const Unit& from, const Unit& to, const Substance& substance) {
  if (from.dimension == to.dimension) return 1;
  if (!substance.molar_mass) return std::nullopt;
  for (const int moles : {1, -1}) {
    Dimension bridged = from.dimension;
    bridged[kMole] = static_cast<std::int8_t>(bridged[kMole] - moles);
    bridged[kGram] = static_cast<std::int8_t>(bridged[kGram] + moles);
    if (bridged == to.dimension) return std::pow(*substance.molar_mass, moles);
  }
  return std::nullopt;
}

}  // namespace

Result<Unit> Unit::parse(std::string_view text) {
  TermReader reader(text);
  Unit unit;
  if (reader.read_all(unit)) return unit;
  return Error{"R301", fmt::format("`{}` is no unit of UCUM: {}", text, reader.problem()),
               "units are written as in mmol/L, mg/dL, 10*9/L, mm[Hg], {copies}/mL",
               Span{reader.begin(), std::min(reader.end(), std::max(text.size(), std::size_t{1}))}};
}

bool Unit::is_clinical(std::string_view text) {
  TermReader reader(text);
  Unit unit;
  return reader.read_all(unit) && reader.is_clinical();
}

bool Unit::is_number() const {
  return dimension == Dimension{};
}

bool comparable(const Unit& a, const Unit& b, const Substance& substance) {
  return bridge(in_moles(a, substance), in_moles(b, substance), substance).has_value();
}

std::optional<double> convert(double value, const Unit& from, const Unit& to,
                              const Substance& substance) {
  // Equal units give the same number back, without a trip through base units.
  if (from == to) return value;
  const Unit source = in_moles(from, substance);
  const Unit target = in_moles(to, substance);
  const auto factor = bridge(source, target, substance);
  if (!factor) return std::nullopt;
  if (source.offset == 0 && target.offset == 0) {
    return value * (source.factor * *factor / target.factor);
  }
  return (value * source.factor + source.offset - target.offset) * *factor / target.factor;
}

}  // namespace cannula::units
