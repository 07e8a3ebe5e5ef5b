#include "rules/units/error_codes.h"

#include <array>

namespace cannula::units {
namespace {

constexpr std::array kCodes = {
    ErrorCode{
        "R301", "A text that is no unit",
        "Units are terms of UCUM, the unified code for units of measure: atoms such as mol, "
        "g, L, U, [IU], with prefixes (m, u, n, k), exponents, joined by / and . and "
        "annotated in braces. The message names the part that is no unit. Capital and small "
        "letters differ in UCUM: mg is a milligram. What laboratories write instead (mEq/L, "
        "K/uL, MG/DL, mM) is understood in messages and rules, apart from texts that are used for "
        "two things, such as MU/L and G/L."},
};

}  // namespace

std::span<const ErrorCode> error_codes() {
  return kCodes;
}

}  // namespace cannula::units
