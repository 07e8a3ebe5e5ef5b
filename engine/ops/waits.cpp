#include "engine/ops/waits.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/config/former_names.h"
#include "engine/ops/text.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/engine.h"
#include "engine/pipeline/order.h"
#include "rules/tables/table.h"

namespace cannula::ops {
namespace {

using store::DeliveryRow;
using store::DeliveryState;
using store::MessageRow;
using store::MessageState;

constexpr std::size_t kMostLookedAt = 10'000;  // rows, of those that may stand in the way
constexpr std::size_t kPage = 1000;

bool overlap(const store::OrderKeys& a, const store::OrderKeys& b) {
  return std::any_of(a.begin(), a.end(), [&](const auto& key) {
    return std::find(b.begin(), b.end(), key) != b.end();
  });
}

bool still_waits(DeliveryState state) {
  return state == DeliveryState::queued || state == DeliveryState::retrying ||
         state == DeliveryState::held;
}

class Waits {
 public:
  Waits(const store::Store& store, const MessageRow& message, const pipeline::Channel& channel)
      : store_(store),
        message_(message),
        channel_(channel),
        names_(channel.names()),
        holds_(channel.config().order.on_hold == config::OrderConfig::OnHold::hold_key) {}

  void look_at_work() {
    if (channel_.paused()) {
      add("work of channel {0} is paused; `cannula status SITE` says why, `cannula channel resume "
          "{0} SITE --reason TEXT` ends it",
          channel_.name());
    }
    if (!holds_) return;
    const store::OrderKeys keys = keys_of_message();
    for (const MessageState state : {MessageState::parked, MessageState::dead}) {
      store::MessageQuery query = of_the_channel();
      query.state = state;
      if (say_first_of(query, [&](const MessageRow& row) {
            return row.id != message_.id && overlap(row.order_keys, keys);
          }))
        return;
    }
  }

  void look_at(const DeliveryRow& delivery, const pipeline::Destination& destination) {
    if (delivery.state == DeliveryState::held) return look_at_held(delivery);
    const pipeline::Standing standing = destination.standing();
    if (standing.paused) {
      add("destination {1} is paused; `cannula status SITE` says by whom, `cannula channel resume "
          "{0} SITE --destination {1} --reason TEXT` ends it",
          delivery.channel, delivery.destination);
    }
    if (standing.breaker != pipeline::Breaker::State::closed) {
      add("destination {} is away since {}: {}; it is tried again in {:.0f} s",
          delivery.destination, time_text(standing.failing_since), standing.last_failure,
          static_cast<double>(standing.quiet.count()) / 1000);
    } else if (standing.quiet.count() > 0) {
      add("destination {} asked to wait: it is tried again in {:.0f} s", delivery.destination,
          static_cast<double>(standing.quiet.count()) / 1000);
    }
    if (standing.window_closed && delivery.priority == 0) say_window(delivery, destination);
    look_before(delivery, config::names_of(destination.config()));
  }

  std::vector<std::string> all() && { return std::move(sentences_); }

 private:
  template <class... Parts>
  void add(fmt::format_string<Parts...> form, Parts&&... parts) {
    sentences_.push_back(fmt::format(form, std::forward<Parts>(parts)...));
  }

  void look_at_held(const DeliveryRow& delivery) {
    add("delivery {0} to {1} is held for a person, and what follows of its order key with it: {2}; "
        "`cannula msg resend {3} SITE --delivery {0} --reason TEXT` tries it again, `cannula msg "
        "discard {3} SITE --delivery {0} --reason TEXT` ends it",
        delivery.ordinal, delivery.destination, delivery.reason, delivery.id.text());
  }

  void say_window(const DeliveryRow& delivery, const pipeline::Destination& destination) {
    const auto opens = destination.config().window
                           ? destination.config().window->next_change(pipeline::now_microseconds())
                           : std::nullopt;
    add("destination {} is outside its delivery window{}", delivery.destination,
        opens ? " until " + time_text(*opens) : std::string());
  }

  static auto place_of(const DeliveryRow& row) { return std::pair(row.queued, row.ordinal); }

  store::MessageQuery of_the_channel() const {
    store::MessageQuery query;
    query.channel = names_.front();
    query.also_of_channels.assign(names_.begin() + 1, names_.end());
    return query;
  }

  // Deliveries of the same order key go one after the other, also those under a former name.
  void look_before(const DeliveryRow& delivery, const std::vector<std::string>& destinations) {
    std::optional<DeliveryRow> first;
    for (const std::string& channel : names_) {
      for (const std::string& destination : destinations) {
        auto before = first_before(delivery, channel, destination);
        if (before && (!first || place_of(*before) < place_of(*first))) first = std::move(before);
      }
    }
    if (!first) return look_at_dead(delivery, destinations);
    add("message {0} of the same order key goes to {1} first, and is {2}; see `cannula msg show "
        "{0} SITE`",
        first->id.text(), first->destination, store::name_of(first->state));
  }

