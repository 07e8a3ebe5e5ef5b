// A connection, plain or TLS, behind one virtual interface: protocols are compiled once for both.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "channels/transport/intake.h"
#include "channels/transport/options.h"
#include "parsers/text/result.h"

namespace cannula {

// Not thread-safe: all calls on the stream's executor; one read and one write may be under way at
// once. Time-outs are counted on the monotonic clock; when one passes, the call fails with T-codes
// and the stream must be closed.
class Stream {
 public:
  virtual ~Stream() = default;

  // The TLS handshake, before anything else: a stream that accept_stream() or connect() gives has
  // done it. Plain there is none, and it succeeds at once.
  virtual boost::asio::awaitable<Result<void>> handshake(std::chrono::milliseconds timeout) = 0;
  // At least one byte, or 0 at the orderly end of the stream. `timeout` of zero means none.
  virtual boost::asio::awaitable<Result<std::size_t>> read_some(
      boost::asio::mutable_buffer into, std::chrono::milliseconds timeout) = 0;
  // All of it or an error; the pieces go out in as few system calls as possible.
  virtual boost::asio::awaitable<Result<void>> write(
      std::span<const boost::asio::const_buffer> pieces, std::chrono::milliseconds timeout) = 0;
  // Orderly end where the protocol has one (TLS close_notify), within `timeout`, then close.
  virtual boost::asio::awaitable<void> shutdown(std::chrono::milliseconds timeout) = 0;
  // At once; operations under way, also the handshake, end with an error. Safe to call twice.
  virtual void close() = 0;
  // Ends a read_some() or wait_readable() under way as if nothing had come in time; but something
  // can still be written.
  virtual void stop_reading() = 0;
  // Whether, as far as the system knows without waiting, the other side could still read and
  // answer: false once it has closed or reset the connection. Asked before a kept connection is
  // used again.
  virtual bool alive() const = 0;
  // Whether something, bytes or the end, can be read within `timeout`; unlike a time-out of
  // read_some(), the stream is as good as before when nothing can. Over TLS it may say false
  // although the rest of a record is already here. No read may be under way.
  virtual boost::asio::awaitable<bool> wait_readable(std::chrono::milliseconds timeout) = 0;
  virtual const Peer& peer() const = 0;
};

}  // namespace cannula
