// The ports that `cannula send` and `cannula listen` give to the transports' connections.
#pragma once

#include <cstdio>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "channels/transport/transport.h"

namespace cannula::cli {

// Relative files start from the working directory; warnings and errors go to standard error. The
// Report lives for ever.
Ports tool_ports(boost::asio::io_context& io);

// A message as people read it: a segment a line, and an empty line behind it.
void print_message(std::FILE* to, std::string_view message);

// CPU seconds this process has used, its own and the system's for it.
double cpu_seconds();

}  // namespace cannula::cli
