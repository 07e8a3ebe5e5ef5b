#include "engine/pipeline/channel.h"

#include <unordered_set>

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

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

Channel::Channel(config::ChannelConfig config, std::shared_ptr<const script::Program> program,
                 store::Store& store, Scheduler& scheduler, boost::asio::any_io_executor background)
    : config_(std::move(config)),
      store_(store),
      scheduler_(scheduler),
      order_(config_.order, store),
      queue_(names(), order_, Window{}),
      program_(std::move(program)),
      background_(std::move(background)) {}

void Channel::attach(std::shared_ptr<Destination> destination) {
  const std::string name = destination->config().name;
  destinations_[name] = std::move(destination);
}

Result<void> Channel::restore() {
  for (const std::string& former : config_.renamed_from) {  // its own, written later, counts
    state_.restore(TRY(store_.script_state(former)));
  }
  state_.restore(TRY(store_.script_state(config_.name)));
  TRY(restore_holds());
  return restore_handlers();
}

// What is held holds its keys; with on_hold = "hold_key", so does what parked or died.
Result<void> Channel::restore_holds() {
  for (const std::string& name : names()) {
    TRY(restore_holds_of(name, store::DeliveryState::held));
    if (!holds_keys()) continue;
    TRY(restore_held_work(name));
    TRY(restore_holds_of(name, store::DeliveryState::dead));
  }
  return {};
}

Result<void> Channel::restore_held_work(const std::string& channel) {
  store::MessageQuery query;
  query.channel = channel;
  for (store::MessageState state : {store::MessageState::parked, store::MessageState::dead}) {
    query.state = state;
    TRY(each_message(query, [&](const store::MessageRow& row) -> Result<void> {
      const auto deliveries = TRY(store_.deliveries(row.id));
      const bool by_delivery = std::any_of(
          deliveries.begin(), deliveries.end(),
          [](const auto& delivery) { return delivery.state == store::DeliveryState::dead; });
      if (!by_delivery) queue_.hold(row.id, row.order_keys);
      return {};
    }));
  }
  return {};
}

Result<void> Channel::restore_holds_of(const std::string& channel, store::DeliveryState state) {
  store::MessageQuery query;
  query.channel = channel;
  query.delivery_state = state;
  for (auto& named : destinations_) {  // no structured binding: clang 14 does not capture those
    Destination* const destination = named.second.get();
    std::vector<std::string> known_as = destination->config().renamed_from;
    known_as.push_back(named.first);
    for (const std::string& name : known_as) {
      query.destination = name;
      TRY(each_message(query, [&](const store::MessageRow& row) -> Result<void> {
        for (const store::DeliveryRow& delivery : TRY(store_.deliveries(row.id))) {
          if (delivery.destination == name && delivery.state == state) {
            destination->hold(row.id, delivery.order_keys);
          }
        }
        return {};
      }));
    }
  }
  return {};
}

std::vector<std::string> Channel::names() const {
  std::vector<std::string> names{config_.name};
  names.insert(names.end(), config_.renamed_from.begin(), config_.renamed_from.end());
  return names;
}

std::shared_ptr<Destination> Channel::destination_named(const std::string& name) const {
  auto found = destinations_.find(name);
  if (found != destinations_.end()) return found->second;
  for (const auto& [now, destination] : destinations_) {
    const auto& former = destination->config().renamed_from;
    if (std::find(former.begin(), former.end(), name) != former.end()) return destination;
  }
  return nullptr;
}

Result<void> Channel::each_message(
    store::MessageQuery query,
    const std::function<Result<void>(const store::MessageRow&)>& visit) const {
  query.limit = 1000;
  while (true) {
    const std::vector<store::MessageRow> rows = TRY(store_.messages(query));
    for (const store::MessageRow& row : rows) TRY(visit(row));
    if (rows.size() < query.limit) return {};
    query.after = rows.back().id;
  }
}

