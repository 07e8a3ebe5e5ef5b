// The ports that `cannula send` and `cannula listen` give to the transports' connections.
#pragma once

#include <boost/asio/io_context.hpp>

#include "channels/transport/transport.h"

namespace cannula::cli {

// Relative files start from the working directory; warnings and errors go to standard error. The
// Report lives for ever.
Ports tool_ports(boost::asio::io_context& io);

// CPU seconds this process has used, its own and the system's for it.
double cpu_seconds();

}  // namespace cannula::cli
