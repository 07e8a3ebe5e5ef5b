// What a run did, against what was expected of it.
#pragma once

#include <string>
#include <vector>

#include "engine/trial/channel_test.h"

namespace cannula::trial {

// An expectation that was not met: where it stands in the test (V2xx), and the particulars, a line
// each.
struct Failure {
  Diagnostic finding;
  std::vector<std::string> details;
};

// A payload of the test file that --update would write anew.
struct Rewrite {
  const ExpectedPayload* expected;
  std::string text;  // what came, readable()
};

struct Checked {
  std::vector<Failure> failures;
  std::vector<Rewrite> rewrites;
};

// `what` names the run: "message 2". `state` is as it is after the run. False when the run ended as
// something else than expected, so that nothing more can be said.
bool check(const ChannelTest& test, const Expectation& expect, const GivenMessage& given,
           const Ran& ran, const Trial::State& state, const std::string& what, Checked& checked);

// Something that kept a test from being run to its end.
void fail(const ChannelTest& test, Checked& checked, std::string code, Span at, std::string message,
          std::string hint, std::vector<std::string> details = {});

// The word for what became of a message: "done", "skipped", "parked", "rejected", "dead".
std::string_view outcome_name(script::Conclusion::Kind kind);

}  // namespace cannula::trial
