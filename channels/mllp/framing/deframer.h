// Finds messages in a stream of bytes: MLLP release 1 (HL7 v2 Implementation Guide, Appendix
// C.4.2): VT data FS CR. Knows no sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cannula::mllp {

constexpr char kStartBlock = '\x0B';  // VT
constexpr char kEndBlock = '\x1C';    // FS
constexpr std::string_view kTrailer = "\x1C\r";

struct Frame {
  enum class Kind {
    whole,
    oversized,  // longer than the limit; `content` is its beginning
    cut_off,    // its end never came; `content` is at most its beginning
  } kind = Kind::whole;
  std::string content;   // without VT, FS and CR
  std::size_t size = 0;  // bytes it had on the wire, as far as they came
};

// Takes bytes in chunks of any size and gives the same frames however they were cut. Costs one pass
// over the bytes and one copy of those within frames. Memory is bounded by `max_size` and what a
// chunk holds.
//
// Where real senders leave the standard, this is what holds:
// - Bytes outside frames are skipped: CR, LF, space, tab and NUL silently, all others are counted as
//   garbage.
// - FS ends a frame when CR, LF or VT follows, and also when it follows a CR, that is a segment:
//   then nothing is waited for. Any other FS is content, so that a stray one cannot cut a message
//   in two.
// - A frame whose FS is the last byte so far may be complete (senders without the CR): see
//   awaits_trailer().
// - VT within a frame is content (word processors use it as a line break), but VT before "MSH"
//   starts anew: the sender gave up half way and sends again. What it gave up is a frame cut off;
//   joined with the next it would mix two messages.
class Deframer {
 public:
  // The part of an oversized or cut-off frame that is kept.
  static constexpr std::size_t kKept = 64 * 1024;

  explicit Deframer(std::size_t max_size);

  // Appends the frames that end in these bytes.
  void feed(std::string_view chunk, std::vector<Frame>& frames);

  // The stream has ended: a frame that only lacks the CR is whole, any other that has begun is cut
  // off. Then ready for a new stream.
  std::optional<Frame> finish();

  // Whether all that a frame still lacks is the byte after its FS. When none comes for a moment,
  // settle() takes it as complete.
  bool awaits_trailer() const { return state_ == State::after_end; }
  void settle(std::vector<Frame>& frames);

  bool within_frame() const { return state_ != State::outside; }
  // Bytes of the frame begun, as far as they came.
  std::size_t frame_size() const { return size_; }
  // Those of them that are kept in memory.
  std::size_t held() const { return content_.size(); }

  // What was skipped outside frames since it was last asked, blanks not counted, and its first few
  // bytes, by which the sender's mistake can be told.
  struct Garbage {
    std::size_t size = 0;
    std::string start;
  };
  Garbage take_garbage();

 private:
  enum class State {
    outside,
    inside,
    after_end,  // an FS that does not follow a CR was read last; it is not in content_ yet
  };

  std::string_view read_outside(std::string_view rest);
  std::string_view read_content(std::string_view rest, std::vector<Frame>& frames);
  std::string_view read_restart(std::string_view rest, std::vector<Frame>& frames);
  std::string_view read_after_end(std::string_view rest, std::vector<Frame>& frames);
  void append(std::string_view part);
  Frame take(Frame::Kind kind);

  std::size_t max_size_;
  State state_ = State::outside;
  std::string content_;   // at most max_size_; once that is passed, the beginning that is kept
  std::size_t size_ = 0;  // bytes of the frame so far
  bool oversized_ = false;
  char last_ = 0;            // the byte before, within the frame
  std::size_t restart_ = 0;  // bytes of VT "MSH" read last, which are not in content_ yet
  Garbage garbage_;
};

}  // namespace cannula::mllp