  std::optional<DeliveryRow> first_before(const DeliveryRow& delivery, const std::string& channel,
                                          const std::string& destination) const {
    store::Position after = 0;
    std::uint32_t after_ordinal = 0;
    for (std::size_t looked = 0; looked < kMostLookedAt; looked += kPage) {
      auto rows = store_.waiting_deliveries(channel, destination, after, after_ordinal, kPage);
      if (!rows || rows->empty()) break;
      for (DeliveryRow& row : *rows) {
        if (place_of(row) >= place_of(delivery)) return std::nullopt;
        if (overlap(row.order_keys, delivery.order_keys)) return std::move(row);
      }
      after = rows->back().queued;
      after_ordinal = rows->back().ordinal;
    }
    return std::nullopt;
  }

  void look_at_dead(const DeliveryRow& delivery, const std::vector<std::string>& destinations) {
    if (!holds_) return;
    store::MessageQuery query = of_the_channel();
    query.destination = destinations.front();
    query.also_to.assign(destinations.begin() + 1, destinations.end());
    query.delivery_state = DeliveryState::dead;
    say_first_of(query, [&](const MessageRow& row) {
      return row.id != message_.id && overlap(row.order_keys, delivery.order_keys);
    });
  }

  template <class Holds>
  bool say_first_of(store::MessageQuery query, const Holds& holds) {
    query.limit = kPage;
    for (std::size_t looked = 0; looked < kMostLookedAt; looked += kPage) {
      const auto rows = store_.messages(query);
      if (!rows) return false;
      for (const MessageRow& row : *rows) {
        if (!holds(row)) continue;
        add("message {0} of the same order key is {1} and holds it; `cannula msg show {0} SITE` "
            "says what to do about it",
            row.id.text(), store::name_of(row.state));
        return true;
      }
      if (rows->size() < kPage) return false;
      query.after = rows->back().id;
    }
    return false;
  }

  // Its row has none before its script has run.
  store::OrderKeys keys_of_message() const {
    if (!message_.order_keys.empty()) return message_.order_keys;
    const pipeline::OrderKeyMaker maker(channel_.config().order, store_);
    const auto record = store_.read(message_.accepted_at_position);
    const auto* accepted = record ? std::get_if<store::Accepted>(&*record) : nullptr;
    if (!accepted || !accepted->body) return maker.of(nullptr);
    const auto parsed = hl7v2::Message::parse(accepted->body);
    return maker.of(parsed ? &*parsed : nullptr);
  }

  const store::Store& store_;
  const MessageRow& message_;
  const pipeline::Channel& channel_;
  const std::vector<std::string> names_;  // of today and before
  const bool holds_;                      // on_hold = "hold_key"
  std::vector<std::string> sentences_;
};

// Of a message that is parked until its codes are mapped.
std::vector<std::string> rows_missing(const store::Store& store, const MessageRow& message) {
  std::vector<std::string> sentences;
  const auto awaiting = store.awaiting(MessageId{message.id.value - 1}, 1);
  if (!awaiting || awaiting->empty() || awaiting->front().id != message.id) return sentences;
  for (const auto& [table, key] : awaiting->front().codes) {
    std::string shown = key;
    std::replace(shown.begin(), shown.end(), tables::kKeySeparator, '|');
    sentences.push_back(
        fmt::format("a row of table {} for '{}'; `cannula table unmapped SITE` lists what is "
                    "missing, and the message goes on by itself when the row is there",
                    table, shown));
  }
  return sentences;
}

}  // namespace

std::vector<std::string> what_it_waits_for(const store::Store& store,
                                           const pipeline::Engine* engine,
                                           const MessageRow& message,
                                           const std::vector<DeliveryRow>& deliveries) {
  if (message.state == MessageState::parked) return rows_missing(store, message);
  const bool to_work = message.state == MessageState::accepted;
  const bool to_deliver = std::any_of(deliveries.begin(), deliveries.end(),
                                      [](const auto& one) { return still_waits(one.state); });
  if (!to_work && !to_deliver) return {};
  if (!engine) return {"no engine runs: `cannula run SITE` goes on with it"};
  std::optional<std::vector<std::string>> found;
  engine->each_channel([&](const pipeline::ChannelView& view) {
    const auto names = view.channel.names();
    if (std::find(names.begin(), names.end(), message.channel) == names.end()) return;
    if (!view.channel.config().enabled) {
      found = {fmt::format("channel {} is disabled: it goes on when `enabled` is true again",
                           view.channel.name())};
      return;
    }
    Waits waits(store, message, view.channel);
    if (to_work) waits.look_at_work();
    for (const DeliveryRow& delivery : deliveries) {
      if (!still_waits(delivery.state)) continue;
      if (const auto destination = view.channel.destination_named(delivery.destination))
        waits.look_at(delivery, *destination);
    }
    found = std::move(waits).all();
  });
  if (!found) {
    return {
        fmt::format("channel {} is not configured any more: it goes on when it is again, or "
                    "under another name with `renamed_from`",
                    message.channel)};
  }
  return *std::move(found);
}

}  // namespace cannula::ops
