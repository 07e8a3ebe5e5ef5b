#include "channels/mllp/mllp.h"

#include "channels/mllp/receiver.h"
#include "channels/mllp/sender.h"

namespace cannula::mllp {

Transport transport() {
  return {.type = "mllp",
          .description = "HL7 v2 over TCP in MLLP frames, with acknowledgements.",
          .source_options = receiver_options(),
          .destination_options = sender_options(),
          .make_receiver = make_receiver,
          .make_sender = make_sender,
          .check_source = check_source,
          .check_destination = check_destination};
}

}  // namespace cannula::mllp
