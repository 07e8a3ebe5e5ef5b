// What plain and TLS streams have in common. Internal to the room.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include "channels/transport/stream.h"
#include "channels/transport/tls.h"
#include "parsers/text/result.h"

namespace cannula {

// No delay, keep-alive that notices a dead peer or firewall within about two minutes, non-blocking.
void tune(boost::asio::ip::tcp::socket& socket);

// See Stream::alive().
bool other_side_is_there(int descriptor);

// See Stream::wait_readable().
boost::asio::awaitable<bool> wait_readable(boost::asio::ip::tcp::socket& socket,
                                           std::chrono::milliseconds timeout);

// T104 when the deadline has passed, T108 when this side closed it, else T105. `doing` is "reading
// from", "writing to".
Error stream_error(const boost::system::error_code& failure, bool expired, std::string_view doing,
                   const std::string& address);

// tls.cpp: a stream as server, before its handshake; and one as client of `host`, after it.
std::unique_ptr<Stream> make_tls_stream(boost::asio::ip::tcp::socket socket,
                                        std::shared_ptr<TlsContext> tls);
boost::asio::awaitable<Result<std::unique_ptr<Stream>>> connect_tls(
    boost::asio::ip::tcp::socket socket, std::shared_ptr<TlsContext> tls, std::string host,
    std::chrono::milliseconds timeout);

}  // namespace cannula
