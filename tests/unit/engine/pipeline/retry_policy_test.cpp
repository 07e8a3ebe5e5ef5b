#include "engine/pipeline/retry_policy.h"

#include <gmock/gmock.h>

#include "engine/pipeline/breaker.h"
#include "engine/pipeline/pacer.h"

namespace cannula::pipeline {
namespace {

using config::RetryConfig;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using Act = RetryConfig::Act;

Answer http(unsigned status, Answer::Kind kind, const char* code) {
  Answer answer;
  answer.kind = kind;
  answer.reason = Error(code, "said");
  answer.response = make_bytes("body");
  answer.attributes = R"({"status": )" + std::to_string(status) + "}";
  return answer;
}
Answer silence(const char* code) {
  Answer answer;
  answer.reason = Error(code, "no answer");
  return answer;
}

TEST(RetryPolicy, TheMostParticularNameComesFirst) {
  EXPECT_THAT(names_of(http(409, Answer::Kind::refused, "T353")),
              ElementsAre("409", "T353", "4xx", "refused"));
  EXPECT_THAT(names_of(http(429, Answer::Kind::retry, "T354")),
              ElementsAre("429", "T354", "4xx", "busy"));
  EXPECT_THAT(names_of(silence("T103")), ElementsAre("T103", "transport"));
  EXPECT_THAT(names_of(silence("T356")), ElementsAre("T356", "timeout"));
  EXPECT_THAT(names_of(silence("T357")), ElementsAre("T357", "tls"));
  Answer refused;
  refused.kind = Answer::Kind::refused;
  refused.reason = Error("M201", "AR");
  refused.response = make_bytes("MSH|^~\\&|E|G|L|G|20260101||ACK|1|P|2.5\rMSA|AR|N1\r");
  EXPECT_THAT(names_of(refused), ElementsAre("AR", "M201", "refused"));
}

TEST(RetryPolicy, UnlessSaidWhatIsRefusedIsDeadAndTheRestIsTriedAgain) {
  RetryConfig retry;
  EXPECT_EQ(act_on(retry, http(400, Answer::Kind::refused, "T353")), Act::dead);
  EXPECT_EQ(act_on(retry, silence("T103")), Act::retry);
  retry.on = {{"refused", Act::hold}, {"4xx", Act::dead}, {"409", Act::retry}};
  EXPECT_EQ(act_on(retry, http(409, Answer::Kind::refused, "T353")), Act::retry);
  EXPECT_EQ(act_on(retry, http(400, Answer::Kind::refused, "T353")), Act::dead);
  EXPECT_EQ(act_on(retry, http(301, Answer::Kind::refused, "T353")), Act::hold);
}

TEST(RetryPolicy, WhatConcernsTheDestinationIsTriedAgainUnlessItIsNamed) {
  RetryConfig retry;
  const Answer forbidden = http(403, Answer::Kind::retry, "T360");
  EXPECT_THAT(names_of(forbidden), ElementsAre("403", "T360", "4xx", "transport"));
  EXPECT_EQ(act_on(retry, forbidden), Act::retry);
  retry.on = {{"refused", Act::dead}};
  EXPECT_EQ(act_on(retry, forbidden), Act::retry);
  retry.on = {{"403", Act::dead}};
  EXPECT_EQ(act_on(retry, forbidden), Act::dead);
}

TEST(RetryPolicy, TroubleOfOurOwnIsAlwaysTriedAgain) {
  RetryConfig retry;
  retry.on = {{"transport", Act::dead}};
  EXPECT_EQ(act_on(retry, silence("P301")), Act::retry);
  EXPECT_EQ(act_on(retry, silence("T103")), Act::dead);
}

TEST(Breaker, OpensAfterSoManyFailuresLetsOneProbeGoAndComesBackSlowly) {
  RetryConfig retry;
  retry.first = seconds(1);
  retry.away_after = 3;
  Breaker breaker(retry);
  const auto now = std::chrono::steady_clock::now();
  EXPECT_EQ(breaker.allowed(now, 8), 8u);
  EXPECT_FALSE(breaker.failed(now, 8));
  EXPECT_FALSE(breaker.failed(now, 8));
  EXPECT_TRUE(breaker.failed(now, 8)) << "now it is away";
  EXPECT_EQ(breaker.state(now), Breaker::State::open);
  EXPECT_EQ(breaker.allowed(now, 8), 0u);
  const auto later = now + seconds(2);
  EXPECT_EQ(breaker.state(later), Breaker::State::half_open);
  EXPECT_EQ(breaker.allowed(later, 8), 1u);
  EXPECT_FALSE(breaker.failed(later, 8)) << "away already";
  EXPECT_EQ(breaker.allowed(later, 8), 0u);
  EXPECT_TRUE(breaker.answered());
  const auto back = later + seconds(60);
  EXPECT_EQ(breaker.allowed(back, 8), 1u);
  breaker.answered();
  EXPECT_EQ(breaker.allowed(back, 8), 2u);
  for (int i = 0; i < 20; ++i) breaker.answered();
  EXPECT_EQ(breaker.allowed(back, 8), 8u);
}

TEST(Breaker, WhatFailsTogetherOpensItOnce) {
  RetryConfig retry;
  retry.first = seconds(1);
  retry.max = seconds(300);
  retry.away_after = 5;
  Breaker breaker(retry);
  const auto now = std::chrono::steady_clock::now();
  for (int i = 0; i < 32; ++i) EXPECT_EQ(breaker.failed(now, 32), i == 4) << i;
  EXPECT_EQ(breaker.failures_in_a_row(), 32u);
  EXPECT_LE(breaker.quiet_until(), now + seconds(1)) << "the first pause, not the 28th";
  const auto later = now + seconds(2);
  breaker.failed(later, 32);  // the probe
  EXPECT_LE(breaker.quiet_until(), later + seconds(2)) << "the second";
  EXPECT_GT(breaker.quiet_until(), later);
}

TEST(Breaker, NothingGoesBeforeTheOtherSideWantsIt) {
  RetryConfig retry;
  Breaker breaker(retry);
  const auto now = std::chrono::steady_clock::now();
  breaker.be_quiet_until(now + seconds(30));
  EXPECT_EQ(breaker.allowed(now + seconds(29), 8), 0u);
  EXPECT_EQ(breaker.allowed(now + seconds(30), 8), 8u);
  EXPECT_FALSE(breaker.away());
}

TEST(Pacer, LetsNoMoreGoThanTheRateAndATenthOfASecondAtOnce) {
  Pacer pacer(config::RateLimit{20, seconds(1)});
  const auto begin = std::chrono::steady_clock::now();
  int went = 0;
  for (milliseconds time{0}; time < seconds(10); time += milliseconds(1)) {
    while (begin + time >= pacer.next()) {
      pacer.went(begin + time);
      ++went;
    }
  }
  EXPECT_GE(went, 200);
  EXPECT_LE(went, 203);
}

}  // namespace
}  // namespace cannula::pipeline
