// The queue of a destination: what is in memory, and what is read back from disk when there is
// room.
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "engine/config/former_names.h"
#include "engine/pipeline/delivery_loader.h"
#include "engine/pipeline/destination.h"

namespace cannula::pipeline {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kRefillBatch = 512;
constexpr std::size_t kMostEntries = 65'536;  // in memory, those that wait behind a hold included
constexpr std::size_t kMostFetched = 1024;    // ahead of the queue at a time
constexpr milliseconds kIndexLag{10};
constexpr milliseconds kIndexBehind{100};  // until it is asked again whether it has followed
constexpr milliseconds kAskAgain{1000};    // after the index could not tell what waits

std::size_t size_of(const Delivery& delivery) {
  return delivery.payload ? delivery.payload->size() : 0;
}

bool later(const auto& a, const auto& b) {
  return a.until > b.until;
}

std::pair<store::Position, std::uint32_t> place_of(const store::DeliveryRow& row) {
  return {row.queued, row.ordinal};
}

}  // namespace

void Destination::hold(MessageId id, const store::OrderKeys& keys) {
  store::OrderKeys held = keys;
  to_its_line(held);
  lanes_.hold(held);
  held_[id].push_back(std::move(held));
}

void Destination::lift(MessageId id) {
  std::scoped_lock lock(arriving_mutex_);
  lifted_.push_back(id);
  wake();
}

void Destination::pass_hold_on(MessageId from, MessageId to) {
  std::scoped_lock lock(arriving_mutex_);
  passed_on_.emplace_back(from, to);
  wake();
}

void Destination::lift_holds(MessageId id) {
  auto held = held_.find(id);
  if (held == held_.end()) return;
  for (const store::OrderKeys& keys : held->second) lanes_.unhold(keys);
  held_.erase(held);
}

void Destination::enter_memory(Delivery& delivery) {
  delivery.counted_bytes = size_of(delivery);
  ++items_;
  bytes_ += *delivery.counted_bytes;
}

void Destination::leave_memory(Delivery& delivery) {
  if (!delivery.counted_bytes) return;
  --items_;
  bytes_ -= *delivery.counted_bytes;
  delivery.counted_bytes.reset();
}

void Destination::arrive(Delivery delivery, store::OrderKeys keys) {
  std::scoped_lock lock(arriving_mutex_);
  if (on_disk_ || items_ >= window_.items || bytes_ >= window_.bytes) {
    on_disk_ = true;
    last_left_ = delivery.queued;
    if (delivery.stat) stat_left_ = delivery.queued;
  } else {
    last_taken_in_ = delivery.queued;
    last_taken_in_ordinal_ = delivery.ordinal;
    enter_memory(delivery);
    arriving_.push_back({std::move(delivery), std::move(keys), false});
  }
  wake();
}

void Destination::resend(Delivery delivery, store::OrderKeys keys) {
  std::scoped_lock lock(arriving_mutex_);
  if (!resent_.emplace(delivery.id, delivery.ordinal).second) return;
  enter_memory(delivery);
  arriving_.push_back({std::move(delivery), std::move(keys), true});
  wake();
}

void Destination::forget(std::vector<Name> discarded,
                         std::function<void(std::size_t under_way)> taken_in) {
  std::scoped_lock lock(arriving_mutex_);
  index_needed_at_ = store_.end();
  forgetting_.push_back({std::move(discarded), std::move(taken_in)});
  wake();
}

void Destination::try_now(MessageId id, std::uint32_t ordinal) {
  std::scoped_lock lock(arriving_mutex_);
  hurried_.emplace_back(id, ordinal);
  wake();
}

// With arriving_mutex_ held: one visit to the executor serves all that arrived meanwhile.
void Destination::wake() {
  if (wake_posted_) return;
  wake_posted_ = true;
  asio::post(ports_.executor, [self = shared_from_this()] {
    self->take_in();
    self->dispatch();
    self->arm_timer();
  });
}

void Destination::take_in() {
  std::deque<Arriving> arriving;
  std::vector<Forgetting> forgetting;
  std::vector<Name> hurried;
  std::vector<Lane::Entry*> recorded;
  std::vector<MessageId> lifted;
  std::vector<std::pair<MessageId, MessageId>> passed_on;
  {
    std::scoped_lock lock(arriving_mutex_);
    wake_posted_ = false;
    arriving.swap(arriving_);
    forgetting.swap(forgetting_);
    hurried.swap(hurried_);
    recorded.swap(recorded_);
    lifted.swap(lifted_);
    passed_on.swap(passed_on_);
  }
  for (const auto& [from, to] : passed_on) {
    auto held = held_.extract(from);
    if (held.empty()) continue;
    held.key() = to;
    held_.insert(std::move(held));
  }
  for (Lane::Entry* entry : recorded) finish(entry);
  for (Arriving& one : arriving) add(std::move(one));
  for (const auto& [id, ordinal] : hurried) wake_sleeper(id, ordinal);
  for (MessageId id : lifted) lift_holds(id);
  for (const Forgetting& one : forgetting) one.taken_in(forget_some(one.discarded));
}