Result<void> Channel::restore_handlers() {
  std::vector<store::DeliveryRow> rows;
  for (const std::string& name : names()) {
    auto some = TRY(store_.waiting_handlers(name));
    rows.insert(rows.end(), some.begin(), some.end());
  }
  for (const store::DeliveryRow& row : rows) {
    script::Response response{row.ordinal, row.destination, nullptr, {}};
    store::Record record = TRY(store_.read(row.attempt_position));
    if (auto* attempt = std::get_if<store::Attempt>(&record)) {
      response.body = attempt->response;
      response.attributes = attempt->attributes;
    }
    auto message = TRY(store_.message(row.id));
    if (message)
      handle_response(row.id, message->accepted_at_position, row.order_keys, std::move(response));
  }
  return {};
}

std::shared_ptr<const script::Program> Channel::program() const {
  std::scoped_lock lock(program_mutex_);
  return program_;
}

void Channel::replace_program(std::shared_ptr<const script::Program> program) {
  {
    std::scoped_lock lock(program_mutex_);
    program_ = std::move(program);
  }
  resume_work();
}

void Channel::pause_work(std::string_view why) {
  if (paused_.exchange(true)) return;
  spdlog::error(
      "channel {}: work is paused: {}. Messages are still accepted and wait; mend the script and "
      "reload",
      config_.name, why);
}

void Channel::resume_work() {
  limits_in_a_row_ = 0;
  if (paused_.exchange(false)) spdlog::info("channel {}: work goes on", config_.name);
  scheduler_.ready(*this);
}

void Channel::pause_work_by_hand(bool paused) {
  work_paused_ = paused;
  if (!paused) resume_work();
}

std::optional<Error> Channel::not_taking() const {
  if (disk_low_) {
    return Error{"P314", "the disk is nearly full, and nothing new is taken until there is room",
                 "send it again later; what was taken goes on being delivered", std::nullopt};
  }
  if (intake_paused_) {
    return Error{"P318", "those who run this engine have paused what comes in",
                 "send it again later", std::nullopt};
  }
  return std::nullopt;
}

void Channel::arrived(WorkItem item, Waiter waiter) {
  if (waiter) {
    std::scoped_lock lock(waiters_mutex_);
    waiters_.emplace(item.id, std::move(waiter));
  }
  queue_.arrive(std::move(item));
  scheduler_.ready(*this);
}

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
  if (take_dropped(item.id)) {
    queue_.release(entry);
    scheduler_.ready(*this);
    return;
  }
  // A response is handled in a lane of its own besides those of its message.
  store::OrderKeys keys = entry->keys();
  if (item.response) std::erase(keys, lane_of(item.id));

  if (auto ack = application_ack(item, conclusion)) conclusion.sends.push_back(std::move(*ack));
  auto context = std::make_shared<OutcomeContext>();
  context->reply = std::move(conclusion.reply);
  auto outcome = std::make_shared<store::Outcome>(outcome_of(item, keys, std::move(conclusion)));
  log_what_stops(*outcome);
  if (message && !item.response) outcome->search_keys = search_keys_of(*message, store_);
  context->entry = entry;
  context->event = message ? message->type() : std::string();
  item.parsed.reset();
  state_.write(outcome->state_writes, [&] { commit_outcome(outcome, context); });
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
      if (!stopped) self->commit_outcome(outcome, context);
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

