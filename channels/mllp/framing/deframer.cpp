#include "channels/mllp/framing/deframer.h"

#include <algorithm>
#include <utility>

namespace cannula::mllp {

namespace {

constexpr std::string_view kRestart = "\x0BMSH";
constexpr std::size_t kGarbageShown = 16;

bool is_blank(char byte) {
  return byte == '\r' || byte == '\n' || byte == ' ' || byte == '\t' || byte == '\0';
}

// How many bytes of VT "MSH" stand at the start of `text`: four when all of it, fewer when the text
// ends within it, else none.
std::size_t restart_at(std::string_view text) {
  const std::size_t length = std::min(text.size(), kRestart.size());
  return text.substr(0, length) == kRestart.substr(0, length) ? length : 0;
}

}  // namespace

Deframer::Deframer(std::size_t max_size) : max_size_(max_size) {}

void Deframer::feed(std::string_view chunk, std::vector<Frame>& frames) {
  while (!chunk.empty()) {
    if (state_ == State::outside) {
      chunk = read_outside(chunk);
    } else if (state_ == State::after_end) {
      chunk = read_after_end(chunk, frames);
    } else if (restart_ > 0) {
      chunk = read_restart(chunk, frames);
    } else {
      chunk = read_content(chunk, frames);
    }
  }
}

std::optional<Frame> Deframer::finish() {
  if (state_ == State::outside) return std::nullopt;
  append(kRestart.substr(0, std::exchange(restart_, 0)));
  return take(state_ == State::after_end ? Frame::Kind::whole : Frame::Kind::cut_off);
}

void Deframer::settle(std::vector<Frame>& frames) {
  if (awaits_trailer()) frames.push_back(take(Frame::Kind::whole));
}

Deframer::Garbage Deframer::take_garbage() {
  return std::exchange(garbage_, Garbage());
}

std::string_view Deframer::read_outside(std::string_view rest) {
  const std::size_t start = std::min(rest.find(kStartBlock), rest.size());
  for (const char byte : rest.substr(0, start)) {
    if (is_blank(byte)) continue;
    if (garbage_.size++ < kGarbageShown) garbage_.start.push_back(byte);
  }
  if (start == rest.size()) return {};
  state_ = State::inside;
  return rest.substr(start + 1);
}

std::string_view Deframer::read_content(std::string_view rest, std::vector<Frame>& frames) {
  const std::size_t end = std::min(rest.find(kEndBlock), rest.size());
  for (std::size_t start = rest.find(kStartBlock); start < end;
       start = rest.find(kStartBlock, start + 1)) {
    restart_ = restart_at(rest.substr(start));
    if (restart_ == 0) continue;
    append(rest.substr(0, start));
    return read_restart(rest.substr(start + restart_), frames);
  }
  append(rest.substr(0, end));
  if (end == rest.size()) return {};
  if (last_ == '\r') {
    frames.push_back(take(Frame::Kind::whole));
  } else {
    state_ = State::after_end;
  }
  return rest.substr(end + 1);
}

// `rest` follows the first restart_ bytes of VT "MSH".
std::string_view Deframer::read_restart(std::string_view rest, std::vector<Frame>& frames) {
  while (restart_ < kRestart.size() && !rest.empty() && rest.front() == kRestart[restart_]) {
    ++restart_;
    rest.remove_prefix(1);
  }
  if (restart_ == kRestart.size()) {
    restart_ = 0;
    frames.push_back(take(Frame::Kind::cut_off));
    state_ = State::inside;
    append(kRestart.substr(1));
  } else if (!rest.empty()) {
    append(kRestart.substr(0, std::exchange(restart_, 0)));
  }
  return rest;
}

std::string_view Deframer::read_after_end(std::string_view rest, std::vector<Frame>& frames) {
  switch (rest.front()) {
    case '\r':
    case '\n':
      frames.push_back(take(Frame::Kind::whole));
      return rest.substr(1);
    case kStartBlock:
      frames.push_back(take(Frame::Kind::whole));
      return rest;
    case kEndBlock:  // the one before was content, this one may be the end
      append({&kEndBlock, 1});
      return rest.substr(1);
    default:
      append({&kEndBlock, 1});
      state_ = State::inside;
      return rest;
  }
}

void Deframer::append(std::string_view part) {
  if (part.empty()) return;
  size_ += part.size();
  last_ = part.back();
  if (oversized_) return;
  if (part.size() <= max_size_ - content_.size()) {
    content_.append(part);
    return;
  }
  oversized_ = true;
  const std::size_t kept = std::min(kKept, max_size_);
  if (content_.size() < kept) content_.append(part.substr(0, kept - content_.size()));
  content_.resize(kept);
  content_.shrink_to_fit();
}

Frame Deframer::take(Frame::Kind kind) {
  if (kind == Frame::Kind::whole && oversized_) kind = Frame::Kind::oversized;
  if (kind == Frame::Kind::cut_off && content_.size() > kKept) {
    content_.resize(kKept);
    content_.shrink_to_fit();
  }
  Frame frame{kind, std::exchange(content_, std::string()), size_};
  state_ = State::outside;
  size_ = 0;
  oversized_ = false;
  last_ = 0;
  return frame;
}

}  // namespace cannula::mllp