// How many of them are in their sender's hands. What is still read from disk for its attempt is
// not, and does not come there.
std::size_t Destination::forget_some(const std::vector<Name>& discarded) {
  const std::set<Name> names(discarded.begin(), discarded.end());
  const auto unwanted = [&](const Delivery& delivery) {
    return names.contains({delivery.id, delivery.ordinal});
  };
  // Sleepers are out of the lanes: they are put back first.
  for (Sleeper& sleeper : sleepers_) {
    if (!unwanted(sleeper.entry->item)) continue;
    lanes_.put_back(sleeper.entry);
    sleeper.entry = nullptr;
  }
  std::erase_if(sleepers_, [](const Sleeper& sleeper) { return sleeper.entry == nullptr; });
  std::make_heap(sleepers_.begin(), sleepers_.end(),
                 [](const auto& a, const auto& b) { return later(a, b); });
  // What is under way, or on its way from disk, is met again by attempt(), by what settles it, or
  // by take_in_refilled().
  discarded_.insert(names.begin(), names.end());
  lanes_.remove_if([&](Delivery& delivery) {
    if (!unwanted(delivery)) return false;
    leave_memory(delivery);
    discarded_.erase({delivery.id, delivery.ordinal});
    return true;
  });
  for (const Name& name : discarded) lift_holds(name.first);
  drop_names_without_use();
  std::size_t under_way = 0;
  lanes_.each_out([&](const Delivery& delivery) {
    if (delivery.payload && unwanted(delivery)) ++under_way;
  });
  return under_way;
}

// What is neither under way nor on its way from disk will not be met again: most of what is
// discarded had died long ago.
void Destination::drop_names_without_use() {
  if (refilling_ || discarded_.empty()) return;
  std::set<Name> out;
  lanes_.each_out([&](const Delivery& delivery) { out.emplace(delivery.id, delivery.ordinal); });
  std::erase_if(discarded_, [&](const Name& name) { return !out.contains(name); });
}

// What waits behind a hold may wait for days: it leaves the window, so that a held key does not
// fill it. What a person sent again goes before the others of its keys, and passes the hold that
// its own message has on them.
void Destination::add(Arriving arriving) {
  Delivery& delivery = arriving.delivery;
  const bool first = arriving.first || held_.contains(delivery.id);
  const bool stat = delivery.stat;
  if (arriving.first) discarded_.erase({delivery.id, delivery.ordinal});
  to_its_line(arriving.keys);
  if (!first && lanes_.held(arriving.keys)) {
    leave_memory(delivery);
    delivery.payload.reset();
  }
  if (first) {
    lanes_.add_first(std::move(delivery), std::move(arriving.keys), stat);
  } else {
    lanes_.add(std::move(delivery), std::move(arriving.keys), stat);
  }
}

// True when there is room for more in memory; more than usual while nothing of what is there can
// go.
bool Destination::has_room() const {
  const bool nothing_goes = under_way_ == 0 && !lanes_.has_ready();
  const std::size_t times = nothing_goes ? 4 : 1;
  if (lanes_.size() >= kMostEntries) return false;  // held keys have that many behind them
  return items_ <= times * window_.items / 2 && bytes_ <= times * window_.bytes / 2;
}

// The rows of all names that channel and destination have had, in the order of the journal.
Result<std::vector<store::DeliveryRow>> Destination::waiting(store::Position after,
                                                             std::uint32_t after_ordinal) const {
  const std::vector<std::string> names = config::names_of(config_);
  std::vector<store::DeliveryRow> rows;
  for (const std::string& channel : channels_) {
    for (const std::string& name : names) {
      auto some = TRY(store_.waiting_deliveries(channel, name, after, after_ordinal, kRefillBatch));
      rows.insert(rows.end(), std::make_move_iterator(some.begin()),
                  std::make_move_iterator(some.end()));
    }
  }
  if (channels_.size() * names.size() > 1) {
    std::sort(rows.begin(), rows.end(),
              [](const auto& a, const auto& b) { return place_of(a) < place_of(b); });
    if (rows.size() > kRefillBatch) rows.resize(kRefillBatch);
  }
  return rows;
}

