// What people do to messages: sending again, ending, editing, one or many.
#include <future>

#include <boost/asio/thread_pool.hpp>
#include <spdlog/spdlog.h>

#include "engine/pipeline/acts.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/delivery_loader.h"
#include "engine/pipeline/engine.h"

namespace cannula::pipeline {
namespace {

// More than so many scripts to run again are not put into memory.
constexpr std::size_t kMostWork = 4096;

std::vector<store::Letter> letters_of(std::span<const Chosen> chosen) {
  std::vector<store::Letter> letters;
  for (const Chosen& one : chosen) letters.push_back({one.message.id, one.ordinal});
  return letters;
}

}  // namespace

Result<void> Engine::resend(MessageId id, std::uint32_t ordinal, const std::string& actor,
                            const std::string& reason) {
  std::scoped_lock one_at_a_time(acts_);
  TRY(store_->catch_up_within(store::kPatience));
  const store::MessageRow row = TRY(may_resend(*store_, id, ordinal));
  const std::shared_ptr<Channel> channel = channel_named(row.channel);
  if (!channel) {
    return Error{"P305", "channel " + row.channel + " of the message is not configured",
                 "add the channel again to resend its messages"};
  }
  if (ordinal != 0 && TRY(is_open(*store_, id, ordinal))) {
    channel->try_now(id, ordinal);
    return {};
  }
  auto deliveries = TRY(store_->deliveries(id));
  const Chosen chosen{row, std::move(deliveries), ordinal};
  if (!channel_of(chosen)) {
    return Error{"P305",
                 "destination " + chosen.delivery()->destination +
                     " of the delivery is no longer configured",
                 "name it in channel.toml again, or resend the whole message"};
  }
  std::vector<store::Record> records;
  records.emplace_back(store::Resent{id, row.channel, ordinal, now_microseconds(), actor, reason});
  // Once it is on record nothing may keep it from going on.
  const store::Position queued = TRY(store_->commit(std::move(records))).front().position;
  if (ordinal == 0) {
    channel->work_again(chosen, queued);
  } else {
    channel->deliver_first(chosen, queued);
  }
  return {};
}

Result<std::size_t> Engine::discard(MessageId id, std::uint32_t ordinal, const std::string& actor,
                                    const std::string& reason) {
  {
    std::scoped_lock one_at_a_time(acts_);
    TRY(store_->catch_up_within(store::kPatience));
    TRY(may_discard(*store_, id, ordinal));
  }
  const store::Letter letter{id, ordinal};
  const BulkDone discarded = TRY(discard_all(std::span(&letter, 1), actor, reason));
  if (discarded.done == 0) TRY(may_discard(*store_, id, ordinal));  // it ended, and says how
  return discarded.under_way;
}

// Where it goes, if it can go anywhere as things are configured.
std::shared_ptr<Channel> Engine::channel_of(const Chosen& one) const {
  auto channel = channel_named(one.message.channel);
  const bool known =
      channel &&
      (one.ordinal == 0 || channel->destination_named(one.delivery()->destination) != nullptr);
  return known ? channel : nullptr;
}

Result<BulkDone> Engine::resend_all(std::span<const store::Letter> letters,
                                    const std::string& actor, const std::string& reason,
                                    const store::LetterQuery& of) {
  std::scoped_lock one_at_a_time(acts_);
  TRY(store_->catch_up_within(store::kPatience));
  std::vector<Chosen> chosen = TRY(those_to_resend(*store_, letters, of));
  std::erase_if(chosen, [&](const Chosen& one) { return !channel_of(one); });
  const BulkDone done{chosen.size(), letters.size() - chosen.size()};
  if (chosen.empty()) return done;
  std::vector<std::shared_ptr<Channel>> channels;
  channels.reserve(chosen.size());
  for (const Chosen& one : chosen) channels.push_back(channel_of(one));

  using Commits = Result<std::vector<store::Committed>>;
  auto committed = std::make_shared<std::promise<Commits>>();
  store_->submit(resent_records(chosen, actor, reason), [&, committed](Commits result) {
    for (std::size_t i = 0; result && i < chosen.size(); ++i) {
      if (chosen[i].ordinal != 0) channels[i]->deliver_again(chosen[i], (*result)[i].position);
    }
    committed->set_value(std::move(result));
  });
  const std::vector<store::Committed> places = TRY(committed->get_future().get());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i].ordinal == 0) channels[i]->work_again(chosen[i], places[i].position);
  }
  return done;
}

