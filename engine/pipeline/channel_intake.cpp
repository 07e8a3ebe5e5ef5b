#include "engine/pipeline/channel_intake.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "engine/pipeline/clock.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using Commits = Result<std::vector<store::Committed>>;

// One offer on its way: what the journal's thread and the workers fill in before the source goes
// on.
struct Offer {
  std::vector<store::Record> records;
  std::vector<Arrival> arrivals;
  std::vector<std::optional<Error>> refusals;  // one an arrival
  std::vector<Fate> fates;           // the same, when the sender waits for more than the disk
  std::atomic<std::size_t> open{0};  // fates still to come, and one for the commit itself
  Commits committed{std::vector<store::Committed>{}};
  std::function<void()> resume;

  void one_more_known() {
    if (open.fetch_sub(1) == 1) resume();
  }
};

namespace {

// A sender writes what it likes into MSH-9, also line ends and names: only a short plain word
// reaches the log.
std::string word_for_log(const std::string& event) {
  const bool plain =
      !event.empty() && event.size() <= 16 && std::all_of(event.begin(), event.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '^' || c == '_';
      });
  return plain ? event : event.empty() ? "a message without event" : "a message with an odd event";
}

// Suspends the awaiting coroutine until `start(resume)` calls resume, from whatever thread. No
// coroutine itself, and its callers name their lambda before they await it: g++ 12 destroys
// temporaries of a co_await expression twice (PR 99576).
template <class Start>
asio::awaitable<void> suspended_until(Start start) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [start = std::move(start)](auto handler) mutable {
        auto executor = asio::get_associated_executor(handler);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        start([executor, shared] { asio::post(executor, [shared] { std::move (*shared)(); }); });
      },
      asio::use_awaitable);
}

}  // namespace

ChannelIntake::ChannelIntake(std::shared_ptr<Channel> channel,
                             std::shared_ptr<const security::AccessList> access,
                             store::Store& store)
    : channel_(std::move(channel)), access_(std::move(access)), store_(store) {}

Result<void> ChannelIntake::admit(const Peer& peer) {
  if (!access_) return {};
  auto admitted = access_->admits(peer);
  if (!admitted) {
    channel_->metrics().transport.add("connections_refused_total", 1);
    spdlog::warn("channel {}: a connection from {} was refused: {}", channel_->name(), peer.address,
                 admitted.error().text());
  }
  return admitted;
}

store::Accepted ChannelIntake::record_of(const Arrival& arrival) const {
  store::Accepted record;
  record.channel = channel_->name();
  record.at = now_microseconds();
  record.peer = arrival.peer_address;
  record.partner = channel_->config().partner;
  record.event = arrival.event;
  record.control_id = arrival.control_id;
  record.attributes = arrival.attributes;
  record.body = arrival.body;
  return record;
}

asio::awaitable<void> ChannelIntake::wait_for_room() {
  while (!store_.has_room()) {
    auto ask = [this](auto resume) { store_.when_room(std::move(resume)); };
    co_await suspended_until(std::move(ask));
  }
}

asio::awaitable<std::vector<Receipt>> ChannelIntake::offer(const Peer&,
                                                           std::vector<Arrival> arrivals) {
  const auto begun = std::chrono::steady_clock::now();
  const std::shared_ptr<Channel> channel =
      channel_;  // outlives this intake when its source is closed meanwhile
  co_await wait_for_room();

  auto offer = std::make_shared<Offer>();
  offer->records.reserve(arrivals.size());
  offer->refusals.resize(arrivals.size());
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    store::Accepted record = record_of(arrivals[i]);
    offer->refusals[i] = arrivals[i].defect;
    if (!offer->refusals[i] && access_) {
      if (auto allowed = access_->may_send(arrivals[i].event); !allowed) {
        offer->refusals[i] = allowed.error();
        spdlog::warn("channel {}: {} from {} was refused: {}", channel_->name(),
                     word_for_log(arrivals[i].event), arrivals[i].peer_address,
                     allowed.error().text());
      }
    }
    if (arrivals[i].defect) {
      spdlog::warn(
          "channel {}: what came from {} was refused [{}]; see `cannula msg list --state rejected`",
          channel_->name(), arrivals[i].peer_address, arrivals[i].defect->code);
    }
    if (offer->refusals[i]) {
      record.refusal_code = offer->refusals[i]->code;
      record.refusal = offer->refusals[i]->text();
    }
    offer->records.emplace_back(std::move(record));
  }
  offer->arrivals = std::move(arrivals);
  offer->fates.resize(offer->arrivals.size());
  co_await commit(offer);

  ChannelMetrics& metrics = channel->metrics();
  std::vector<Receipt> receipts(offer->arrivals.size());
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    Receipt& receipt = receipts[i];
    if (!offer->committed) {
      ++metrics.not_taken;
      receipt.disposition = Disposition::failed;
      receipt.reason = offer->committed.error();
      continue;
    }
    receipt.id = (*offer->committed)[i].id;
    if (offer->refusals[i]) {
      ++metrics.refused;
      receipt.disposition = Disposition::refused;
      receipt.reason = *offer->refusals[i];
      continue;
    }
    ++metrics.received;
    metrics.received_bytes += offer->arrivals[i].body->size();
    Fate& fate = offer->fates[i];
    receipt.disposition = fate.kind == Fate::Kind::well      ? Disposition::accepted
                          : fate.kind == Fate::Kind::refused ? Disposition::refused
                                                             : Disposition::failed;
    receipt.reason = fate.reason;
    receipt.reply = std::move(fate.reply);
  }
  metrics.acknowledge.record(std::chrono::steady_clock::now() - begun);
  co_return receipts;
}

// Submits the offer and waits: for the disk, and with ack = "processed" or "delivered:…" for what
// becomes of each.
asio::awaitable<void> ChannelIntake::commit(std::shared_ptr<Offer> offer) {
  auto submit = [this, offer](auto resume) {
    offer->resume = std::move(resume);
    offer->open = 1;
    store_.submit(std::move(offer->records), [channel = channel_, offer](Commits committed) {
      offer->committed = std::move(committed);
      if (offer->committed) hand_over(*channel, offer);
      offer->one_more_known();
    });
  };
  return suspended_until(std::move(submit));
}

// On the journal's thread, in its order.
void ChannelIntake::hand_over(Channel& channel, const std::shared_ptr<Offer>& offer) {
  const bool waits = channel.config().ack.when != config::AckConfig::When::stored;
  const auto now = now_microseconds();
  for (std::size_t i = 0; i < offer->arrivals.size(); ++i) {
    if (offer->refusals[i]) continue;
    WorkItem item;
    item.id = (*offer->committed)[i].id;
    item.accepted = item.queued = (*offer->committed)[i].position;
    item.received_at = now;
    item.body = offer->arrivals[i].body;
    item.attributes = offer->arrivals[i].attributes;
    Waiter waiter;
    if (waits) {
      offer->open.fetch_add(1);
      waiter = [offer, i](Fate fate) {
        offer->fates[i] = std::move(fate);
        offer->one_more_known();
      };
    }
    channel.arrived(std::move(item), std::move(waiter));
  }
}

}  // namespace cannula::pipeline
