// What becomes of an attempt at a delivery: what is learned about the other side, and what is put on
// record before the keys go on.
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "engine/pipeline/backoff.h"
#include "engine/pipeline/destination.h"
#include "engine/pipeline/retry_policy.h"
#include "engine/pipeline/secretless.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kQuietAfterFailure{
    10'000};                                // one that fails now and then is not said each time
constexpr milliseconds kRecordAgain{1000};  // after the store could not take an attempt

}  // namespace

void Destination::settle(Lane::Entry* entry, const Remembered& ended) {
  using Act = config::RetryConfig::Act;
  const Answer& answer = ended.answer;
  entry->item.remember = ended.remember;
  if (answer.kind == Answer::Kind::delivered) return settle_delivered(entry, answer);
  if (cutting_off_ && answer.kind == Answer::Kind::retry) return settle_cut_off(entry, answer);
  const Act act = act_on(config_.retry, answer);
  note_failure(ended, act);
  switch (ended.stuck && act == Act::retry ? Act::hold : act) {
    case Act::dead:
      return settle_dead(entry, answer);
    case Act::hold:
      return settle_held(entry, answer);
    case Act::retry:
      return settle_retry(entry, answer);
  }
}

// Our own doing, and no failure of the other side. It may have the message all the same, and get it
// again: so that is on record.
void Destination::settle_cut_off(Lane::Entry* entry, const Answer& answer) {
  if (discarded_.contains({entry->item.id, entry->item.ordinal})) return finish(entry);
  store::Attempt attempt = attempt_record(*entry, answer, store::DeliveryState::retrying);
  attempt.next_at = attempt.at;
  commit(std::move(attempt), nullptr);
  lanes_.put_back(entry);
}

// What the breaker learns from it. Trouble of our own (a P code) says nothing of the other side.
void Destination::note_failure(const Remembered& ended, config::RetryConfig::Act act) {
  const Answer& answer = ended.answer;
  // It answers, whatever it says; of an answer that ends the delivery it is known that it is about
  // the message.
  const bool about_the_message = answer.response && act != config::RetryConfig::Act::retry;
  if (answer.kind == Answer::Kind::refused || about_the_message || ended.stuck) {
    breaker_.answered();
    return;
  }
  if (answer.reason.code.starts_with('P') && !is_missing_secret(answer.reason)) return;
  const bool may_be_logged = !answer.response || answer.own_words;
  const std::string why = may_be_logged ? answer.reason.text() : answer.reason.code;
  const bool is_first = breaker_.failures_in_a_row() == 0;
  if (note_no_answer(why)) {
    ports_.report.log(Report::Level::warning,
                      fmt::format("destination {} is away ({}); trying again with growing pauses",
                                  config_.name, why));
  } else if (is_first && steady_clock::now() >= say_again_) {
    say_again_ = steady_clock::now() + kQuietAfterFailure;
    ports_.report.log(Report::Level::warning,
                      fmt::format("an attempt at a delivery failed ({}); it is tried again", why));
  }
  if (answer.retry_after) breaker_.be_quiet_until(steady_clock::now() + *answer.retry_after);
}

// True when that opens the breaker.
bool Destination::note_no_answer(std::string why) {
  {
    std::scoped_lock lock(standing_mutex_);
    if (breaker_.failures_in_a_row() == 0) standing_.failing_since = clock_.now();
    standing_.last_failure = std::move(why);
  }
  return breaker_.failed(steady_clock::now(), sender_->concurrency());
}

void Destination::begin_away(const Error& why) {
  while (!note_no_answer(why.text())) {
  }
  note_standing();
}

store::Attempt Destination::attempt_record(const Lane::Entry& entry, const Answer& answer,
                                           store::DeliveryState state) const {
  store::Attempt attempt;
  attempt.id = entry.item.id;
  attempt.channel = channel_;
  attempt.ordinal = entry.item.ordinal;
  attempt.destination = entry.item.asked_as;
  attempt.at = clock_.now();
  attempt.number = entry.item.attempts + 1;
  attempt.state = state;
  if (answer.kind != Answer::Kind::delivered) {
    attempt.code = answer.reason.code;
    attempt.reason = answer.reason.message;
    if (!answer.quoted.empty()) attempt.reason += "; " + answer.quoted;
  }
  attempt.response = answer.response ? answer.response : answer.received;
  attempt.attributes = answer.attributes;
  if (entry.item.remember) {
    attempt.wire_state.push_back({memory_key(config_.name), entry.item.remember});
  }
  return attempt;
}