Result<BulkDone> Engine::discard_all(std::span<const store::Letter> letters,
                                     const std::string& actor, const std::string& reason,
                                     const store::LetterQuery& of) {
  std::scoped_lock one_at_a_time(acts_);
  TRY(store_->catch_up_within(store::kPatience));
  std::vector<Chosen> chosen = TRY(those_to_discard(*store_, letters, of));
  std::unordered_map<MessageId, std::shared_ptr<Channel>> dropped;
  for (const Chosen& one : chosen) {
    const auto channel = one.ordinal == 0 ? channel_named(one.message.channel) : nullptr;
    if (!channel) continue;
    channel->put_aside_outcome_of(one.message.id);
    dropped.emplace(one.message.id, channel);
  }
  const auto chosen_still = [&]() -> Result<std::vector<Chosen>> {
    TRY(store_->commit({}));  // what their scripts decided before that
    TRY(store_->catch_up_within(store::kPatience));
    return those_to_discard(*store_, letters_of(chosen));
  };
  if (!dropped.empty()) {
    auto still = chosen_still();
    if (!still) {  // nothing is discarded, and what their scripts decide counts
      for (const auto& [id, channel] : dropped) channel->keep_outcome_of(id);
      return still.error();
    }
    chosen = *std::move(still);
  }
  for (const Chosen& one : chosen) dropped.erase(one.message.id);
  for (const auto& [id, channel] : dropped) channel->keep_outcome_of(id);
  BulkDone done{chosen.size(), letters.size() - chosen.size()};
  if (chosen.empty()) return done;

  if (auto committed = store_->commit(discarded_records(chosen, actor, reason)); !committed) {
    for (const Chosen& one : chosen) {
      const auto channel = one.ordinal == 0 ? channel_named(one.message.channel) : nullptr;
      if (channel) channel->keep_outcome_of(one.message.id);
    }
    return committed.error();
  }
  static_cast<void>(
      store_->catch_up_within(store::kPatience).has_value());  // it is on record already
  std::map<std::shared_ptr<Channel>, std::vector<Chosen>> by_channel;
  for (Chosen& one : chosen) {
    if (auto channel = channel_named(one.message.channel))
      by_channel[std::move(channel)].push_back(std::move(one));
  }
  for (const auto& [channel, theirs] : by_channel) done.under_way += channel->discarded(theirs);
  return done;
}

