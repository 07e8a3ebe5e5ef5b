#include "engine/pipeline/channel.h"

#include <future>
#include <unordered_set>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/config/former_names.h"
#include "engine/pipeline/delivery_loader.h"
#include "engine/pipeline/scheduler.h"

namespace cannula::pipeline {

Channel::Channel(config::ChannelConfig config, std::shared_ptr<const script::Program> program,
                 store::Store& store, Scheduler& scheduler, boost::asio::any_io_executor background)
    : config_(std::move(config)),
      store_(store),
      scheduler_(scheduler),
      order_(config_.order, store),
      queue_(names(), order_, Window{}, store),
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
  queue_.look_on_disk();
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
    for (const std::string& name : config::names_of(destination->config())) {
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
  return config::names_of(config_);
}

std::shared_ptr<Destination> Channel::destination_named(const std::string& name) const {
  for (const auto& [now, destination] : destinations_) {
    if (config::is_known_as(destination->config(), name)) return destination;
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
  if (leaving_) {
    return Error{"P339", "a new configuration takes this channel, or a part of it, away",
                 "send it again later, should the channel be there then", std::nullopt};
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

void Channel::work_again(const Chosen& message, store::Position queued) {
  take_aside(message.message.id);
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

// Without its payload, which is read when it goes.
Delivery Channel::delivery_again(const Chosen& chosen, store::Position queued) const {
  const store::DeliveryRow& row = *chosen.delivery();
  Delivery delivery;
  delivery.id = row.id;
  delivery.ordinal = row.ordinal;
  delivery.asked_as = row.destination;
  delivery.queued = queued;
  delivery.outcome = row.outcome_position;
  delivery.accepted = chosen.message.accepted_at_position;
  delivery.event = chosen.message.event;
  delivery.stat = row.priority > 0;
  return delivery;
}

void Channel::deliver_first(const Chosen& chosen, store::Position queued) {
  const store::DeliveryRow& row = *chosen.delivery();
  if (const auto destination = destination_named(row.destination))
    destination->resend(delivery_again(chosen, queued), row.order_keys);
}

void Channel::deliver_again(const Chosen& chosen, store::Position queued) {
  const store::DeliveryRow& row = *chosen.delivery();
  const auto destination = destination_named(row.destination);
  if (!destination) return;  // asked before; it stays queued for when it is configured again
  destination->arrive(delivery_again(chosen, queued), row.order_keys);
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

void Channel::put_aside_outcome_of(MessageId id) {
  std::scoped_lock lock(open_mutex_);
  discards_.try_emplace(id);
}

void Channel::keep_outcome_of(MessageId id) {
  for (const Counts& then : take_aside(id)) then(true);
}

std::vector<Channel::Counts> Channel::take_aside(MessageId id) {
  std::scoped_lock lock(open_mutex_);
  auto discard = discards_.extract(id);
  return discard.empty() ? std::vector<Counts>() : std::move(discard.mapped().concluded);
}

void Channel::when_it_counts(MessageId id, Counts then) {
  bool counts = true;
  {
    std::scoped_lock lock(open_mutex_);
    const auto discard = discards_.find(id);
    if (discard != discards_.end() && !discard->second.decided) {
      discard->second.concluded.push_back(std::move(then));
      return;
    }
    counts = discard == discards_.end();
    if (!counts) discards_.erase(discard);
  }
  then(counts);
}

void Channel::try_now(MessageId id, std::uint32_t ordinal) {
  for (auto& [name, destination] : destinations_) destination->try_now(id, ordinal);
}

std::size_t Channel::discarded(std::span<const Chosen> chosen) {
  std::unordered_set<MessageId> messages;
  std::map<std::shared_ptr<Destination>, std::vector<Destination::Name>> deliveries;
  for (const Chosen& one : chosen) {
    for (const store::DeliveryRow& delivery : one.deliveries) {
      if (one.ordinal != 0 && delivery.ordinal != one.ordinal) continue;
      if (const auto destination = destination_named(delivery.destination))
        deliveries[destination].emplace_back(delivery.id, delivery.ordinal);
    }
    if (one.ordinal != 0) continue;
    const MessageId id = one.message.id;
    messages.insert(id);
    tell_waiter(id, {Fate::Kind::refused, Error{"P309", "a person discarded the message", ""}});
    queue_.lift(id);
    std::vector<Counts> concluded = take_aside(id);
    for (const Counts& then : concluded) then(false);
    if (!concluded.empty() || one.message.state != store::MessageState::accepted) continue;
    std::scoped_lock lock(open_mutex_);  // its script may be running still
    discards_[id].decided = true;
  }
  if (!messages.empty()) {
    queue_.forget(messages);
    scheduler_.ready(*this);
  }
  return forget_at_destinations(std::move(deliveries));
}

std::size_t Channel::forget_at_destinations(
    std::map<std::shared_ptr<Destination>, std::vector<Destination::Name>> deliveries) {
  struct Asked {
    std::size_t deliveries;
    std::future<std::size_t> under_way;
  };
  std::vector<Asked> asked;
  for (auto& [destination, theirs] : deliveries) {
    auto answer = std::make_shared<std::promise<std::size_t>>();
    asked.push_back({theirs.size(), answer->get_future()});
    destination->forget(std::move(theirs),
                        [answer](std::size_t under_way) { answer->set_value(under_way); });
  }
  const auto until = std::chrono::steady_clock::now() + store::kPatience;
  std::size_t under_way = 0;
  for (Asked& one : asked) {
    const bool taken_in = one.under_way.wait_until(until) == std::future_status::ready;
    under_way += taken_in ? one.under_way.get() : one.deliveries;
  }
  return under_way;
}

}  // namespace cannula::pipeline
