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
     "Neither could be used, or the store is sealed and there is none, or a key in it does not "
     "open. Keep a copy of what is there, because an older file may lack keys that are needed; "
     "then put it back from the newest backup of this store. Where the master key is in a token, "
     "see first that the token works. Nothing is overwritten in the meantime."},
    {"K106", "the channel's keys were shredded",
     "Somebody had everything forgotten that this channel held up to a moment; the message says "
     "who, "
     "when and why. The record is still there as bytes that nobody can open."},
    {"K107", "a key is missing",
     "A record is sealed with a key that the file `keys` does not have: the file is older than the "
     "journal, or of another store. Put the newest one back from a backup."},
    {"K108", "cannula cannot change the master key",
     "The master key comes from the environment, which only the one who starts the engine can set, "
     "or from a token, in which only its owner makes keys. In the environment put the new key "
     "first "
     "and the old one behind it; of a token name the new key as `master` and the old one as "
     "`former`. `cannula keys rotate` or the next start wraps all keys with the new one."},
    {"K109", "there is no key to shred",
     "The store holds nothing sealed of this channel, or it was shredded before."},
    {"K110", "the address of a key in a token cannot be used",
     "`[keys] master` or `former` begins with `pkcs11:` and is not an address by RFC 7512 of one "
     "secret key, or the PIN itself stands in it. The message says what is wrong and never repeats "
     "the address."},
    {"K111", "a PKCS#11 module cannot be used",
     "The token's driver, a shared library that `module-path` names or p11-kit is configured with, "
     "did not load or did not start. Install the token's software; `p11tool --list-tokens` or "
     "`pkcs11-tool --module FILE --list-slots` shows whether it works for the user that runs "
     "cannula. What the module itself is configured by must be readable for that user as well, of "
     "SoftHSM the file that SOFTHSM2_CONF names."},
    {"K112", "the token with the master key is not there",
     "The module works, and no token fits the address, or more than one does, or the module failed "
     "when it was asked for its tokens, or the token went away while it was used. An engine that "
     "runs goes on with the keys it has; what needs a new "
     "key, the first message of a channel, is refused, and its sender keeps it. Put the token back "
     "or see to the connection to it, then start again."},
    {"K113", "the PIN of the token is wrong or missing",
     "The token wants a PIN, which is read where `pin-source` of the address says, or `[keys] "
     "pin`. "
     "Cannula tries once at each start; tokens lock after a few wrong PINs, so mend it before "
     "starting again."},
    {"K114", "the PIN of the token is locked",
     "Too many wrong PINs were given to the token, or one more would lock it, which cannula does "
     "not "
     "risk. Its security officer sets a new PIN; the keys in the token stay. With one try left, "
     "sign in with the right PIN by a tool of your own."},
    {"K115", "the key is not in the token",
     "The token is there and has no secret key of that name or id, or several. For a new store "
     "make "
     "it. For a store that has keys, look for the token's backup: without that key nothing in the "
     "store can be read."},
    {"K116", "the token refuses",
     "The token answered with an error of PKCS#11, which the message names. Most often the key may "
     "not encrypt and decrypt by AES-GCM; or the token's own limits or log say why. "
     "CKR_GENERAL_ERROR and CKR_FUNCTION_FAILED are a device that is broken or cannot be reached: "
     "mend that. The store's file of keys is not at fault; leave it as it is."},
    {"K117", "the key in the token may not be used",
     "The master key must be AES of 256 bits, made in the token and not extractable: a key that "
     "can "
     "be taken out protects no more than a file does."},
    {"K118", "there is a journal, and no keys",
     "Where the file `keys` is not there, nothing says that the journal is the store's own: "
     "anybody "
     "who can write the disk can take the file away and put plain records in the place of the "
     "sealed ones. So the store is not opened, and a backup without keys is not restored. Keep a "
     "copy of what is there, find out who took the file away, and put it back from a backup, with "
     "the journal if that was changed. A store that was written before stores were sealed has no "
     "such file: if you know that this is one, `cannula keys begin` gives it keys and is entered "
     "into the audit trail; `cannula store restore --even-plain` restores its backup."},
    {"K119", "the store has keys already",
     "`cannula keys begin` is for a store from before stores were sealed, which has none."},
};

}  // namespace

std::span<const ErrorCode> key_error_codes() {
  return kCodes;
}

}  // namespace cannula::security
