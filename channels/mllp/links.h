// The connections of an MLLP destination: opened towards the receiver as they are needed, or taken
// from receivers that come and connect (`listen`). On one executor.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "channels/mllp/framing/deframer.h"
#include "channels/mllp/raw_answer.h"
#include "channels/transport/address.h"
#include "channels/transport/stream.h"
#include "channels/transport/tls.h"
#include "channels/transport/transport.h"

namespace cannula::mllp {

struct LinkSettings {
  Endpoint endpoint;  // to connect to, or to listen on
  std::size_t connections = 0;
  std::chrono::milliseconds timeout{};  // listening: how long to wait for someone to connect
  std::chrono::milliseconds connect_timeout{};  // with the TLS handshake
  std::size_t max_response = 0;
  std::vector<AddressBlock> from;   // listening: who may connect; empty: everyone
  std::shared_ptr<TlsContext> tls;  // null: plain
};

// A connection to the receiver, with what was read of its answers so far.
struct Link {
  Link(std::unique_ptr<Stream> opened, std::size_t max_response)
      : stream(std::move(opened)),
        deframer(max_response),
        raw(std::min(max_response, Deframer::kKept)) {}
  std::unique_ptr<Stream> stream;
  Deframer deframer;
  RawAnswer raw;
  std::array<char, 4096> buffer{};
};

class Links {
 public:
  virtual ~Links() = default;
  // `reachable` is called whenever someone has connected where nobody was before.
  virtual void start(std::function<void()> reachable) = 0;
  // A link that nobody else uses. Fails after a time-out of the settings.
  virtual boost::asio::awaitable<Result<std::unique_ptr<Link>>> take() = 0;
  // For the next; one that must not be used again is simply destroyed, after drop() of it.
  virtual void give_back(std::unique_ptr<Link> link) = 0;
  virtual void drop(std::unique_ptr<Link> link) = 0;
  // Ends every take() under way, with M206, and closes what is not in use.
  virtual void stop() = 0;
};

std::unique_ptr<Links> connecting_links(LinkSettings settings, Ports ports);
std::unique_ptr<Links> listening_links(LinkSettings settings, Ports ports);

Error stopped_error();

}  // namespace cannula::mllp
