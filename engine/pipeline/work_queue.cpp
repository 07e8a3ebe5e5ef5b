#include "engine/pipeline/work_queue.h"

#include "engine/pipeline/delivery_loader.h"

namespace cannula::pipeline {
namespace {

constexpr std::size_t kRefillBatch = 512;
constexpr std::size_t kAdmitBatch = 64;

std::size_t size_of(const WorkItem& item) {
  return item.body ? item.body->size() : 0;
}

std::shared_ptr<const hl7v2::Message> parse_for_keys(const Bytes& body) {
  auto parsed = hl7v2::Message::parse(body);
  if (!parsed) return nullptr;
  return std::make_shared<const hl7v2::Message>(*std::move(parsed));
}

}  // namespace

WorkQueue::WorkQueue(std::vector<std::string> channels, OrderKeyMaker order, Window window,
                     const store::Store& store)
    : channels_(std::move(channels)), order_(std::move(order)), window_(window), store_(store) {}

void WorkQueue::arrive(WorkItem item) {
  std::scoped_lock lock(arrivals_mutex_);
  if (on_disk_ || items_ >= window_.items || bytes_ >= window_.bytes) {
    on_disk_ = true;
    last_left_ = item.queued;
    return;
  }
  last_taken_in_ = item.queued;
  enter_memory(item);
  arrivals_.push_back(std::move(item));
}

void WorkQueue::arrive_aside(WorkItem item, store::OrderKeys keys, bool first) {
  std::scoped_lock lock(lanes_mutex_);
  if (item.resent) {
    std::scoped_lock arrivals_lock(arrivals_mutex_);
    aside_.insert(item.id);
  }
  enter_memory(item);
  if (first) {
    lanes_.add_first(std::move(item), std::move(keys));
  } else {
    lanes_.add(std::move(item), std::move(keys));
  }
}

void WorkQueue::admit_arrivals() {
  std::vector<WorkItem> batch;
  {
    std::scoped_lock lock(arrivals_mutex_);
    while (!arrivals_.empty() && batch.size() < kAdmitBatch) {
      batch.push_back(std::move(arrivals_.front()));
      arrivals_.pop_front();
    }
  }
  for (WorkItem& item : batch) {
    if (order_.needs_message() && !item.parsed && item.body)
      item.parsed = parse_for_keys(item.body);
    store::OrderKeys keys = order_.of(item.parsed.get());
    if (lanes_.held(
            keys)) {  // may wait for days: out of the window, so that a held key does not fill it
      leave_memory(item);
      item.body.reset();
      item.parsed.reset();
    }
    lanes_.add(std::move(item), std::move(keys));
  }
}

void WorkQueue::enter_memory(WorkItem& item) {
  item.counted_bytes_ = size_of(item);
  ++items_;
  bytes_ += *item.counted_bytes_;
}

void WorkQueue::leave_memory(WorkItem& item) {
  if (!item.counted_bytes_) return;
  --items_;
  bytes_ -= *item.counted_bytes_;
  item.counted_bytes_.reset();
}

WorkQueue::Lane::Entry* WorkQueue::take() {
  std::scoped_lock lock(lanes_mutex_);
  while (true) {
    if (Lane::Entry* entry = lanes_.next()) return entry;
    {
      std::scoped_lock arrivals_lock(arrivals_mutex_);
      if (arrivals_.empty()) return nullptr;
    }
    admit_arrivals();
  }
}

void WorkQueue::release(Lane::Entry* entry) {
  std::scoped_lock lock(lanes_mutex_);
  leave_memory(entry->item);
  if (entry->item.resent) {
    std::scoped_lock arrivals_lock(arrivals_mutex_);
    if (aside_.erase(entry->item.id) > 0) ended_.add(entry->item.id, store_.end());
    if (!refilling_) index_was_at(store_.indexed_up_to());
  }
  lanes_.release(entry);
}

void WorkQueue::put_back(Lane::Entry* entry) {
  std::scoped_lock lock(lanes_mutex_);
  lanes_.put_back(entry);
}

void WorkQueue::hold(MessageId id, const store::OrderKeys& keys) {
  std::scoped_lock lock(lanes_mutex_);
  if (held_.try_emplace(id, keys).second) lanes_.hold(keys);
}

void WorkQueue::lift(MessageId id) {
  std::scoped_lock lock(lanes_mutex_);
  auto held = held_.find(id);
  if (held == held_.end()) return;
  lanes_.unhold(held->second);
  held_.erase(held);
}

HeldBack WorkQueue::held_back() const {
  std::scoped_lock lock(lanes_mutex_);
  HeldBack held{lanes_.keys_held_back(), lanes_.held_back()};
  if (held.messages == 0) return held;
  held.holders = oldest_holders(
      held_, [this](const store::OrderKeys& keys) { return lanes_.held_back_of(keys); });
  return held;
}

void WorkQueue::forget(const std::unordered_set<MessageId>& ids) {
  std::scoped_lock lock(lanes_mutex_);
  const auto unwanted = [&](WorkItem& item) {
    if (!ids.contains(item.id)) return false;
    leave_memory(item);
    return true;
  };
  lanes_.remove_if(unwanted);
  std::scoped_lock arrivals_lock(arrivals_mutex_);
  std::erase_if(arrivals_, unwanted);
  for (const MessageId id : ids) aside_.erase(id);
  index_needed_at_ = store_.end();
}

void WorkQueue::look_on_disk() {
  std::scoped_lock lock(arrivals_mutex_);
  on_disk_ = true;
  index_needed_at_ = store_.end();
}

// With arrivals_mutex_ held, and while nothing that it told before is still to be taken in.
void WorkQueue::index_was_at(store::Position position) {
  index_needed_at_ = std::max(index_needed_at_, position);
  ended_.forget(position);
}

bool WorkQueue::has_work() const {
  {
    std::scoped_lock lock(arrivals_mutex_);
    if (!arrivals_.empty()) return true;
  }
  std::scoped_lock lock(lanes_mutex_);
  return lanes_.has_ready();
}

bool WorkQueue::wants_refill() const {
  std::scoped_lock lock(arrivals_mutex_);
  return on_disk_ && !refilling_ && items_ <= window_.items / 2 && bytes_ <= window_.bytes / 2;
}

// Those of all names that the channel has had, in the order of the journal.
Result<std::vector<store::Store::Waiting>> WorkQueue::waiting(store::Position after) const {
  std::vector<store::Store::Waiting> rows;
  for (const std::string& channel : channels_) {
    auto some = TRY(store_.waiting_messages(channel, after, kRefillBatch));
    rows.insert(rows.end(), some.begin(), some.end());
  }
  if (channels_.size() > 1) {
    std::sort(rows.begin(), rows.end(),
              [](const auto& a, const auto& b) { return a.queued < b.queued; });
    if (rows.size() > kRefillBatch) rows.resize(kRefillBatch);
  }
  return rows;
}

Result<void> WorkQueue::refill() {
  store::Position after = 0;
  std::unordered_set<MessageId> aside;
  store::Store::IndexMoment before;
  {
    std::scoped_lock lock(arrivals_mutex_);
    before = store_.index_moment();
    if (!on_disk_ || refilling_ || before.up_to < index_needed_at_) return {};
    refilling_ = true;
    after = last_taken_in_;
    aside = aside_;
  }
  auto rows = waiting(after);
  // What the index tells; what arrived later is asked for again.
  const store::Position complete_to = store_.seen_up_to(before);
  std::vector<WorkItem> items;
  std::size_t bytes = 0;
  store::Position looked_at = after;
  bool all_read = rows.has_value() && rows->size() < kRefillBatch;
  std::optional<Error> failure;
  if (!rows) failure = rows.error();
  if (rows) {
    for (const auto& row : *rows) {
      if (bytes >= window_.bytes / 2) {
        all_read = false;
        break;
      }
      if (aside.contains(row.id)) {
        looked_at = row.queued;
        continue;
      }
      auto record = store_.read(row.accepted);
      if (!record) {
        failure = record.error();
        failure->message = "message " + row.id.text() + " cannot be read: " + failure->message;
        // Damage is reported by the store; the message stays as it is in the index, and the others
        // go on. Behind other messages it may be a passing trouble: then it is asked for again.
        if (items.empty() && !may_be_read_later(*failure)) continue;
        // What is in memory is worked first.
        if (!items.empty() && may_be_read_later(*failure)) failure.reset();
        all_read = false;
        break;
      }
      auto* accepted = std::get_if<store::Accepted>(&*record);
      if (!accepted) continue;
      WorkItem item;
      item.id = row.id;
      item.accepted = row.accepted;
      item.queued = row.queued;
      item.next_ordinal = row.next_ordinal;
      item.received_at = accepted->at;
      item.body = accepted->body;
      item.attributes = accepted->attributes;
      bytes += size_of(item);
      looked_at = row.queued;
      items.push_back(std::move(item));
    }
  }

  std::scoped_lock lock(arrivals_mutex_);
  refilling_ = false;
  if (complete_to < index_needed_at_) return {};
  last_taken_in_ = looked_at;
  for (WorkItem& item : items) {
    if (aside_.contains(item.id) || ended_.contains(item.id, item.queued)) continue;
    enter_memory(item);
    arrivals_.push_back(std::move(item));
  }
  if (all_read && last_left_ < complete_to) on_disk_ = false;
  index_was_at(complete_to);
  if (failure) return *failure;
  return {};
}

}  // namespace cannula::pipeline
