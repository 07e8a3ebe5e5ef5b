#include "channels/mllp/outgoing_sequence.h"

#include <charconv>
#include <utility>

namespace cannula::mllp {

namespace {

// The owner of a number whose delivery was refused: no key.
constexpr const char* kRefused = "?";
constexpr std::int64_t kAny = -1;  // as MSA-4: the receiver takes whatever number comes next

std::optional<std::int64_t> number_in(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = failed == std::errc() && end == text.data() + text.size();
  return whole && text.size() <= 15 ? std::optional(number) : std::nullopt;
}

}  // namespace

void OutgoingSequence::recall(std::string_view memory) {
  recalled_ = true;
  const std::size_t space = memory.find(' ');
  last_ = number_in(memory.substr(0, space)).value_or(0);
  if (space != std::string_view::npos) owner_ = memory.substr(space + 1);
}

std::string OutgoingSequence::memory() const {
  return std::to_string(last_) + (owner_.empty() ? "" : " " + owner_);
}

std::optional<std::int64_t> OutgoingSequence::opening(std::string_view key) const {
  const bool given_up = !owner_.empty() && owner_ != key;
  if (!in_step_) return static_cast<std::int64_t>(opening_);
  if (given_up) return static_cast<std::int64_t>(Start::restart);
  return std::nullopt;
}

Result<OutgoingSequence::Next> OutgoingSequence::opened(std::string_view key,
                                                        const hl7v2::Acknowledgement& answer) {
  const Start opened_with = in_step_ ? Start::restart : opening_;
  const std::optional<std::int64_t> expected = number_in(answer.expected_sequence);
  in_step_ = false;
  if (opened_with == Start::resync) {
    if (!answer.positive() && expected != kAny) {
      return Error{"M213",
                   "the receiver did not resynchronise the link (-1 in MSH-13): it answered " +
                       std::string(hl7v2::name_of(answer.code)),
                   "`sequence` of the destination is for receivers that follow the sequence number "
                   "protocol",
                   std::nullopt};
    }
    in_step_ = true;
    opening_ = Start::restart;
    return Next::send;
  }
  if (!expected || (*expected < 1 && *expected != kAny)) {
    return Error{"M213",
                 "the receiver did not say which sequence number it expects (MSA-4) when the link "
                 "was begun with 0 in MSH-13",
                 "`sequence` of the destination is for receivers that follow the sequence number "
                 "protocol",
                 std::nullopt};
  }
  const bool mine = owner_ == key && !owner_.empty();
  const bool in_doubt = !owner_.empty();
  // What was never numbered here goes on where the receiver stands.
  if (*expected != kAny && last_ == 0) last_ = *expected - 1;
  const bool taken = *expected == last_ + 1;  // all that was given
  const bool not_taken = *expected == last_;  // all but the last
  const bool fits = *expected == kAny || taken || (in_doubt && not_taken);
  if (!fits) return out_of_step(*expected, in_doubt ? last_ : last_ + 1);
  in_step_ = true;
  opening_ = Start::restart;
  if (mine && taken) {
    owner_.clear();
    return Next::delivered;
  }
  if (!mine && in_doubt) {
    owner_.clear();
    reused_ = !taken;
    if (!taken) --last_;
  }
  return Next::send;
}

OutgoingSequence::Number OutgoingSequence::number(std::string_view key) const {
  const bool mine = owner_ == key && !owner_.empty();
  return {mine ? last_ : last_ + 1, mine};
}

std::string OutgoingSequence::memory_of(std::string_view key) const {
  return std::to_string(number(key).value) + " " + std::string(key);
}

void OutgoingSequence::give(std::string_view key) {
  last_ = number(key).value;
  owner_ = key;
}

Result<OutgoingSequence::Next> OutgoingSequence::answered(bool repeated,
                                                          const hl7v2::Acknowledgement& answer) {
  const std::optional<std::int64_t> expected = number_in(answer.expected_sequence);
  const bool reused = std::exchange(reused_, false);
  // Its words alone count where it names no number, echoes this one, or takes any.
  const bool plain = !expected || *expected == last_ || *expected == kAny;
  if (!plain && *expected != last_ + 1) return out_of_step(*expected, last_);
  if (!plain && reused && !repeated) {
    owner_.clear();
    return Next::again;
  }
  if (answer.positive()) {
    owner_.clear();
    return Next::as_it_says;
  }
  // Refused. Where it does not say so, whether that has used up the number is asked before the
  // next.
  owner_ = plain ? kRefused : "";
  return plain || !repeated ? Next::as_it_says : Next::delivered;
}

Error OutgoingSequence::out_of_step(std::int64_t expected, std::int64_t sent) {
  in_step_ = false;
  opening_ = start_;
  const bool behind = expected < sent;
  return {"M212",
          "the receiver expects sequence number " + std::to_string(expected) + ", and number " +
              std::to_string(sent) + " is to be sent",
          behind ? "it has lost what it acknowledged, or was put back to an earlier state: send it "
                   "what is missing, then resend this delivery, with sequence = \"resync\" if it "
                   "cannot be brought to this number"
                 : "it has taken numbers that were not sent from here: find out what sends to it "
                   "under the same name, then resend this delivery, with sequence = \"resync\" if "
                   "it cannot be brought to this number",
          std::nullopt};
}

}  // namespace cannula::mllp
