// Who has a port of this machine, for the error that says that it is taken.
#pragma once

#include <cstdint>
#include <string>

namespace cannula {

// "process 4711 (java)", "this process"; empty when nobody listens there or it may not be known:
// only root sees the sockets of other users' processes. Reads /proc once, in milliseconds.
std::string holder_of_port(std::uint16_t port);

}  // namespace cannula
