// What becomes of a message: the outcome of its script, what follows once that is on disk, what its
// deliveries come to, and whom that is told.
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/pipeline/channel.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/delivery_loader.h"
#include "engine/pipeline/scheduler.h"
#include "engine/pipeline/search_keys.h"
#include "engine/store/message_life.h"
#include "parsers/hl7v2/acknowledgement.h"

namespace cannula::pipeline {
namespace {

// What a sender that waits is told when a script fails. What the script says itself may quote other
// patients, tables and file names: it is for those who run the engine, in `cannula msg show`.
const std::string kScriptFailed =
    "the message is on record, but working it failed; those who run this engine have to look at it";

constexpr std::uint32_t kLimitsUntilPause =
    5;  // messages in a row that ran into a limit of the sandbox
constexpr std::chrono::milliseconds kCommitAgain{500};

store::MessageState state_of(const script::Conclusion& conclusion) {
  using Kind = script::Conclusion::Kind;
  switch (conclusion.kind) {
    case Kind::finished:
      return conclusion.sends.empty() ? store::MessageState::done : store::MessageState::queued;
    case Kind::skipped:
      return store::MessageState::filtered;
    case Kind::parked:
      return store::MessageState::parked;
    case Kind::rejected:
      return store::MessageState::rejected;
    case Kind::failed:
      break;
  }
  return store::MessageState::dead;
}

// A lane of its own for each message, so that its responses are handled one after another.
std::uint64_t lane_of(MessageId id) {
  return (id.value * 0x9E3779B97F4A7C15ull) | (1ull << 63);
}

// Where a script failed, for the log.
std::string at_place(const std::string& reason) {
  const std::string place = store::place_in_script(reason);
  return place.empty() ? place : " at " + place;
}

}  // namespace

// The reasons stay out of the log: a script's words may quote the patient.
void Channel::log_what_stops(const store::Outcome& outcome) const {
  const std::string id = outcome.id.text();
  switch (outcome.state) {
    case store::MessageState::dead:
      spdlog::error(
          "channel {}: message {} is dead: its script failed{} [{}]; see `cannula msg show {}`",
          config_.name, id, at_place(outcome.reason), outcome.code, id);
      return;
    case store::MessageState::parked:
      if (outcome.until_mapped) {
        spdlog::warn(
            "channel {}: message {} is parked until {} of its codes have a row; see `cannula table "
            "unmapped`",
            config_.name, id, outcome.misses.size());
        return;
      }
      spdlog::warn("channel {}: message {} is parked for a person; see `cannula msg show {}`",
                   config_.name, id, id);
      return;
    case store::MessageState::rejected:
      spdlog::warn("channel {}: message {} was rejected by the script; see `cannula msg show {}`",
                   config_.name, id, id);
      return;
    default:
      return;
  }
}

void Channel::count(const script::Conclusion& conclusion) {
  using Kind = script::Conclusion::Kind;
  switch (conclusion.kind) {
    case Kind::finished:
      ++metrics_.finished;
      break;
    case Kind::skipped:
      ++metrics_.filtered;
      break;
    case Kind::parked:
      ++metrics_.parked;
      break;
    case Kind::rejected:
      ++metrics_.rejected;
      break;
    case Kind::failed:
      ++metrics_.dead;
      break;
  }
  if (!conclusion.hit_limit) {
    limits_in_a_row_ = 0;
    return;
  }
  ++metrics_.limit_hits;
  if (++limits_in_a_row_ >= kLimitsUntilPause) {
    pause_work(fmt::format("{} messages in a row ran into a limit of the sandbox ({})",
                           kLimitsUntilPause, conclusion.reason.substr(0, 200)));
  }
}

std::uint32_t Channel::take_ordinals(const WorkItem& item, std::size_t deliveries) {
  if (!wants_responses()) return item.next_ordinal;
  std::optional<OpenMessage>
      stored;  // after a restart: what the index knows, once it knows everything
  if (item.response) {
    bool known = false;
    {
      std::scoped_lock lock(open_mutex_);
      known = open_.contains(item.id);
    }
    if (!known) stored = open_in_store(item.id);
  }
  std::scoped_lock lock(open_mutex_);
  auto [place, added] =
      open_.try_emplace(item.id, stored.value_or(OpenMessage{item.next_ordinal, 0}));
  OpenMessage& open = place->second;
  const std::uint32_t next = open.next_ordinal;
  open.next_ordinal += static_cast<std::uint32_t>(deliveries);
  open.open += deliveries;
  if (item.response && open.open > 0) --open.open;
  if (open.open == 0) open_.erase(place);
  return next;
}

Channel::OpenMessage Channel::open_in_store(MessageId id) const {
  if (auto flushed = store_.commit({}); !flushed) {
    spdlog::warn("channel {}: {}", config_.name, flushed.error().text());
  }
  store_.catch_up();
  OpenMessage open;
  if (auto rows = store_.deliveries(id)) {
    for (const auto& row : *rows) {
      open.next_ordinal = std::max(open.next_ordinal, row.ordinal + 1);
      const bool done = row.state == store::DeliveryState::delivered ||
                        row.state == store::DeliveryState::dead ||
                        row.state == store::DeliveryState::discarded;
      if (!done || row.handler_pending) ++open.open;
    }
  }
  return open;
}

store::Outcome Channel::outcome_of(const WorkItem& item, const store::OrderKeys& keys,
                                   script::Conclusion&& conclusion) {
  store::Outcome outcome;
  outcome.id = item.id;
  outcome.channel = config_.name;
  outcome.at = now_microseconds();
  outcome.cause = item.response ? item.response->ordinal : 0;
  outcome.state = state_of(conclusion);
  if (item.response && outcome.state == store::MessageState::filtered)
    outcome.state = store::MessageState::done;
  outcome.code = std::move(conclusion.code);
  outcome.reason = std::move(conclusion.reason);
  outcome.order_keys = keys;
  outcome.trace = std::move(conclusion.trace);
  for (script::Miss& miss : conclusion.misses) {
    outcome.misses.push_back({std::move(miss.table), std::move(miss.key), std::move(miss.text)});
  }
  outcome.until_mapped = conclusion.until_mapped;
  for (auto& write : conclusion.state_writes) {
    outcome.state_writes.push_back({std::move(write.key), std::move(write.value)});
  }
  std::uint32_t ordinal = take_ordinals(item, conclusion.sends.size());
  for (script::Send& send : conclusion.sends) {
    store::DeliveryRequest request;
    request.ordinal = ordinal++;
    request.destination = std::move(send.destination);
    request.order_keys = send.key ? order_.of_text(*send.key) : keys;
    request.priority = send.stat ? 1 : 0;
    request.payload = std::move(send.payload);
    request.attributes = std::move(send.attributes);
    outcome.deliveries.push_back(std::move(request));
  }
  return outcome;
}

// The receiver begins the exchange of an application acknowledgement (HL7 v2 2.8.3.1): one more
// delivery of the same outcome, so that it is as sure as what the script sent.
std::optional<script::Send> Channel::application_ack(const WorkItem& item,
                                                     script::Conclusion& conclusion) const {
  using Kind = script::Conclusion::Kind;
  const std::string destination = config_.source.text_or("application_ack", "");
  if (destination.empty() || item.response || !item.body || conclusion.kind == Kind::parked) {
    return std::nullopt;
  }
  const auto header = hl7v2::Header::peek(*item.body);
  if (!header || header->application_ack.empty()) return std::nullopt;
  auto outcome = hl7v2::AckOutcome::accepted;
  std::string text;
  if (conclusion.kind == Kind::rejected) {
    outcome = hl7v2::AckOutcome::rejected;
    text = conclusion.reason;
  } else if (conclusion.kind == Kind::failed) {
    outcome = hl7v2::AckOutcome::error;
    text = kScriptFailed;
  }
  hl7v2::AckDetails details;
  details.text = text;
  const std::optional<Reply>& reply = conclusion.reply;
  if (reply && reply->ack && conclusion.kind != Kind::failed) {
    outcome = reply->ack->outcome;
    reply->ack->fill(details);
  }
  if (!hl7v2::wants_application_ack(*header, outcome)) return std::nullopt;
  const std::string id = item.id.text();
  details.time = now_microseconds();
  details.control_id = id;
  script::Send send;
  send.destination = destination;
  send.payload = reply && reply->body && conclusion.kind != Kind::failed
                     ? reply->body
                     : make_bytes(hl7v2::build_acknowledgement(
                           *header, hl7v2::code_of(outcome, false), details));
  conclusion.reply.reset();
  return send;
}

void Channel::conclude(WorkQueue::Lane::Entry* entry, const hl7v2::Message* message,
                       script::Conclusion conclusion) {
  count(conclusion);
  WorkItem& item = entry->item;
  const bool stops = conclusion.kind == script::Conclusion::Kind::failed &&
                     config_.on_error == config::ChannelConfig::OnError::stop;
  if (stops && !work_paused_.exchange(true) && on_stop_) on_stop_(item.id);
  // A response is handled in a lane of its own besides those of its message.
  store::OrderKeys keys = entry->keys();
  if (item.response) std::erase(keys, lane_of(item.id));

  if (auto ack = application_ack(item, conclusion)) conclusion.sends.push_back(std::move(*ack));
  auto context = std::make_shared<OutcomeContext>();
  context->reply = std::move(conclusion.reply);
  auto outcome = std::make_shared<store::Outcome>(outcome_of(item, keys, std::move(conclusion)));
  if (!item.response) {
    outcome->search_keys = search_keys_of(message, item.body, config_.charset, store_);
  }
  context->entry = entry;
  context->event = message ? message->type() : std::string();
  item.parsed.reset();
  when_it_counts(item.id, [self = shared_from_this(), outcome, context](bool counts) {
    if (!counts) return self->nothing_comes_of(*context, *outcome);
    self->log_what_stops(*outcome);
    self->state_.write(outcome->state_writes, [&] { self->commit_outcome(outcome, context); });
  });
}

void Channel::nothing_comes_of(const OutcomeContext& context, const store::Outcome& outcome) {
  if (!context.entry->item.response) {
    std::scoped_lock lock(open_mutex_);
    open_.erase(outcome.id);
  }
  queue_.release(context.entry);
  scheduler_.ready(*this);
}

// Its earlier deliveries died and hold their keys; where the script sends nothing this time,
// nothing will lift that.
void Channel::lift_where_nothing_goes(const store::Outcome& outcome) {
  for (auto& named : destinations_) {
    const std::string& name = named.first;
    const bool goes_there =
        std::any_of(outcome.deliveries.begin(), outcome.deliveries.end(),
                    [&](const auto& request) { return request.destination == name; });
    if (!goes_there) named.second->lift(outcome.id);
  }
}

// Its keys go on, or are held for a person.
void Channel::let_go(WorkQueue::Lane::Entry* entry, const store::Outcome& outcome) {
  if (holds_keys()) {
    const bool ended_badly =
        outcome.state == store::MessageState::parked || outcome.state == store::MessageState::dead;
    if (ended_badly) {
      queue_.hold(outcome.id, outcome.order_keys);
    } else {
      queue_.lift(outcome.id);
    }
    if (entry->item.resent) lift_where_nothing_goes(outcome);
  }
  queue_.release(entry);
  scheduler_.ready(*this);
}

// Offered until the store has it. The next message of its keys is worked only then, so that
// outcomes stand in the journal in the order of their key whatever fails.
void Channel::commit_outcome(const std::shared_ptr<store::Outcome>& outcome,
                             const std::shared_ptr<OutcomeContext>& context) {
  std::vector<store::Record> records;
  records.emplace_back(*outcome);
  store_.submit(std::move(records), [self = shared_from_this(), outcome,
                                     context](Result<std::vector<store::Committed>> result) {
    if (result) {
      if (std::exchange(context->stalled, false)) self->scheduler_.unstall();
      self->outcome_committed(*outcome, *context, result->front().position);
      self->let_go(context->entry, *outcome);
      return;
    }
    if (!std::exchange(context->stalled, true)) {
      self->scheduler_.stall();
      spdlog::error(
          "channel {}: the store cannot take what became of message {} ({}); work waits for it",
          self->config_.name, outcome->id.text(), result.error().text());
    }
    auto again = std::make_shared<boost::asio::steady_timer>(self->background_, kCommitAgain);
    again->async_wait([self, outcome, context, again](boost::system::error_code stopped) {
      if (stopped) return;
      self->when_it_counts(outcome->id, [self, outcome, context](bool counts) {
        if (counts) return self->commit_outcome(outcome, context);
        self->state_.dropped(outcome->state_writes);
        self->scheduler_.unstall();
        self->nothing_comes_of(*context, *outcome);
      });
    });
  });
}

void Channel::outcome_committed(const store::Outcome& outcome, const OutcomeContext& context,
                                store::Position position) {
  state_.committed(outcome.state_writes);
  for (const store::DeliveryRequest& request : outcome.deliveries) {
    auto destination = destinations_.find(request.destination);
    if (destination ==
        destinations_.end()) {  // send() knows the names: only after a reload took it away
      spdlog::error(
          "channel {}: message {} is for destination {}, which is no longer configured; it stays "
          "queued",
          config_.name, outcome.id.text(), request.destination);
      continue;
    }
    Delivery delivery;
    delivery.id = outcome.id;
    delivery.ordinal = request.ordinal;
    delivery.asked_as = request.destination;
    delivery.queued = position;
    delivery.outcome = position;
    delivery.accepted = context.entry->item.accepted;
    delivery.payload = request.payload ? request.payload : context.entry->item.body;
    delivery.attributes = request.attributes;
    delivery.among = among_of(outcome, request);
    delivery.event = context.event;
    delivery.stat = request.priority > 0;
    destination->second->arrive(std::move(delivery), request.order_keys);
  }
  if (outcome.until_mapped && parked_until_mapped_) parked_until_mapped_();
  if (outcome.cause != 0) return;
  using State = store::MessageState;
  if (outcome.state == State::rejected || outcome.state == State::dead) {
    const std::string& told = outcome.state == State::dead ? kScriptFailed : outcome.reason;
    tell_waiter(outcome.id,
                {Fate::Kind::refused, Error{outcome.code, told, "", std::nullopt}, context.reply});
    return;
  }
  const bool goes_there = std::any_of(
      outcome.deliveries.begin(), outcome.deliveries.end(),
      [&](const auto& request) { return request.destination == config_.ack.destination; });
  if (config_.ack.when == config::AckConfig::When::delivered && goes_there) return;
  tell_waiter(outcome.id, {Fate::Kind::well, {}, context.reply});
}

void Channel::tell_waiter(MessageId id, Fate fate) {
  if (config_.ack.when == config::AckConfig::When::stored) return;
  Waiter waiter;
  {
    std::scoped_lock lock(waiters_mutex_);
    auto found = waiters_.find(id);
    if (found == waiters_.end()) return;
    waiter = std::move(found->second);
    waiters_.erase(found);
  }
  waiter(std::move(fate));
}

void Channel::abandon_waiters() {
  std::unordered_map<MessageId, Waiter> waiters;
  {
    std::scoped_lock lock(waiters_mutex_);
    waiters.swap(waiters_);
  }
  for (auto& [id, waiter] : waiters) {
    waiter({Fate::Kind::lost_sight,
            Error{"P303", "the engine is stopping before the message has been processed",
                  "send it again; it is recognised by its control id", std::nullopt}});
  }
}

void Channel::handle_response(MessageId id, store::Position accepted, store::OrderKeys keys,
                              script::Response response) {
  WorkItem item;
  item.id = id;
  item.accepted = accepted;
  item.response = std::move(response);
  keys.push_back(lane_of(id));
  queue_.arrive_aside(std::move(item), std::move(keys), true);
  scheduler_.ready(*this);
}

void Channel::delivered(const Delivery& delivery, const store::OrderKeys& keys,
                        const std::string& destination, const Answer& answer) {
  if (wants_responses()) {
    handle_response(delivery.id, delivery.accepted, keys,
                    {delivery.ordinal, destination, answer.response, answer.attributes});
  }
  if (destination == config_.ack.destination) tell_waiter(delivery.id, {Fate::Kind::well, {}});
}

void Channel::died(const Delivery& delivery, const store::OrderKeys&,
                   const std::string& destination, const Error& reason) {
  if (wants_responses()) {
    std::scoped_lock lock(open_mutex_);
    auto open = open_.find(delivery.id);
    if (open != open_.end() && (open->second.open == 0 || --open->second.open == 0))
      open_.erase(open);
  }
  if (destination == config_.ack.destination)
    tell_waiter(delivery.id, {Fate::Kind::refused, reason});
}

void Channel::held(const Delivery& delivery, const std::string& destination, const Error&) {
  if (destination != config_.ack.destination) return;
  tell_waiter(delivery.id,
              {Fate::Kind::lost_sight,
               Error{"P319", destination + " did not take the message and a person must decide",
                     "it is on record and need not be sent again", std::nullopt}});
}

}  // namespace cannula::pipeline
