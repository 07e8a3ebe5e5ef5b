// Messages in files: source and destination of type "file".
#pragma once

#include "channels/transport/transport.h"

namespace cannula::file {

Transport transport();

}  // namespace cannula::file
