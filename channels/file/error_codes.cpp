#include "channels/file/error_codes.h"

namespace cannula::file {

std::span<const ErrorCode> error_codes() {
  static constexpr ErrorCode kCodes[] = {
      {"F101", "A folder cannot be used",
       "The folder named by `directory`, or one that files are moved to, does not exist, is no "
       "folder, or the engine may not read and write it; `directory` must not be a link to one. "
       "`move_to` and `errors_to` must lie on the same file system as `directory`, because "
       "a file is moved by renaming it. The channel takes nothing until the folder can be used, "
       "which is tried every few seconds; the other channels work. An engine none of whose sources "
       "can be opened says so and ends."},
      {"F102", "A folder cannot be listed",
       "The folder was there at the start and cannot be read now, as when a network share is away. "
       "It is tried again at every poll; `cannula status` says since when (SOURCE NOT REACHED)."},
      {"F103", "A file cannot be read",
       "The file matches the pattern but cannot be opened or read, usually for want of rights. It "
       "is left where it is and tried again at every poll."},
      {"F104", "A file cannot be moved or removed after its messages were stored",
       "Its messages are safe and are not offered again while the engine runs; but after a restart "
       "they would be, and then show as duplicates. The file stands in `.claimed` of the folder. "
       "Give the engine the right to write where the message says."},
      {"F105", "A file is larger than max_size",
       "Its first 64 KB are kept as rejected and the file is moved to `errors_to`. Raise "
       "`max_size` of "
       "the source if such files are wanted."},
      {"F106", "A file holds messages that were refused",
       "The file was moved to `errors_to`, and the reason file beside it says which messages were "
       "refused and why. Those that were accepted are being worked; do not put the file back "
       "whole."},
      {"F107", "Something else stands where a folder of the engine should be",
       "Into the folder that files are taken from others may write, usually the sender. There the "
       "engine keeps folders of its own: `.claimed` for files that are being worked, and those "
       "named by `move_to` and `errors_to`. Through a link in the place of one of them whoever "
       "put it there would choose where the engine writes; in a folder of another user they could "
       "exchange its files. So nothing is taken from the folder until what the message names was "
       "moved away or given to the engine's user; that is looked for at every poll. Find out who "
       "put it there. On a network share the engine's user has to own what it makes: mount it so."},
      {"F108", "A file cannot be claimed",
       "Before a file is read it is renamed into `.claimed` of its folder, where nobody can "
       "exchange it. The engine's user must be allowed to rename files in the folder: to write in "
       "it and, where it has the sticky bit, to own the folder or the file. Until then the file "
       "is left where it is and tried again at every poll."},
      {"F109", "Claimed files do not match the pattern",
       "Files stand in `.claimed` that this source does not take. Another source of the same "
       "folder may be taking them just now. But if `pattern` was changed while files were being "
       "worked, nobody takes them any more: move them back into the folder under names that "
       "match, or work them by hand. Messages of theirs that were stored before show as "
       "duplicates."},
      {"F201", "A file name template cannot be used",
       "`filename` of the destination names an unknown placeholder, leaves the folder, or has "
       "neither {key} nor {id}, so that one message would overwrite another."},
      {"F202", "A file cannot be written",
       "The message names what the system said, such as a full disk or missing rights. The "
       "delivery "
       "is tried again."},
      {"F203", "A file name is too long",
       "With the values of this message the name has more than 255 bytes. Use fewer placeholders "
       "in "
       "`filename`."},
      {"F204", "The destination was stopped during a delivery",
       "The engine is stopping or was reloaded; or, while it did, the disk or network share did "
       "not answer within 5 seconds. The delivery is tried again afterwards."},
      {"F205", "Something else stands where a folder of a destination should be",
       "`filename` of the destination has a / in it, and where the folder of that name should be "
       "stands a link or a file. Below `directory` links are not followed: whoever put one there "
       "would choose where messages go. The delivery is tried again until it was moved away. Where "
       "a part of the files shall go elsewhere, mount that place there, or give it a destination "
       "of its own; `directory` itself may be a link."},
  };
  return kCodes;
}

}  // namespace cannula::file
