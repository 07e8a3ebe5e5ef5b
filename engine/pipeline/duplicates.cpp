#include "engine/pipeline/duplicates.h"

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include "engine/pipeline/clock.h"

namespace cannula::pipeline {
namespace {

using std::chrono::steady_clock;

// Of one generation; past it the window in memory shortens, and the index is asked.
constexpr std::size_t kMostInMemory = 2'000'000;
// A sender that gives all its messages one control id is not searched through to its beginning.
constexpr std::size_t kMostOfOneId = 16;

std::uint64_t hash_of_id(const Arrival& arrival) {
  const std::uint64_t sender = XXH3_64bits(arrival.sender.data(), arrival.sender.size());
  return XXH3_64bits_withSeed(arrival.control_id.data(), arrival.control_id.size(), sender);
}

// Milliseconds since 1970.
std::int64_t time_of(MessageId id) {
  constexpr unsigned kCounterBits = 20;
  return static_cast<std::int64_t>(id.value >> kCounterBits);
}

// Taken well, as far as it has come.
bool counts(store::MessageState state) {
  using State = store::MessageState;
  return state != State::rejected && state != State::dead && state != State::discarded;
}

}  // namespace

Duplicates::Duplicates(std::string channel, std::chrono::milliseconds window,
                       const store::Store& store)
    : channel_(std::move(channel)),
      window_(window),
      store_(store),
      begun_(steady_clock::now()),
      ask_store_until_(begun_ + window) {}

Duplicates::Fingerprint Duplicates::of(const Arrival& arrival) {
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(arrival.body->data(), arrival.body->size(), hash_of_id(arrival));
  return {hash.low64, hash.high64};
}

std::vector<std::size_t> Duplicates::twins(const std::vector<Fingerprint>& prints,
                                           const std::function<bool(std::size_t)>& left_out) {
  std::unordered_map<Fingerprint, std::size_t, Hash> first;
  std::vector<std::size_t> twins(prints.size());
  for (std::size_t i = 0; i < prints.size(); ++i) {
    twins[i] = left_out(i) ? i : first.try_emplace(prints[i], i).first->second;
  }
  return twins;
}

Duplicates::Verdict Duplicates::look(const Arrival& arrival, const Fingerprint& fingerprint) {
  age();
  if (under_way_.contains(fingerprint)) return {Verdict::Kind::under_way};
  if (auto known = in_memory(fingerprint)) return *std::move(known);
  if (steady_clock::now() < ask_store_until_) {
    if (auto known = in_store(arrival)) return *std::move(known);
  }
  Verdict verdict;
  const std::uint64_t id = hash_of_id(arrival);
  verdict.id_reused = current_.control_ids.contains(id) || previous_.control_ids.contains(id);
  return verdict;
}

std::optional<Duplicates::Verdict> Duplicates::in_memory(const Fingerprint& fingerprint) const {
  for (const Generation* generation : {&current_, &previous_}) {
    const auto found = generation->messages.find(fingerprint);
    if (found == generation->messages.end()) continue;
    if (time_of(found->second) < now_microseconds() / 1000 - window_.count()) continue;
    Verdict verdict{Verdict::Kind::duplicate, found->second};
    const auto reply = generation->replies.find(fingerprint);
    if (reply != generation->replies.end()) verdict.reply = reply->second;
    return verdict;
  }
  return std::nullopt;
}

std::optional<Duplicates::Verdict> Duplicates::in_store(const Arrival& arrival) const {
  store::MessageQuery query;
  query.channel = channel_;
  query.control_id = arrival.control_id;
  query.received_from = now_microseconds() - window_.count() * 1000;
  query.newest_first = true;
  query.limit = kMostOfOneId;
  const auto rows = store_.messages(query);
  if (!rows) {
    spdlog::warn("channel {}: whether a message came before cannot be told: {}", channel_,
                 rows.error().text());
    return std::nullopt;
  }
  for (const store::MessageRow& row : *rows) {
    if (!counts(row.state) || row.code == store::kDuplicate || row.size != arrival.body->size()) {
      continue;
    }
    const auto record = store_.read(row.accepted_at_position);
    const auto* accepted = record ? std::get_if<store::Accepted>(&*record) : nullptr;
    if (accepted == nullptr || !accepted->body || *accepted->body != *arrival.body) continue;
    return Verdict{Verdict::Kind::duplicate, row.id, std::nullopt, row.state};
  }
  return std::nullopt;
}

void Duplicates::began(const Arrival& arrival, const Fingerprint& fingerprint) {
  under_way_.try_emplace(fingerprint);
  current_.control_ids.insert(hash_of_id(arrival));
}

void Duplicates::ended(const Fingerprint& fingerprint, MessageId id,
                       const std::optional<Reply>& reply) {
  auto place = under_way_.extract(fingerprint);
  if (id) {
    current_.messages[fingerprint] = id;
    if (reply) current_.replies[fingerprint] = *reply;
  }
  if (place.empty()) return;
  for (auto& resume : place.mapped()) resume();
}

void Duplicates::when_ended(const Fingerprint& fingerprint, std::function<void()> resume) {
  const auto place = under_way_.find(fingerprint);
  if (place == under_way_.end()) return resume();
  place->second.push_back(std::move(resume));
}

// Two generations of a window each: what is known of a message is kept for at least one.
void Duplicates::age() {
  const auto now = steady_clock::now();
  const bool full = current_.messages.size() >= kMostInMemory;
  if (!full && now - begun_ < window_) return;
  if (full) ask_store_until_ = now + window_;
  previous_ = std::move(current_);
  current_ = {};
  begun_ = now;
}

}  // namespace cannula::pipeline
