// The UCUM functional tests (UcumFunctionalTests.xml): which terms are valid, and what they are
// converted to. The file is XML of one element a case, so that its attributes are picked out here.
#include <cmath>
#include <iostream>
#include <map>
#include <regex>

#include <gtest/gtest.h>

#include "rules/units/unit.h"
#include "tests/conformance/corpus.h"

namespace cannula::units {
namespace {

using Attributes = std::map<std::string, std::string>;

std::string plain(std::string text) {
  const std::pair<const char*, const char*> entities[] = {
      {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}};
  for (const auto& [entity, character] : entities) {
    for (std::size_t at; (at = text.find(entity)) != std::string::npos;) {
      text.replace(at, std::string(entity).size(), character);
    }
  }
  return text;
}

std::vector<Attributes> cases_of(const std::string& xml, const std::string& section) {
  const std::size_t begin = xml.find("<" + section + ">");
  const std::size_t end = xml.find("</" + section + ">");
  std::vector<Attributes> cases;
  if (begin == std::string::npos || end == std::string::npos) return cases;
  std::string body = xml.substr(begin, end - begin);
  body = std::regex_replace(body, std::regex("<!--[^]*?-->"), "");
  const std::regex attribute("([A-Za-z0-9]+)\\s*=\\s*\"([^\"]*)\"");
  for (std::size_t at = 0; (at = body.find("<case", at)) != std::string::npos; ++at) {
    const std::string text = body.substr(at, body.find('>', at) - at);
    Attributes found;
    for (std::sregex_iterator match(text.begin(), text.end(), attribute), none; match != none;
         ++match) {
      found[(*match)[1]] = plain((*match)[2]);
    }
    cases.push_back(std::move(found));
  }
  return cases;
}

std::string functional_tests() {
  const auto folder = conformance::corpus_folder("ucum");
  return folder.empty() ? std::string()
                        : conformance::read_file(folder / "UcumFunctionalTests.xml");
}

// "25" for 25.2 and "0.160" for 0.16002 are right: as many digits as the outcome has.
bool agrees(double value, const std::string& outcome) {
  const double expected = std::stod(outcome);
  const std::string digits = outcome.substr(0, outcome.find_first_of("eE"));
  std::size_t significant = 0;
  bool leading = true;
  for (char c : digits) {
    if (c < '0' || c > '9') continue;
    leading = leading && c == '0';
    significant += leading ? 0 : 1;
  }
  const double unit_of_last = std::pow(
      10, std::floor(std::log10(std::abs(expected))) + 1 - static_cast<double>(significant));
  return std::abs(value - expected) <= std::max(0.5001 * unit_of_last, 1e-9 * std::abs(expected));
}

TEST(UcumConformance, ValidAndInvalidTerms) {
  const std::string xml = functional_tests();
  if (xml.empty()) GTEST_SKIP() << "no corpus/ucum; set CANNULA_CORPUS";
  std::size_t right = 0;
  std::size_t falsely_valid = 0;
  const auto cases = cases_of(xml, "validation");
  for (const Attributes& each : cases) {
    const bool valid = each.at("valid") == "true";
    if (Unit::parse(each.at("unit")).has_value() == valid) {
      ++right;
    } else {
      std::cout << "  " << each.at("id") << " " << each.at("unit") << " is "
                << (valid ? "valid" : "invalid") << "\n";
      falsely_valid += valid ? 0 : 1;
    }
  }
  std::cout << "UCUM validation: " << right << " of " << cases.size() << "\n";
  EXPECT_GE(right * 100, cases.size() * 98);
  EXPECT_EQ(falsely_valid, 0U);
}

TEST(UcumConformance, Conversions) {
  const std::string xml = functional_tests();
  if (xml.empty()) GTEST_SKIP() << "no corpus/ucum; set CANNULA_CORPUS";
  std::size_t right = 0;
  const auto cases = cases_of(xml, "conversion");
  for (const Attributes& each : cases) {
    const auto from = Unit::parse(each.at("srcUnit"));
    const auto to = Unit::parse(each.at("dstUnit"));
    const auto value = from && to ? convert(std::stod(each.at("value")), *from, *to) : std::nullopt;
    if (value && agrees(*value, each.at("outcome"))) {
      ++right;
    } else {
      std::cout << "  " << each.at("id") << " " << each.at("srcUnit") << " in "
                << each.at("dstUnit") << ": " << value.value_or(NAN) << ", not "
                << each.at("outcome") << "\n";
    }
  }
  std::cout << "UCUM conversion: " << right << " of " << cases.size() << "\n";
  EXPECT_EQ(right, cases.size());
}

}  // namespace
}  // namespace cannula::units
