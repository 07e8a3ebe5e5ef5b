// Senders that must find something again after a crash, such as the last sequence number that they
// gave to a delivery.
#pragma once

#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "channels/transport/transport.h"

namespace cannula {

// One short text a destination, on record with its deliveries. Without patient data. On the
// sender's executor.
class Memory {
 public:
  virtual ~Memory() = default;
  // What was remembered last, also in an earlier run; empty: nothing yet.
  virtual boost::asio::awaitable<Result<std::string>> recall() = 0;
  // It is on disk when this returns well.
  virtual boost::asio::awaitable<Result<void>> remember(std::string text) = 0;
};

// How an attempt ended, as far as an Answer does not say it.
struct Remembered {
  Answer answer{};
  // What the sender is to find in its memory from now on: on record together with the answer.
  std::optional<std::string> remember{};
  // Nothing more can be sent until a person has seen to the other side: not this one, and not what
  // follows. `answer` says `retry` then, and why.
  bool stuck = false;
};

class RememberingSender : public Sender {
 public:
  // Whether it does, as it is configured. Then deliveries go by deliver_remembering() alone, one
  // after another in the order of their queue, whatever their order keys; one that is tried again
  // or held keeps all others waiting.
  virtual bool remembers() const = 0;
  // `memory` is valid until it returns.
  virtual boost::asio::awaitable<Remembered> deliver_remembering(const Parcel& parcel,
                                                                 Memory& memory) = 0;
};

}  // namespace cannula
