#include "engine/pipeline/sequences.h"

#include <charconv>

#include <fmt/format.h>
#include <xxhash.h>

#include "parsers/hl7v2/header.h"

namespace cannula::pipeline {
namespace {

constexpr std::string_view kPrefix = "from ";  // of the keys of wire_state

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

// The whole of the text, of at most the 15 digits that MSH-13 has room for.
std::optional<std::int64_t> number_in(std::string_view text) {
  text = trimmed(text);
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  return whole && text.size() <= 15 ? std::optional(number) : std::nullopt;
}

// MSH-13 without blanks around it; empty when there is none.
std::string sequence_of(const Arrival& arrival) {
  if (arrival.defect) return {};
  const auto header = hl7v2::Header::peek(*arrival.body);
  return header ? std::string(trimmed(header->sequence)) : std::string();
}

bool can_be_followed(const Arrival& arrival) {
  return arrival.sender.size() <= Sequences::kLongestSender;
}

bool has_number(const Arrival& arrival) {
  return can_be_followed(arrival) && !sequence_of(arrival).empty();
}

std::uint64_t hash_of(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

Error finding(std::string_view code, std::string text, std::string hint = "") {
  return {std::string(code), std::move(text), std::move(hint), std::nullopt};
}

}  // namespace

Sequences::Sequences(std::vector<std::string> channels, bool follows, store::Store& store)
    : channels_(std::move(channels)), follows_(follows), store_(store), begins_at_(store.end()) {}

bool Sequences::is_link_message(const Arrival& arrival) {
  const auto number = number_in(sequence_of(arrival));
  return number && (*number == 0 || *number == -1);
}

Result<void> Sequences::load() {
  if (loaded_) return {};
  // Its own, written later, counts: it comes last.
  for (auto channel = channels_.rbegin(); channel != channels_.rend(); ++channel) {
    for (const store::StateWrite& write : TRY(store_.wire_state(*channel))) {
      if (!write.key.starts_with(kPrefix) || !write.value) continue;
      const std::string_view value = *write.value;
      const std::size_t space = value.find(' ');
      const auto number = number_in(value.substr(0, space));
      Reached reached;
      const auto id = space == std::string_view::npos ? "" : value.substr(space + 1);
      std::from_chars(id.data(), id.data() + id.size(), reached.control_id, 16);
      if (!number) continue;
      reached.number = *number;
      links_[write.key.substr(kPrefix.size())] = reached;
    }
  }
  loaded_ = true;
  return {};
}

Result<bool> Sequences::begin(const std::vector<Arrival>& arrivals) {
  TRY(load());
  for (const Arrival& arrival : arrivals) {
    if (has_number(arrival) && taken_.contains(arrival.sender)) return false;
  }
  for (const Arrival& arrival : arrivals) {
    if (!has_number(arrival) || !taken_.insert(arrival.sender).second) continue;
    const auto known = links_.find(arrival.sender);
    judged_[arrival.sender] = known == links_.end() ? std::nullopt : std::optional(known->second);
  }
  return true;
}

void Sequences::end(const std::vector<Arrival>& arrivals, bool stored) {
  for (const Arrival& arrival : arrivals) {
    if (!has_number(arrival) || taken_.erase(arrival.sender) == 0) continue;
    auto judged = judged_.extract(arrival.sender);
    if (!stored) continue;
    // One that was only begun, or begun anew, is as one that nobody has heard of.
    if (judged.mapped()) {
      links_[arrival.sender] = *judged.mapped();
    } else {
      links_.erase(arrival.sender);
    }
  }
  for (auto& resume : std::exchange(waiting_, {})) resume();
}

Sequences::Verdict Sequences::take(const Arrival& arrival, std::optional<Reached> reached) {
  Verdict verdict;
  store::StateWrite write{std::string(kPrefix) + arrival.sender, std::nullopt};
  if (reached) write.value = fmt::format("{} {:016x}", reached->number, reached->control_id);
  verdict.wire_state.push_back(std::move(write));
  judged_[arrival.sender] = reached;
  return verdict;
}

Sequences::Verdict Sequences::judge(const Arrival& arrival, bool refused) {
  const std::string sequence = sequence_of(arrival);
  if (sequence.empty()) return {};
  if (!can_be_followed(arrival)) {
    return {finding("P337",
                    fmt::format("the sender's name (MSH-3 and MSH-4) has {} bytes, and no sequence "
                                "numbers are followed of one that has more than {}",
                                arrival.sender.size(), kLongestSender),
                    "the sender must use the name it is known by")};
  }
  const std::optional<Reached> reached = judged_[arrival.sender];
  const std::int64_t expected = reached ? reached->number + 1 : -1;
  const auto number = number_in(sequence);
  if (refused) return {std::nullopt, expected};
  if (!number || *number < -1) {
    return {finding("P327", "MSH-13 holds no sequence number",
                    "it is 0 to start the link, -1 to resynchronise it, or counts from 1"),
            expected};
  }
  if (*number == 0) {
    return {finding(store::kLinkMessage,
                    reached ? fmt::format("the sender began the link anew and was told to go on "
                                          "with number {}",
                                          expected)
                            : "the sender began the link; any number may follow"),
            expected};
  }
  if (*number == -1) {
    Verdict verdict = take(arrival, std::nullopt);
    verdict.refusal = finding(
        store::kLinkMessage,
        reached ? fmt::format("the sender resynchronised the link, which had come to number {}",
                              reached->number)
                : "the sender resynchronised the link");
    verdict.answer = -1;
    return verdict;
  }
  return judge_number(arrival, *number, reached);
}

Sequences::Verdict Sequences::judge_number(const Arrival& arrival, std::int64_t number,
                                           const std::optional<Reached>& reached) {
  const std::uint64_t control_id = hash_of(arrival.control_id);
  if (!reached && links_.size() >= kMostLinks && !links_.contains(arrival.sender)) {
    return {finding("P337",
                    fmt::format("the channel follows the sequence numbers of {} senders (MSH-3, "
                                "MSH-4) already",
                                links_.size()),
                    "see what gives itself so many names; `sequence = false` takes messages "
                    "whatever their numbers")};
  }
  if (!reached || number == reached->number + 1) {
    Verdict verdict = take(arrival, Reached{number, control_id});
    verdict.answer = number;  // echoed: item c of 2.9.1
    return verdict;
  }
  const std::int64_t expected = reached->number + 1;
  // "The previous acknowledgment was lost": item d 1.
  if (number == reached->number && control_id == reached->control_id) {
    return {finding(store::kNumberRepeated,
                    fmt::format("the message with sequence number {} was taken before, and its "
                                "sender did not see the acknowledgement",
                                number)),
            expected};
  }
  if (number == reached->number) {
    return {finding("P326",
                    fmt::format("sequence number {} was given to another message before", number),
                    fmt::format("number {} is expected; resynchronise the link with -1 once it is "
                                "known what is missing",
                                expected)),
            expected};
  }
  return {finding("P326", fmt::format("sequence number {} is out of order", number),
                  fmt::format("number {} is expected; resynchronise the link with -1 once it is "
                              "known what is missing",
                              expected)),
          expected};
}

}  // namespace cannula::pipeline
