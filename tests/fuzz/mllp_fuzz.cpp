// The deframer with any bytes, cut anywhere: it finds the same frames as in one piece and keeps its
// limits.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "channels/mllp/framing/deframer.h"

using cannula::mllp::Deframer;
using cannula::mllp::Frame;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<Frame> frames;
  Deframer::Garbage garbage;
};

Outcome read(std::string_view bytes, std::size_t max_size, std::size_t chunk_size) {
  Deframer deframer(max_size);
  Outcome outcome;
  while (!bytes.empty()) {
    const std::string_view chunk = bytes.substr(0, chunk_size);
    deframer.feed(chunk, outcome.frames);
    bytes.remove_prefix(chunk.size());
  }
  if (auto last = deframer.finish()) outcome.frames.push_back(std::move(*last));
  outcome.garbage = deframer.take_garbage();
  return outcome;
}

}  // namespace

// The first two bytes set the limit and the size of the chunks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t max_size = data[0] < 128 ? 1u << 20 : data[0] - 127u;
  const std::size_t chunk_size = 1u + data[1];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);

  const Outcome whole = read(bytes, max_size, bytes.size());
  const Outcome cut = read(bytes, max_size, chunk_size);
  require(whole.frames.size() == cut.frames.size());
  require(whole.garbage.size == cut.garbage.size && whole.garbage.start == cut.garbage.start);
  std::size_t total = whole.garbage.size;
  for (std::size_t i = 0; i < whole.frames.size(); ++i) {
    const Frame& frame = whole.frames[i];
    require(frame.kind == cut.frames[i].kind && frame.content == cut.frames[i].content &&
            frame.size == cut.frames[i].size);
    require(frame.content.size() <= max_size && frame.content.size() <= frame.size);
    if (frame.kind == Frame::Kind::whole) require(frame.content.size() == frame.size);
    total += frame.size + 1;
  }
  require(total <= bytes.size());
  return 0;
}