// Offered until the store has it. Were it lost in a crash, the delivery would be made again with
// the same key; so the next one of its order keys goes out only after it, and what is repeated
// never follows something later. A record that only says "not yet" (`committed` is empty) is not
// offered again: it could come after the one that says "delivered".
void Destination::commit(store::Attempt attempt, std::function<void()> committed) {
  auto shared = std::make_shared<store::Attempt>(std::move(attempt));
  std::vector<store::Record> records;
  records.emplace_back(*shared);
  auto done = [self = shared_from_this(), shared, committed = std::move(committed)](
                  const Result<std::vector<store::Committed>>& result) mutable {
    if (!committed) return;
    if (result) return committed();
    asio::post(self->ports_.executor, [self, shared, committed = std::move(committed)]() mutable {
      if (self->stopping_) return;
      auto again = std::make_shared<asio::steady_timer>(self->ports_.executor, kRecordAgain);
      again->async_wait(
          [self, shared, again, committed = std::move(committed)](auto error) mutable {
            if (!error && !self->stopping_) self->commit(std::move(*shared), std::move(committed));
          });
    });
  };
  store_.submit(std::move(records), std::move(done));
}

void Destination::finish(Lane::Entry* entry) {
  leave_memory(entry->item);
  const Name name(entry->item.id, entry->item.ordinal);
  discarded_.erase(name);
  {
    std::scoped_lock lock(arriving_mutex_);
    if (resent_.erase(name) > 0) ended_.add(name, store_.end());
    if (!refilling_) index_was_at(store_.indexed_up_to());
  }
  lanes_.release(entry);
}

void Destination::settle_delivered(Lane::Entry* entry, const Answer& answer) {
  ++metrics_->delivered;
  store::Attempt attempt = attempt_record(*entry, answer, store::DeliveryState::delivered);
  attempt.wants_handler = observer_.wants_responses();
  commit(std::move(attempt), [self = shared_from_this(), entry, answer] {
    self->observer_.delivered(entry->item, entry->keys(), self->config_.name, answer);
    self->recorded(entry);
  });
  lift_holds(entry->item.id);
  if (breaker_.answered()) {
    ports_.report.log(Report::Level::info,
                      fmt::format("destination {} answers again", config_.name));
    wake_sleepers(true);
  }
}

void Destination::settle_dead(Lane::Entry* entry, const Answer& answer) {
  if (discarded_.contains({entry->item.id, entry->item.ordinal})) return finish(entry);
  ++metrics_->dead;
  // The other side's own words may name a patient: they are kept with the message, not in the log.
  ports_.report.log(
      Report::Level::warning,
      fmt::format("message {} is dead at destination {} [{}]; see `cannula msg show {}`",
                  entry->item.id.text(), config_.name, answer.reason.code, entry->item.id.text()));
  if (hold_key_) hold(entry->item.id, entry->keys());
  commit(attempt_record(*entry, answer, store::DeliveryState::dead),
         [self = shared_from_this(), entry, reason = answer.reason] {
           self->observer_.died(entry->item, entry->keys(), self->config_.name, reason);
           self->recorded(entry);
         });
}

// Its keys wait whatever `on_hold` says: that is what was asked for.
void Destination::settle_held(Lane::Entry* entry, const Answer& answer) {
  if (discarded_.contains({entry->item.id, entry->item.ordinal})) return finish(entry);
  ++metrics_->held;
  ports_.report.log(
      Report::Level::warning,
      fmt::format("message {} is held at destination {} [{}], and what follows of its key waits; "
                  "see `cannula msg show {}`",
                  entry->item.id.text(), config_.name, answer.reason.code, entry->item.id.text()));
  hold(entry->item.id, entry->keys());
  commit(attempt_record(*entry, answer, store::DeliveryState::held),
         [self = shared_from_this(), entry, reason = answer.reason] {
           self->observer_.held(entry->item, self->config_.name, reason);
           self->recorded(entry);
         });
}

// On the journal's thread: the executor lets the entry's keys go on.
void Destination::recorded(Lane::Entry* entry) {
  std::scoped_lock lock(arriving_mutex_);
  recorded_.push_back(entry);
  wake();
}

// By the monotonic clock, and from the first attempt on: neither a wall clock that jumps nor a long
// queue before it makes a delivery dead.
bool Destination::give_up(const Delivery& delivery) const {
  milliseconds tried = delivery.tried_for;
  if (delivery.first_tried)
    tried += std::chrono::floor<milliseconds>(steady_clock::now() - *delivery.first_tried);
  return tried >= config_.retry.give_up_after;
}

void Destination::settle_retry(Lane::Entry* entry, const Answer& answer) {
  if (discarded_.contains({entry->item.id, entry->item.ordinal})) return finish(entry);
  if (give_up(entry->item)) {
    Answer given_up = answer;
    given_up.reason.message =
        fmt::format("given up after {} attempts in {}: {}", entry->item.attempts + 1,
                    duration_text(config_.retry.give_up_after), answer.reason.message);
    given_up.reason.code = "P302";
    return settle_dead(entry, given_up);
  }
  ++metrics_->retried;
  milliseconds wait =
      backoff(entry->item.attempts + 1, config_.retry.first, config_.retry.max, random_);
  if (answer.retry_after) wait = std::max(wait, *answer.retry_after);
  store::Attempt attempt = attempt_record(*entry, answer, store::DeliveryState::retrying);
  attempt.next_at = attempt.at + wait.count() * 1000;
  commit(std::move(attempt), nullptr);
  ++entry->item.attempts;
  sleep(entry, wait);
}

}  // namespace cannula::pipeline