// One that cannot be read now comes without its payload, and keeps its place in its keys.
Result<Delivery> Destination::delivery_of(const store::DeliveryRow& row) const {
  auto loaded = load_delivery(store_, row.id, row.ordinal, row.outcome_position, row.queued);
  if (!loaded && !may_be_read_later(loaded.error())) return loaded.error();
  Delivery delivery;
  delivery.id = row.id;
  delivery.ordinal = row.ordinal;
  delivery.asked_as = row.destination;
  delivery.queued = row.queued;
  delivery.outcome = row.outcome_position;
  if (loaded) {
    delivery.payload = std::move(loaded->payload);
    delivery.attributes = std::move(loaded->attributes);
    delivery.before = std::move(loaded->before);
    delivery.among = std::move(loaded->among);
    delivery.accepted = loaded->accepted;
    delivery.event = std::move(loaded->event);
  }
  delivery.attempts = row.attempts;
  if (row.state == store::DeliveryState::retrying) delivery.not_before = row.next_at;
  if (loaded && row.state == store::DeliveryState::retrying) {
    delivery.tried_for = TRY(tried_for(store_, row, config_.retry.max));
  }
  delivery.stat = row.priority > 0;
  return delivery;
}

Destination::Read Destination::read_next(store::Position after, std::uint32_t after_ordinal) const {
  Read read;
  read.last = after;
  read.last_ordinal = after_ordinal;
  const auto before = store_.index_moment();
  const auto rows = waiting(after, after_ordinal);
  read.complete_to = store_.seen_up_to(before);
  if (!rows) {
    read.failure = rows.error();
    return read;
  }
  std::size_t bytes = 0;
  for (const store::DeliveryRow& row : *rows) {
    if (bytes >= window_.bytes / 2) return read;
    if (row.state != store::DeliveryState::held) {  // what is held waits for a person, not for us
      auto delivery = delivery_of(row);
      if (!delivery) {
        ports_.report.log(Report::Level::error, delivery.error().text());
        // Perhaps a passing trouble: it is asked for again, unless it is the first.
        if (!read.arriving.empty()) return read;
      } else {
        bytes += size_of(*delivery);
        read.arriving.push_back({*std::move(delivery), row.order_keys, false});
      }
    }
    std::tie(read.last, read.last_ordinal) = place_of(row);
  }
  read.all = rows->size() < kRefillBatch;
  return read;
}

void Destination::refill() {
  store::Position after = 0;
  std::uint32_t after_ordinal = 0;
  {
    std::scoped_lock lock(arriving_mutex_);
    if (!on_disk_ || refilling_ || !has_room()) return;
    after = last_taken_in_;
    after_ordinal = last_taken_in_ordinal_;
  }
  refilling_ = true;
  asio::post(blocking_, [self = shared_from_this(), after, after_ordinal] {
    Read read = self->read_next(after, after_ordinal);
    asio::post(self->ports_.executor, [self, read = std::move(read)]() mutable {
      self->take_in_refilled(std::move(read));
    });
  });
}

void Destination::take_in_refilled(Read read) {
  bool again_later = false;
  bool behind = false;
  {
    std::scoped_lock lock(arriving_mutex_);
    refilling_ = false;
    behind = read.complete_to < index_needed_at_;
    if (behind) {
      read.arriving.clear();
      read.last = last_taken_in_;
      read.last_ordinal = last_taken_in_ordinal_;
      read.all = false;
    }
    const bool nothing_new =
        read.last == last_taken_in_ && read.last_ordinal == last_taken_in_ordinal_;
    last_taken_in_ = read.last;
    last_taken_in_ordinal_ = read.last_ordinal;
    std::erase_if(read.arriving, [this](Arriving& one) {
      const Name name(one.delivery.id, one.delivery.ordinal);
      if (fetched_.erase(name) > 0) return true;
      if (resent_.contains(name) || discarded_.contains(name)) return true;
      if (ended_.contains(name, one.delivery.queued)) return true;
      enter_memory(one.delivery);
      return false;
    });
    index_was_at(read.complete_to);
    if (read.all && last_left_ < read.complete_to) {
      on_disk_ = false;
      fetched_.clear();
      stat_left_ = 0;
      looked_for_stat_ = true;
    }
    again_later = on_disk_ && nothing_new;  // the index has not come so far yet
  }
  for (Arriving& one : read.arriving) add(std::move(one));
  drop_names_without_use();
  if (read.failure && !std::exchange(unread_, true)) {
    ports_.report.log(Report::Level::error,
                      fmt::format("what waits for destination {} cannot be read: {}. It is asked "
                                  "for again each second",
                                  config_.name, read.failure->text()));
  }
  if (stopping_) {
    idle_.cancel();
    return;
  }
  if (again_later) {
    const milliseconds pause = read.failure ? kAskAgain : behind ? kIndexBehind : kIndexLag;
    auto again = std::make_shared<asio::steady_timer>(ports_.executor, pause);
    again->async_wait([self = shared_from_this(), again](auto) { self->dispatch(); });
    return;
  }
  dispatch();
  arm_timer();
}

