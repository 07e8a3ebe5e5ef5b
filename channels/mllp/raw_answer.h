// What came over a link since a message was sent on it: the bytes as they came, framing included.
// Whoever looks for the reason of a bad answer needs just these.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "parsers/text/span.h"

namespace cannula::mllp {

class RawAnswer {
 public:
  // Keeps the first `most` bytes.
  explicit RawAnswer(std::size_t most) : most_(most) {}

  void clear() { kept_.clear(); }
  void add(std::string_view chunk) {
    kept_.append(chunk.substr(0, std::min(chunk.size(), most_ - kept_.size())));
  }
  // Null when nothing has come. Then empty.
  Bytes take() {
    if (kept_.empty()) return nullptr;
    Bytes bytes = make_bytes(std::move(kept_));
    kept_ = std::string();
    return bytes;
  }

 private:
  std::size_t most_;
  std::string kept_;
};

}  // namespace cannula::mllp
