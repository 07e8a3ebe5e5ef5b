#include "engine/security/keys/error_codes.h"

namespace cannula::security {
namespace {

constexpr ErrorCode kCodes[] = {
    {"K101", "the master key is not there",
     "The store is sealed, and the master key that opens its keys was not found where `[keys] "
     "master` "
     "in site.toml says, or in `state/master.key` of a site that says nothing. A new one is made "
     "only "
     "for a new store. Put the key back from where it is kept apart from the store; without it "
     "nothing "
     "in the store can be read by anybody."},
    {"K102", "the master key is another one",
     "Each key of the store says by id which master key is around it. The place that was looked in "
     "has "
     "others; the message names both. Put the right one there. Several may stand there at once, "
     "white "
     "space between them: the first wraps, all of them open."},
    {"K103", "what should be a master key is none",
     "A master key is 32 random bytes written as 64 hexadecimal digits, as `openssl rand -hex 32` "
     "prints. The message never repeats what was found."},
    {"K104", "a file of keys could not be read or written",
     "The operating system refused; the message has its words. Nothing was changed, and what was "
     "to be "
     "stored was refused, so its sender keeps it."},
    {"K105", "the file of keys is damaged or missing",
     "`keys` in the store's folder, with its twin `keys.copy`, holds the wrapped keys of all "
     "channels. "
     "Neither could be used, or the store is sealed and there is none. Put it back from a backup "
     "of "
     "this store. Nothing is overwritten in the meantime."},
    {"K106", "the channel's keys were shredded",
     "Somebody had everything forgotten that this channel held up to a moment; the message says "
     "who, "
     "when and why. The record is still there as bytes that nobody can open."},
    {"K107", "a key is missing",
     "A record is sealed with a key that the file `keys` does not have: the file is older than the "
     "journal, or of another store. Put the newest one back from a backup."},
    {"K108", "cannula cannot change the master key",
     "The master key comes from the environment, which only the one who starts the engine can set. "
     "Put the new key first and the old one behind it; `cannula keys rotate` or the next start "
     "wraps "
     "all keys with the new one."},
    {"K109", "there is no key to shred",
     "The store holds nothing sealed of this channel, or it was shredded before."},
};

}  // namespace

std::span<const ErrorCode> key_error_codes() {
  return kCodes;
}

}  // namespace cannula::security
