#include "engine/pipeline/duplicates.h"

#include <random>

#include <nlohmann/json.hpp>
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

// Kept to answer repeats with, of one generation; beyond it they are answered as after a restart.
constexpr std::size_t kMostOfReplies = 32u << 20;

// So that nobody can make a message that is taken for another one.
std::uint64_t secret() {
  static const std::uint64_t drawn = [] {
    std::random_device random;
    return (std::uint64_t{random()} << 32) | random();
  }();
  return drawn;
}

std::uint64_t hash_of_id(const Arrival& arrival) {
  const std::uint64_t sender =
      XXH3_64bits_withSeed(arrival.sender.data(), arrival.sender.size(), secret());
  return XXH3_64bits_withSeed(arrival.control_id.data(), arrival.control_id.size(), sender);
}

// Milliseconds since 1970.
std::int64_t time_of(MessageId id) {
  return static_cast<std::int64_t>(id.millisecond());
}

// Taken well, as far as it has come.
bool counts(store::MessageState state) {
  using State = store::MessageState;
  return state != State::rejected && state != State::dead && state != State::discarded;
}

// What a request asks for, of those that came by HTTP: the same body may be sent to several places.
bool ask_for_the_same(const std::string& one, const std::string& other) {
  const auto asked = [](const std::string& attributes) {
    const auto json = nlohmann::json::parse(attributes, nullptr, false);
    if (!json.is_object()) return std::pair<nlohmann::json, nlohmann::json>();
    return std::pair(json.value("method", nlohmann::json()),
                     json.value("target", nlohmann::json()));
  };
  return one == other || asked(one) == asked(other);
}

}  // namespace

Duplicates::Duplicates(std::vector<std::string> channels, std::chrono::milliseconds window,
                       const store::Store& store)
    : channels_(std::move(channels)),
      window_(window),
      store_(store),
      begun_(steady_clock::now()),
      ask_store_until_(begun_ + window),
      memory_begins_at_(store.end()) {}

store::Position Duplicates::index_needed_at() const {
  return watches() && steady_clock::now() < ask_store_until_ ? memory_begins_at_ : 0;
}

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
    if (auto known = in_store(arrival, fingerprint)) return *std::move(known);
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
    // Since then its script may have failed: then it may come again.
    const auto row = store_.message(found->second);
    if (row && *row && !counts((*row)->state)) continue;
    Verdict verdict{Verdict::Kind::duplicate, found->second};
    if (generation->not_known.contains(fingerprint)) {
      const bool indexed = row && *row;
      verdict.state = indexed ? (*row)->state : store::MessageState::accepted;
    }
    const auto reply = generation->replies.find(fingerprint);
    if (reply != generation->replies.end()) verdict.reply = reply->second;
    return verdict;
  }
  return std::nullopt;
}

std::optional<Duplicates::Verdict> Duplicates::in_store(const Arrival& arrival,
                                                        const Fingerprint& fingerprint) {
  for (const std::string& channel : channels_) {
    if (auto known = in_store_as(channel, arrival, fingerprint)) return known;
  }
  return std::nullopt;
}

std::optional<Duplicates::Verdict> Duplicates::in_store_as(const std::string& channel,
                                                           const Arrival& arrival,
                                                           const Fingerprint& fingerprint) {
  store::MessageQuery query;
  query.channel = channel;
  query.control_id = arrival.control_id;
  query.received_from = now_microseconds() - window_.count() * 1000;
  query.limit = kMostOfOneId;
  // The newest, for a sender that gives all its messages one id, and the oldest, for one that has
  // repeated itself often.
  for (const bool newest : {true, false}) {
    query.newest_first = newest;
    const auto rows = store_.messages(query);
    if (!rows) {
      spdlog::warn("channel {}: whether a message came before cannot be told: {}", channel,
                   rows.error().text());
      return std::nullopt;
    }
    for (const store::MessageRow& row : *rows) {
      const bool came_to_nothing =
          current_.came_to_nothing.contains(row.id) || previous_.came_to_nothing.contains(row.id);
      if (came_to_nothing || !is_first(row, arrival)) continue;
      const bool ended =
          row.state != store::MessageState::accepted && row.state != store::MessageState::queued;
      if (ended) current_.messages[fingerprint] = row.id;  // need not be looked for again
      return Verdict{Verdict::Kind::duplicate, row.id, std::nullopt, row.state};
    }
    if (rows->size() < kMostOfOneId) break;
  }
  return std::nullopt;
}

bool Duplicates::is_first(const store::MessageRow& row, const Arrival& arrival) const {
  if (!counts(row.state) || row.code == store::kDuplicate || row.size != arrival.body->size()) {
    return false;
  }
  const auto record = store_.read(row.accepted_at_position);
  const auto* accepted = record ? std::get_if<store::Accepted>(&*record) : nullptr;
  return accepted != nullptr && accepted->body && *accepted->body == *arrival.body &&
         ask_for_the_same(accepted->attributes, arrival.attributes);
}

void Duplicates::began(const Arrival& arrival, const Fingerprint& fingerprint) {
  under_way_.try_emplace(fingerprint);
  current_.control_ids.insert(hash_of_id(arrival));
}

void Duplicates::ended(const Fingerprint& fingerprint, MessageId id,
                       const std::optional<Reply>& reply, Came came) {
  auto place = under_way_.extract(fingerprint);
  if (id && came == Came::to_nothing) {
    if (steady_clock::now() < ask_store_until_) current_.came_to_nothing.insert(id);
  } else if (id) {
    current_.messages[fingerprint] = id;
    if (came == Came::out_of_sight) current_.not_known.insert(fingerprint);
    const std::size_t bytes = reply && reply->body ? reply->body->size() : 0;
    if (reply && current_.reply_bytes + bytes <= kMostOfReplies) {
      current_.reply_bytes += bytes;
      current_.replies[fingerprint] = *reply;
    }
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
  const bool full = current_.messages.size() + current_.came_to_nothing.size() >= kMostInMemory;
  if (!full && now - begun_ < window_) return;
  if (full) {
    ask_store_until_ = now + window_;
    memory_begins_at_ = store_.end();
  }
  previous_ = std::move(current_);
  current_ = {};
  begun_ = now;
}

}  // namespace cannula::pipeline
