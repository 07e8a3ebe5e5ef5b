#include "channels/file/file.h"

#include "channels/file/receiver.h"
#include "channels/file/sender.h"

namespace cannula::file {

Transport transport() {
  return {.type = "file",
          .description = "Messages in the files of a folder.",
          .source_options = receiver_options(),
          .destination_options = sender_options(),
          .make_receiver = make_receiver,
          .make_sender = make_sender,
          .look_at_source = look_at_source};
}

}  // namespace cannula::file