// With arriving_mutex_ held, and while nothing that it told before is still to be taken in.
void Destination::index_was_at(store::Position position) {
  index_needed_at_ = std::max(index_needed_at_, position);
  ended_.forget(position);
}

// What is stat does not wait for the window to come to it: it is fetched from the disk, and with it
// what stands before it in its keys. Looking through a long queue takes time, so it is done at most
// for a tenth of the time.
void Destination::fetch_stat() {
  store::Position after = 0;
  std::uint32_t after_ordinal = 0;
  {
    std::scoped_lock lock(arriving_mutex_);
    const bool wanted = stat_left_ > last_taken_in_ || !looked_for_stat_;
    if (!on_disk_ || refilling_ || !wanted || last_taken_in_ == 0) return;
    after = last_taken_in_;
    after_ordinal = last_taken_in_ordinal_;
  }
  if (steady_clock::now() < next_stat_look_) return;
  refilling_ = true;  // neither goes on while the other reads
  asio::post(blocking_, [self = shared_from_this(), after, after_ordinal] {
    const auto begun = steady_clock::now();
    const auto before = self->store_.index_moment();
    Read read = self->read_stat(after, after_ordinal);
    read.complete_to = self->store_.seen_up_to(before);
    const auto took = steady_clock::now() - begun;
    asio::post(self->ports_.executor, [self, took, read = std::move(read)]() mutable {
      self->next_stat_look_ = steady_clock::now() + 9 * took + kIndexLag;
      self->take_in_stat(std::move(read));
    });
  });
}

// Nothing of it is kept but the names of those that go: a queue of a million is looked through in
// pieces.
Destination::Read Destination::read_stat(store::Position after, std::uint32_t after_ordinal) const {
  Read read;
  std::set<std::uint64_t> keys;
  std::pair<store::Position, std::uint32_t> newest{0, 0};  // of what is stat
  const auto each_row = [&](const std::function<bool(const store::DeliveryRow&)>& visit) {
    std::pair place(after, after_ordinal);
    while (true) {
      const auto rows = waiting(place.first, place.second);
      if (!rows) return ports_.report.log(Report::Level::error, rows.error().text());
      for (const store::DeliveryRow& row : *rows) {
        if (!visit(row)) return;
      }
      if (rows->size() < kRefillBatch) return;
      place = place_of(rows->back());
    }
  };
  each_row([&](const store::DeliveryRow& row) {
    if (row.priority == 0) return true;
    keys.insert(row.order_keys.begin(), row.order_keys.end());
    newest = place_of(row);
    return true;
  });
  if (newest.first == 0) return read;
  const auto shares_a_key = [&](const store::DeliveryRow& row) {
    return std::any_of(row.order_keys.begin(), row.order_keys.end(),
                       [&](std::uint64_t key) { return keys.contains(key); });
  };
  // One that belongs to two keys (a merge) brings what stands before it in the other one.
  for (std::size_t known = 0; known != keys.size();) {
    known = keys.size();
    each_row([&](const store::DeliveryRow& row) {
      if (place_of(row) > newest) return false;
      if (shares_a_key(row)) keys.insert(row.order_keys.begin(), row.order_keys.end());
      return true;
    });
  }
  each_row([&](const store::DeliveryRow& row) {
    if (place_of(row) > newest || read.arriving.size() == kMostFetched) return false;
    if (row.state == store::DeliveryState::held) return true;
    if (row.priority == 0 && !shares_a_key(row)) return true;
    auto delivery = delivery_of(row);
    if (!delivery) return false;
    read.arriving.push_back({*std::move(delivery), row.order_keys, false});
    return true;
  });
  return read;
}

void Destination::take_in_stat(Read read) {
  {
    std::scoped_lock lock(arriving_mutex_);
    refilling_ = false;
    const bool behind = read.complete_to < index_needed_at_;
    if (behind) read.arriving.clear();
    std::erase_if(read.arriving, [this](Arriving& one) {
      const Name name(one.delivery.id, one.delivery.ordinal);
      if (resent_.contains(name) || discarded_.contains(name)) return true;
      if (ended_.contains(name, one.delivery.queued)) return true;
      if (!fetched_.insert(name).second) return true;
      enter_memory(one.delivery);
      return false;
    });
    index_was_at(read.complete_to);
    if (!behind && stat_left_ < read.complete_to && read.arriving.size() < kMostFetched) {
      stat_left_ = 0;
      looked_for_stat_ = true;
    }
  }
  for (Arriving& one : read.arriving) add(std::move(one));
  if (stopping_) {
    idle_.cancel();
    return;
  }
  auto again = std::make_shared<asio::steady_timer>(ports_.executor, next_stat_look_);
  again->async_wait([self = shared_from_this(), again](auto) { self->dispatch(); });
  dispatch();
  arm_timer();
}

}  // namespace cannula::pipeline
