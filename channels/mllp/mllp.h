// MLLP, the transport that HL7 v2 is spoken over: source and destination of type "mllp".
#pragma once

#include "channels/transport/transport.h"

namespace cannula::mllp {

Transport transport();

}  // namespace cannula::mllp
