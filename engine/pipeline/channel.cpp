#include "engine/pipeline/channel.h"

#include <unordered_set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/pipeline/delivery_loader.h"
#include "engine/pipeline/scheduler.h"

namespace cannula::pipeline {

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

void Channel::pause_work(std::string_view why, std::string_view next) {
  {
    std::scoped_lock lock(program_mutex_);
    if (paused_.exchange(true)) return;
    why_paused_ = why;
  }
  spdlog::error("channel {}: work is paused: {}. Messages are still accepted and wait; {}",
                config_.name, why, next);
}

std::string Channel::why_paused() const {
  std::scoped_lock lock(program_mutex_);
  return paused_ ? why_paused_ : std::string();
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

Result<void> Channel::resent(MessageId id, std::uint32_t ordinal, store::Position queued) {
  TRY(store_.catch_up_within(store::kPatience));
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
    delivery.among = std::move(loaded.among);
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
