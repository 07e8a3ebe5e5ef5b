#include "engine/pipeline/acts.h"

#include <fmt/format.h>

#include "engine/pipeline/clock.h"
#include "parsers/hl7v2/header.h"

namespace cannula::pipeline {
namespace {

bool still_to_be_made(const store::DeliveryRow& delivery) {
  return delivery.state == store::DeliveryState::queued ||
         delivery.state == store::DeliveryState::retrying ||
         delivery.state == store::DeliveryState::held;
}

bool has_ended(const store::MessageRow& row) {
  using store::MessageState;
  return row.state == MessageState::done || row.state == MessageState::filtered ||
         row.state == MessageState::rejected || row.state == MessageState::discarded;
}

bool has_ended(const store::DeliveryRow& row) {
  return (row.state == store::DeliveryState::delivered && !row.handler_pending) ||
         row.state == store::DeliveryState::discarded;
}

bool may_go_again(const Chosen& one) {
  if (one.message.state == store::MessageState::accepted) return false;
  if (one.message.bodies_removed != 0) return false;
  if (one.ordinal == 0)
    return std::none_of(one.deliveries.begin(), one.deliveries.end(), still_to_be_made);
  const store::DeliveryRow* delivery = one.delivery();
  using State = store::DeliveryState;
  return delivery && !delivery->handler_pending &&
         (delivery->state == State::dead || delivery->state == State::held ||
          delivery->state == State::delivered);
}

bool may_end(const Chosen& one) {
  if (one.ordinal == 0) return !has_ended(one.message);
  return one.delivery() && !has_ended(*one.delivery());
}

template <class State>
bool is_among(State state, const std::vector<State>& states) {
  return std::find(states.begin(), states.end(), state) != states.end();
}

bool is_still_of(const store::LetterQuery& of, const Chosen& one) {
  if (of.deliveries.empty() && of.messages.empty()) return true;
  if (one.ordinal == 0) return is_among(one.message.state, of.messages);
  return one.delivery() && is_among(one.delivery()->state, of.deliveries);
}

Result<std::vector<Chosen>> those_that(const store::Store& store,
                                       std::span<const store::Letter> letters,
                                       const store::LetterQuery& of, bool (*may)(const Chosen&)) {
  std::vector<Chosen> chosen;
  for (const store::Letter& letter : letters) {
    auto row = TRY(store.message(letter.id));
    if (!row) continue;
    auto deliveries = TRY(store.deliveries(letter.id));
    Chosen one{*std::move(row), std::move(deliveries), letter.ordinal};
    if (is_still_of(of, one) && may(one)) chosen.push_back(std::move(one));
  }
  return chosen;
}

template <class Act>
std::vector<store::Record> act_records(std::span<const Chosen> chosen, const std::string& actor,
                                       const std::string& reason) {
  std::vector<store::Record> records;
  records.reserve(chosen.size());
  const store::Timestamp now = now_microseconds();
  for (const Chosen& one : chosen) {
    records.emplace_back(Act{one.message.id, one.message.channel, one.ordinal, now, actor, reason});
  }
  return records;
}

}  // namespace

const store::DeliveryRow* Chosen::delivery() const {
  const auto found = std::find_if(deliveries.begin(), deliveries.end(),
                                  [this](const auto& one) { return one.ordinal == ordinal; });
  return found == deliveries.end() ? nullptr : &*found;
}

Result<std::vector<Chosen>> those_to_resend(const store::Store& store,
                                            std::span<const store::Letter> letters,
                                            const store::LetterQuery& of) {
  return those_that(store, letters, of, may_go_again);
}

Result<std::vector<Chosen>> those_to_discard(const store::Store& store,
                                             std::span<const store::Letter> letters,
                                             const store::LetterQuery& of) {
  return those_that(store, letters, of, may_end);
}

std::vector<store::Record> resent_records(std::span<const Chosen> chosen, const std::string& actor,
                                          const std::string& reason) {
  return act_records<store::Resent>(chosen, actor, reason);
}

std::vector<store::Record> discarded_records(std::span<const Chosen> chosen,
                                             const std::string& actor, const std::string& reason) {
  return act_records<store::Discarded>(chosen, actor, reason);
}

store::Accepted edited_record(const store::Accepted& original, Bytes body, const std::string& actor,
                              const std::string& reason) {
  store::Accepted record;
  record.channel = original.channel;
  record.at = now_microseconds();
  record.peer = original.peer;
  record.partner = original.partner;
  record.event = original.event;
  record.control_id = original.control_id;
  record.attributes = original.attributes;
  if (const auto header = hl7v2::Header::peek(*body)) {
    record.event = header->event();
    record.control_id = header->control_id;
  }
  record.body = std::move(body);
  record.edited_from = original.id;
  record.editor = actor;
  record.edit_reason = reason;
  return record;
}

bool is_replaced_by_edit(const store::MessageRow& message) {
  return message.state == store::MessageState::dead || message.state == store::MessageState::parked;
}

Result<store::MessageRow> known_message(const store::Store& store, MessageId id,
                                        std::uint32_t ordinal) {
  auto row = TRY(store.message(id));
  if (!row)
    return Error{"P304", "there is no message " + id.text(),
                 "list them with `cannula msg list`; what retention forgot is not there any more"};
  if (ordinal == 0) return *row;
  const auto deliveries = TRY(store.deliveries(id));
  const bool there = std::any_of(deliveries.begin(), deliveries.end(),
                                 [&](const auto& delivery) { return delivery.ordinal == ordinal; });
  if (there) return *row;
  std::string known;
  for (const auto& delivery : deliveries) {
    known += fmt::format("{}{} to {}", known.empty() ? "" : ", ", delivery.ordinal,
                         delivery.destination);
  }
  return Error{"P304", fmt::format("message {} has no delivery {}", id.text(), ordinal),
               known.empty() ? "it has none" : "it has " + known};
}

Result<store::MessageRow> may_resend(const store::Store& store, MessageId id,
                                     std::uint32_t ordinal) {
  store::MessageRow row = TRY(known_message(store, id, ordinal));
  if (row.state == store::MessageState::accepted) {
    return Error{"P308", "message " + id.text() + " still waits for its script",
                 "nothing needs to be resent"};
  }
  if (row.bodies_removed != 0) {
    const std::chrono::sys_time<std::chrono::microseconds> removed{
        std::chrono::microseconds(row.bodies_removed)};
    const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(removed)};
    return Error{"P334",
                 fmt::format("the bodies of message {} were removed by retention on {}-{:02}-{:02}",
                             id.text(), static_cast<int>(day.year()),
                             static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day())),
                 "there is nothing left to send; its sender may have the message still"};
  }
  if (ordinal != 0) return row;
  const auto deliveries = TRY(store.deliveries(id));
  const auto open = std::count_if(deliveries.begin(), deliveries.end(), still_to_be_made);
  if (open > 0) {
    return Error{
        "P308", fmt::format("{} deliveries of message {} are still to be made", open, id.text()),
        "`--delivery N` tries one of them at once; to send the message anew, discard it first"};
  }
  return row;
}

Result<store::MessageRow> may_discard(const store::Store& store, MessageId id,
                                      std::uint32_t ordinal) {
  store::MessageRow row = TRY(known_message(store, id, ordinal));
  constexpr std::string_view kHint = "what is parked, held, dead or still to be made is discarded";
  if (ordinal == 0) {
    if (!has_ended(row)) return row;
    return Error{"P311",
                 fmt::format("message {} is {} already", id.text(), store::name_of(row.state)),
                 std::string(kHint)};
  }
  for (const auto& delivery : TRY(store.deliveries(id))) {
    if (delivery.ordinal != ordinal) continue;
    if (!has_ended(delivery)) break;
    return Error{"P311",
                 fmt::format("delivery {} of message {} is {} already", ordinal, id.text(),
                             store::name_of(delivery.state)),
                 std::string(kHint)};
  }
  return row;
}

Result<bool> is_open(const store::Store& store, MessageId id, std::uint32_t ordinal) {
  for (const auto& delivery : TRY(store.deliveries(id))) {
    if (delivery.ordinal != ordinal) continue;
    return still_to_be_made(delivery) && delivery.state != store::DeliveryState::held;
  }
  return false;
}

}  // namespace cannula::pipeline