Result<void> Channel::resent(MessageId id, std::uint32_t ordinal, store::Position queued) {
  store_.catch_up();
  auto row = TRY(store_.message(id));
  if (!row)
    return Error{
        "P304", "there is no message " + id.text(), "list them with `cannula msg list`", {}};
  if (ordinal == 0) {
    work_again({*row, TRY(store_.deliveries(id)), 0}, queued);
    return {};
  }
  for (const store::DeliveryRow& one : TRY(store_.deliveries(id))) {
    if (one.ordinal != ordinal) continue;
    const auto destination = destination_named(one.destination);
    if (!destination) {
      return Error{"P305",
                   "destination " + one.destination + " of the delivery is no longer configured",
                   "name it in channel.toml again, or resend the whole message",
                   {}};
    }
    LoadedDelivery loaded = TRY(load_delivery(store_, id, ordinal, one.outcome_position, queued));
    Delivery delivery;
    delivery.id = id;
    delivery.ordinal = ordinal;
    delivery.asked_as = one.destination;
    delivery.queued = queued;
    delivery.outcome = one.outcome_position;
    delivery.accepted = loaded.accepted;
    delivery.payload = std::move(loaded.payload);
    delivery.attributes = std::move(loaded.attributes);
    delivery.before = std::move(loaded.before);
    delivery.event = std::move(loaded.event);
    delivery.stat = one.priority > 0;
    destination->resend(std::move(delivery), one.order_keys);
    return {};
  }
  return Error{"P304",
               fmt::format("message {} has no delivery {}", id.text(), ordinal),
               "see `cannula msg show " + id.text() + "`",
               {}};
}

void Channel::work_again(const Chosen& message, store::Position queued) {
  take_dropped(message.message.id);
  WorkItem item;
  item.id = message.message.id;
  item.accepted = message.message.accepted_at_position;
  item.queued = queued;
  item.received_at = message.message.received_at;
  for (const store::DeliveryRow& delivery : message.deliveries) {
    item.next_ordinal = std::max(item.next_ordinal, delivery.ordinal + 1);
  }
  item.resent = true;
  queue_.arrive_aside(std::move(item), message.message.order_keys, holds_keys());
  scheduler_.ready(*this);
}

void Channel::deliver_again(const Chosen& chosen, store::Position queued) {
  const store::DeliveryRow& row = *chosen.delivery();
  const auto destination = destination_named(row.destination);
  if (!destination) return;  // asked before; it stays queued for when it is configured again
  Delivery delivery;
  delivery.id = row.id;
  delivery.ordinal = row.ordinal;
  delivery.asked_as = row.destination;
  delivery.queued = queued;
  delivery.outcome = row.outcome_position;
  delivery.accepted = chosen.message.accepted_at_position;
  delivery.event = chosen.message.event;
  delivery.stat = row.priority > 0;
  destination->arrive(std::move(delivery), row.order_keys);
}

void Channel::edited(WorkItem item, MessageId instead) {
  if (!instead || !holds_keys()) return arrived(std::move(item), {});
  for (auto& named : destinations_) named.second->pass_hold_on(instead, item.id);
  if (auto parsed = hl7v2::Message::parse(item.body))
    item.parsed = std::make_shared<const hl7v2::Message>(*std::move(parsed));
  item.resent = true;
  store::OrderKeys keys = order_.of(item.parsed.get());
  queue_.arrive_aside(std::move(item), std::move(keys), true);
  scheduler_.ready(*this);
}

void Channel::drop_outcome_of(MessageId id) {
  std::scoped_lock lock(open_mutex_);
  dropped_.insert(id);
}

bool Channel::take_dropped(MessageId id) {
  std::scoped_lock lock(open_mutex_);
  return dropped_.erase(id) > 0;
}

void Channel::try_now(MessageId id, std::uint32_t ordinal) {
  for (auto& [name, destination] : destinations_) destination->try_now(id, ordinal);
}

void Channel::discarded(std::span<const Chosen> chosen) {
  std::unordered_set<MessageId> messages;
  for (const Chosen& one : chosen) {
    for (const store::DeliveryRow& delivery : one.deliveries) {
      if (one.ordinal != 0 && delivery.ordinal != one.ordinal) continue;
      if (const auto destination = destination_named(delivery.destination))
        destination->forget(delivery.id, delivery.ordinal);
    }
    if (one.ordinal != 0) continue;
    const MessageId id = one.message.id;
    messages.insert(id);
    tell_waiter(id, {Fate::Kind::refused, Error{"P309", "a person discarded the message", ""}});
    queue_.lift(id);
    if (one.message.state != store::MessageState::accepted) take_dropped(id);
  }
  if (messages.empty()) return;
  queue_.forget(messages);
  scheduler_.ready(*this);
}

}  // namespace cannula::pipeline