Result<MessageId> Engine::edit(MessageId id, Bytes body, const std::string& actor,
                               const std::string& reason) {
  std::scoped_lock one_at_a_time(acts_);
  TRY(store_->catch_up_within(store::kPatience));
  const store::MessageRow row = TRY(may_resend(*store_, id, 0));
  const std::shared_ptr<Channel> channel = channel_named(row.channel);
  if (!channel) {
    return Error{"P305", "channel " + row.channel + " of the message is not configured",
                 "add the channel again to send an edited message through it"};
  }
  const store::Record received = TRY(store_->read(row.accepted_at_position));
  const auto* original = std::get_if<store::Accepted>(&received);
  if (!original)
    return Error{"P301", "the received message " + id.text() + " is not in the journal", ""};
  auto deliveries = TRY(store_->deliveries(id));
  const std::vector<Chosen> replaced{{row, std::move(deliveries), 0}};
  const bool replaces = is_replaced_by_edit(row);
  std::vector<store::Record> records;
  records.emplace_back(edited_record(*original, std::move(body), actor, reason));
  WorkItem item;
  item.received_at = std::get<store::Accepted>(records.front()).at;
  item.body = std::get<store::Accepted>(records.front()).body;
  item.attributes = original->attributes;
  if (replaces) {
    for (store::Record& record :
         discarded_records(replaced, actor, "edited and sent as a new message: " + reason))
      records.push_back(std::move(record));
  }
  using Commits = Result<std::vector<store::Committed>>;
  auto committed = std::make_shared<std::promise<Commits>>();
  store_->submit(std::move(records), [&, committed](Commits result) {
    if (result) {
      item.id = result->front().id;
      item.accepted = item.queued = result->front().position;
      channel->edited(std::move(item), replaces ? id : MessageId{});
    }
    committed->set_value(std::move(result));
  });
  const std::vector<store::Committed> places = TRY(committed->get_future().get());
  if (replaces) {
    static_cast<void>(
        store_->catch_up_within(store::kPatience).has_value());  // it is on record already
    channel->discarded(replaced);
  }
  return places.front().id;
}

Result<std::string> Engine::delivered_before(const std::string& message,
                                             const std::string& destination, std::size_t n) const {
  const auto id = MessageId::parse(message);
  if (!id) return std::string();
  store_->catch_up();
  return pipeline::delivered_before(*store_, *id, destination, n);
}

BulkActs::Hands Engine::bulk_hands() {
  BulkActs::Hands hands;
  hands.find = [this](const store::LetterQuery& query) -> Result<std::vector<store::Letter>> {
    TRY(store_->catch_up_within(store::kPatience));
    return store_->letters(query);
  };
  hands.act = [this](const BulkOrder& order, std::span<const store::Letter> letters) {
    return order.act == BulkOrder::Act::resend
               ? resend_all(letters, order.actor, order.reason, order.of)
               : discard_all(letters, order.actor, order.reason, order.of);
  };
  hands.has_room = [this](const BulkOrder& order) {
    const auto channels = all_channels();
    return std::all_of(channels.begin(), channels.end(), [&](const auto& channel) {
      const bool another = !order.of.channel.empty() && channel->name() != order.of.channel;
      return another || channel->queue().in_memory() < kMostWork;
    });
  };
  hands.began = [this](const BulkProgress& progress) {
    return act_log_->record({now_microseconds(), std::string(name_of(progress.order.act)),
                             progress.order.of.channel, "", progress.order.actor,
                             progress.order.reason, subject_of(progress)});
  };
  hands.ended = [this](const BulkProgress& progress) { enter_end_of(progress); };
  return hands;
}

void Engine::enter_end_of(const BulkProgress& progress) {
  audit::Entry entry;
  entry.actor = {.kind = audit::Actor::Kind::person, .says = progress.order.actor};
  entry.act = progress.order.act == BulkOrder::Act::resend ? "message.replay" : "channel.discard";
  entry.object = {.channel = progress.order.of.channel,
                  .destination = progress.order.of.destination};
  entry.outcome =
      progress.state == BulkProgress::State::failed ? audit::Outcome::failed : audit::Outcome::done;
  if (progress.failure) entry.code = progress.failure->code;
  entry.reason = progress.order.reason;
  entry.detail = {{"entry", "the end of number " + std::to_string(progress.number)},
                  {"state", std::string(name_of(progress.state))},
                  {"total", std::to_string(progress.total)},
                  {"done", std::to_string(progress.done)},
                  {"passed_over", std::to_string(progress.passed_over)},
                  {"under_way", std::to_string(progress.under_way)}};
  if (!progress.cancelled_by.empty()) entry.detail["cancelled_by"] = progress.cancelled_by;
  audit_->note(std::move(entry));
  spdlog::info("{}", describe(progress));
}

}  // namespace cannula::pipeline
