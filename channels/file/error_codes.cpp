#include "channels/file/error_codes.h"

namespace cannula::file {

std::span<const ErrorCode> error_codes() {
  static constexpr ErrorCode kCodes[] = {
      {"F101", "A folder cannot be used",
       "The folder named by `directory`, or one that files are moved to, does not exist, is no "
       "folder, "
       "or the engine may not read and write it. `move_to` and `errors_to` must lie on the same "
       "file "
       "system as `directory`, because a file is moved by renaming it."},
      {"F102", "A folder cannot be listed",
       "The folder was there at the start and cannot be read now, as when a network share is away. "
       "It "
       "is tried again at every poll."},
      {"F103", "A file cannot be read",
       "The file matches the pattern but cannot be opened or read, usually for want of rights. It "
       "is "
       "left where it is and tried again at every poll."},
      {"F104", "A file cannot be moved or removed after its messages were stored",
       "Its messages are safe and are not offered again while the engine runs; but after a restart "
       "they would be, and then show as duplicates. Give the engine the right to write in the "
       "folder."},
      {"F105", "A file is larger than max_size",
       "Its first 64 KB are kept as rejected and the file is moved to `errors_to`. Raise "
       "`max_size` of "
       "the source if such files are wanted."},
      {"F106", "A file holds messages that were refused",
       "The file was moved to `errors_to`, and the reason file beside it says which messages were "
       "refused and why. Those that were accepted are being worked; do not put the file back "
       "whole."},
      {"F201", "A file name template cannot be used",
       "`filename` of the destination names an unknown placeholder, leaves the folder, or has "
       "neither "
       "{key} nor {id}, so that one message would overwrite another."},
      {"F202", "A file cannot be written",
       "The message names what the system said, such as a full disk or missing rights. The "
       "delivery "
       "is tried again."},
      {"F203", "A file name is too long",
       "With the values of this message the name has more than 255 bytes. Use fewer placeholders "
       "in "
       "`filename`."},
      {"F204", "The destination was stopped during a delivery",
       "The engine is stopping or was reloaded. The delivery is tried again afterwards."},
  };
  return kCodes;
}

}  // namespace cannula::file
