// A plain TCP connection. Internal to the room.
#pragma once

#include <memory>

#include <boost/asio/ip/tcp.hpp>

#include "channels/transport/stream.h"

namespace cannula {

std::unique_ptr<Stream> make_tcp_stream(boost::asio::ip::tcp::socket socket);

}  // namespace cannula
