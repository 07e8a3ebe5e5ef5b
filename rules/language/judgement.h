// A condition on one observation: yes, no, or could not be told and what was missing for it. Says
// step by step why.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "rules/language/program.h"

namespace cannula::rules {

enum class Truth : std::uint8_t { no, yes, unknown };

struct Judgement {
  Truth truth = Truth::no;
  std::uint16_t lacks = 0;  // of unknown: bits by Lack

  static Judgement of(bool truth) { return {truth ? Truth::yes : Truth::no, 0}; }
  static Judgement lacking(Lack lack) {
    return {Truth::unknown, static_cast<std::uint16_t>(1U << static_cast<unsigned>(lack))};
  }
};

// The facts of a message and the terms of each of its observations.
struct Observed {
  const Program& program;
  const facts::Case& facts;
  std::vector<std::vector<TermIndex>> terms;  // by observation
};

// Cancelled, posted as wrong, or not there yet.
bool is_result(const facts::Observation& observation);

class Judge {
 public:
  // `because` gets a line for each step.
  Judge(const Observed& observed, std::size_t observation, std::vector<std::string>& because)
      : observed_(observed), number_(observation), because_(because) {}

  Judgement judge(const Condition& condition);

 private:
  Judgement group(const Condition& condition);
  Judgement about_values(const Condition& condition);
  Judgement about_value(const Condition& condition, const facts::Observation& observation);
  Judgement numbers(const Condition& condition, const facts::Observation& observation);
  Judgement reference_range(const Condition& condition, const facts::Observation& observation);
  Judgement matches(const Condition& condition, const facts::Observation& observation) const;
  Judgement age(const Condition& condition);
  Judgement sex(const Condition& condition);
  Judgement flag(const Condition& condition);
  Judgement status(const Condition& condition);
  Judgement specimen(const Condition& condition);
  Judgement known(const Condition& condition);
  Judgement note(Judgement judgement, std::string step, std::string_view why = {});
  const facts::Observation& observation() const { return observed_.facts.observations[number_]; }

  const Observed& observed_;
  std::size_t number_;
  std::vector<std::string>& because_;
};

}  // namespace cannula::rules
