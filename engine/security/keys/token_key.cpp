#include "engine/security/keys/token_key.h"

#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include "engine/security/keys/hex.h"
#include "engine/security/sealing/cipher.h"

namespace cannula::security {
namespace {

constexpr std::size_t kIdSize = 4;  // bytes

// The modules behind an address, initialised as long as this lives.
class Modules {
 public:
  static Result<std::shared_ptr<Modules>> of(const TokenUri& uri);
  ~Modules();
  Modules(const Modules&) = delete;
  Modules& operator=(const Modules&) = delete;

  const std::vector<CK_FUNCTION_LIST*>& all() const { return loaded_.usable; }

 private:
  struct Loaded {
    std::vector<CK_FUNCTION_LIST*> modules;
    std::vector<CK_FUNCTION_LIST*> usable;  // of them: those that let themselves be initialised
    std::size_t users = 0;
  };
  explicit Modules(Loaded& loaded) : loaded_(loaded) {}
  static Result<std::vector<CK_FUNCTION_LIST*>> load(const std::string& path);

  static std::mutex lock_;
  static std::map<std::string, Loaded> all_;  // by the module's path; empty: as p11-kit has them

  Loaded& loaded_;
};

std::mutex Modules::lock_;
std::map<std::string, Modules::Loaded> Modules::all_;

Error does_not_load(const std::string& path, std::string_view why) {
  return Error{
      "K111",
      path.empty() ? fmt::format("no PKCS#11 module can be used: {}", why)
                   : fmt::format("the PKCS#11 module {} cannot be used: {}", path, why),
      "see that the token's software is installed, and that `module-path` names its module"};
}

Result<std::vector<CK_FUNCTION_LIST*>> Modules::load(const std::string& path) {
  p11_kit_be_quiet();  // what it has to say is in the error
  if (!path.empty()) {
    CK_FUNCTION_LIST* module = p11_kit_module_load(path.c_str(), 0);
    if (module != nullptr) return std::vector{module};
    const char* why = p11_kit_message();
    return does_not_load(path, why == nullptr ? "it does not load" : why);
  }
  CK_FUNCTION_LIST** modules = p11_kit_modules_load(nullptr, 0);
  std::vector<CK_FUNCTION_LIST*> found;
  for (CK_FUNCTION_LIST** one = modules; one != nullptr && *one != nullptr; ++one) {
    found.push_back(*one);
  }
  if (found.empty()) return does_not_load(path, "p11-kit is configured with none");
  return found;
}

Result<std::shared_ptr<Modules>> Modules::of(const TokenUri& uri) {
  const std::string path = uri.module_path();
  const std::lock_guard guard(lock_);
  if (!all_.contains(path)) {
    auto loaded = TRY(load(path));
    all_[path].modules = std::move(loaded);
  }
  Loaded& loaded = all_[path];
  if (loaded.users == 0) {
    CK_RV last = CKR_OK;
    loaded.usable.clear();
    for (CK_FUNCTION_LIST* module : loaded.modules) {
      last = p11_kit_module_initialize(module);
      if (last == CKR_OK) loaded.usable.push_back(module);
    }
    if (loaded.usable.empty()) return does_not_load(path, p11_kit_strerror(last));
  }
  ++loaded.users;
  return std::shared_ptr<Modules>(new Modules(loaded));
}

Modules::~Modules() {
  const std::lock_guard guard(lock_);
  if (--loaded_.users > 0) return;
  for (CK_FUNCTION_LIST* module : loaded_.usable) {
    static_cast<void>(p11_kit_module_finalize(module));
  }
  loaded_.usable.clear();
}

struct Token {
  CK_FUNCTION_LIST* module = nullptr;
  CK_SLOT_ID slot = 0;
  CK_TOKEN_INFO info{};
};

// Fixed fields of PKCS#11 are filled up with blanks.
template <std::size_t kSize>
std::string text_of(const unsigned char (&field)[kSize]) {
  const std::string text(reinterpret_cast<const char*>(field), kSize);
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

// The tokens that fit an address, and the last error of a module that was asked for them.
struct Search {
  std::vector<Token> found;
  CK_RV error = CKR_OK;
  const char* asked = "";  // the function that answered it

  bool went_well(CK_RV answer, const char* function) {
    if (answer == CKR_OK) return true;
    error = answer;
    asked = function;
    return false;
  }
};

// The slots with a token in them; none after an error, which is noted.
std::vector<CK_SLOT_ID> slots_of(CK_FUNCTION_LIST* module, Search& search) {
  constexpr int kMostTries = 10;
  CK_RV answer = CKR_BUFFER_TOO_SMALL;
  for (int i = 0; i < kMostTries && answer == CKR_BUFFER_TOO_SMALL; ++i) {
    CK_ULONG count = 0;
    answer = module->C_GetSlotList(CK_TRUE, nullptr, &count);
    if (answer != CKR_OK || count == 0) break;
    // Tokens may be put in between the two calls; then there is not room for all.
    std::vector<CK_SLOT_ID> slots(count);
    answer = module->C_GetSlotList(CK_TRUE, slots.data(), &count);
    if (answer != CKR_OK) continue;
    slots.resize(count);
    return slots;
  }
  search.went_well(answer, "C_GetSlotList");
  return {};
}

void look_for_tokens(CK_FUNCTION_LIST* module, const TokenUri& uri, Search& search) {
  CK_INFO info{};
  if (!search.went_well(module->C_GetInfo(&info), "C_GetInfo")) return;
  if (p11_kit_uri_match_module_info(uri.parsed(), &info) != 1) return;
  for (const CK_SLOT_ID slot : slots_of(module, search)) {
    CK_SLOT_INFO slot_info{};
    Token token{module, slot, {}};
    if (!search.went_well(module->C_GetSlotInfo(slot, &slot_info), "C_GetSlotInfo")) continue;
    if (!search.went_well(module->C_GetTokenInfo(slot, &token.info), "C_GetTokenInfo")) continue;
    if ((token.info.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
    if (p11_kit_uri_match_slot_info(uri.parsed(), &slot_info) != 1) continue;
    if (p11_kit_uri_match_token_info(uri.parsed(), &token.info) == 1) {
      search.found.push_back(token);
    }
  }
}

Result<Token> find_token(const Modules& modules, const TokenUri& uri) {
  Search search;
  for (CK_FUNCTION_LIST* module : modules.all()) look_for_tokens(module, uri, search);
  const std::vector<Token>& found = search.found;
  if (found.size() == 1) return found.front();
  if (found.empty() && search.error != CKR_OK) {
    return Error{"K112",
                 fmt::format("the token of {} was not found: {} answered {} (0x{:x})", uri.place(),
                             search.asked, p11_kit_strerror(search.error), search.error),
                 "see to the token and the connection to it; `p11tool --list-tokens` or "
                 "`pkcs11-tool --list-slots` shows what the module sees"};
  }
  if (found.empty()) {
    return Error{"K112", fmt::format("the token of {} is not there", uri.place()),
                 "put it back or connect the engine's machine to it again; `p11tool --list-tokens` "
                 "or `pkcs11-tool --list-slots` shows what the module sees"};
  }
  std::string labels;
  for (const Token& token : found) {
    labels += fmt::format("{}{} (serial {})", labels.empty() ? "" : ", ", text_of(token.info.label),
                          text_of(token.info.serialNumber));
  }
  return Error{"K112", fmt::format("{} fits {} tokens: {}", uri.place(), found.size(), labels),
               "say which: `token=LABEL` or `serial=NUMBER` in the address"};
}

Error no_pin(const std::string& place, std::string_view what) {
  return Error{"K113", fmt::format("the token of {} {}", place, what),
               "write the PIN into a file that only the engine's user can read, and name it: `pin "
               "= \"file:PATH\"` under [keys]"};
}

Error locked(const std::string& place) {
  return Error{"K114", fmt::format("the PIN of the token of {} is locked", place),
               "its security officer can unlock it (`pkcs11-tool --init-pin`); see first that the "
               "PIN named in the site is the right one"};
}

// A session with a token, signed in. Closing the last one of the process signs out.
class Session {
 public:
  Session(std::shared_ptr<Modules> modules, Token token, CK_SESSION_HANDLE handle)
      : modules_(std::move(modules)), token_(token), handle_(handle) {}
  ~Session() { static_cast<void>(token_.module->C_CloseSession(handle_)); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  static Result<std::unique_ptr<Session>> open(const TokenUri& uri, const PinSource& pin);

  CK_FUNCTION_LIST* module() const { return token_.module; }
  CK_SESSION_HANDLE handle() const { return handle_; }

 private:
  Result<void> sign_in(const std::string& place, const PinSource& pin) const;

  const std::shared_ptr<Modules> modules_;
  const Token token_;
  const CK_SESSION_HANDLE handle_;
};

Result<std::unique_ptr<Session>> Session::open(const TokenUri& uri, const PinSource& pin) {
  auto modules = TRY(Modules::of(uri));
  const Token token = TRY(find_token(*modules, uri));
  CK_SESSION_HANDLE handle = 0;
  const CK_RV opened =
      token.module->C_OpenSession(token.slot, CKF_SERIAL_SESSION, nullptr, nullptr, &handle);
  if (opened != CKR_OK) return token_error(opened, "open a session", uri.place());
  auto session = std::make_unique<Session>(std::move(modules), token, handle);
  TRY(session->sign_in(uri.place(), pin));
  return session;
}

Result<void> Session::sign_in(const std::string& place, const PinSource& pin) const {
  const CK_FLAGS flags = token_.info.flags;
  if ((flags & CKF_LOGIN_REQUIRED) == 0) return {};
  if ((flags & CKF_USER_PIN_INITIALIZED) == 0) return no_pin(place, "has no user PIN yet");
  if ((flags & CKF_USER_PIN_LOCKED) != 0) return locked(place);
  if ((flags & CKF_USER_PIN_FINAL_TRY) != 0) {
    // An engine that is started again and again would lock it for good.
    return Error{"K114",
                 fmt::format("the PIN of the token of {} is locked after one more wrong one; that "
                             "try was not taken",
                             place),
                 "sign in once with the right PIN yourself (`pkcs11-tool --login --test`), which "
                 "gives all tries back, put that PIN where the site names it, and start again"};
  }
  CK_RV answer = CKR_OK;
  if ((flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0) {  // a keypad of its own
    answer = token_.module->C_Login(handle_, CKU_USER, nullptr, 0);
  } else {
    if (!pin) return no_pin(place, "wants a PIN, and the site names none");
    std::string text = TRY(pin());
    answer = token_.module->C_Login(handle_, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(text.data()),
                                    text.size());
    wipe(text);
  }
  if (answer == CKR_OK || answer == CKR_USER_ALREADY_LOGGED_IN) return {};
  return token_error(answer, "sign in", place);
}

template <class Value>
std::optional<Value> attribute(const Session& session, CK_OBJECT_HANDLE object,
                               CK_ATTRIBUTE_TYPE type) {
  Value value{};
  CK_ATTRIBUTE wanted{type, &value, sizeof value};
  const CK_RV answer = session.module()->C_GetAttributeValue(session.handle(), object, &wanted, 1);
  if (answer != CKR_OK || wanted.ulValueLen != sizeof value) return std::nullopt;
  return value;
}

std::string bytes_of(const Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  std::array<char, 256> bytes{};
  CK_ATTRIBUTE wanted{type, bytes.data(), bytes.size()};
  const CK_RV answer = session.module()->C_GetAttributeValue(session.handle(), object, &wanted, 1);
  if (answer != CKR_OK || wanted.ulValueLen > bytes.size()) return {};
  return {bytes.data(), wanted.ulValueLen};
}

Result<CK_OBJECT_HANDLE> find_key(const Session& session, const TokenUri& uri) {
  CK_ULONG count = 0;
  CK_ATTRIBUTE* given = p11_kit_uri_get_attributes(uri.parsed(), &count);
  std::vector<CK_ATTRIBUTE> wanted(given, given + count);
  CK_BBOOL yes = CK_TRUE;
  wanted.push_back({CKA_TOKEN, &yes, sizeof yes});
  CK_FUNCTION_LIST* module = session.module();
  CK_RV answer = module->C_FindObjectsInit(session.handle(), wanted.data(), wanted.size());
  std::array<CK_OBJECT_HANDLE, 2> found{};
  CK_ULONG matches = 0;
  if (answer == CKR_OK) {
    answer = module->C_FindObjects(session.handle(), found.data(), found.size(), &matches);
    static_cast<void>(module->C_FindObjectsFinal(session.handle()));
  }
  if (answer != CKR_OK) return token_error(answer, "look for the key", uri.place());
  if (matches == 1) return found.front();
  return Error{
      "K115",
      matches == 0 ? fmt::format("the token has no key {}", uri.place())
                   : fmt::format("the token has more than one key {}", uri.place()),
      matches == 0
          ? "make it for a new store; for a store that has keys it is lost unless the token's "
            "backup has it; `pkcs11-tool --login --list-objects` shows what there is"
          : "say which by its `id` in the address"};
}

// K117 for a key that the store's keys may not depend on.
Result<void> may_wrap(const Session& session, CK_OBJECT_HANDLE key, const std::string& place) {
  const auto unfit = [&](std::string_view why) {
    return Error{"K117", fmt::format("the key {} {}", place, why),
                 "make one in the token: AES of 256 bits, sensitive, not extractable, that may "
                 "encrypt and decrypt"};
  };
  if (attribute<CK_KEY_TYPE>(session, key, CKA_KEY_TYPE) != CKK_AES) return unfit("is no AES key");
  const auto size = attribute<CK_ULONG>(session, key, CKA_VALUE_LEN);
  if (size && *size != kKeySize) return unfit(fmt::format("has {} bits, not 256", *size * 8));
  if (attribute<CK_BBOOL>(session, key, CKA_EXTRACTABLE) != CK_FALSE) {
    return unfit("can be taken out of the token");
  }
  return {};
}

// By the key check value, which a copy in another token has too; else by name.
std::string id_of(const Session& session, CK_OBJECT_HANDLE key) {
  const std::string check = bytes_of(session, key, CKA_CHECK_VALUE);
  const std::string text =
      fmt::format("cannula token key id\n{}\n{}", to_hex(bytes_of(session, key, CKA_ID)),
                  check.empty() ? "label " + bytes_of(session, key, CKA_LABEL) : to_hex(check));
  return to_hex(KeyBytes().derived(text).view().substr(0, kIdSize));
}

class TokenKey final : public MasterKey {
 public:
  TokenKey(std::unique_ptr<Session> session, CK_OBJECT_HANDLE key, std::string place)
      : MasterKey(id_of(*session, key)),
        session_(std::move(session)),
        key_(key),
        place_(std::move(place)) {}

  Result<std::string> wrap(const KeyBytes& key, std::string_view bound) const override;
  Result<std::optional<KeyBytes>> unwrap(std::string_view wrapped,
                                         std::string_view bound) const override;

 private:
  // C_Decrypt's answer, CKR_ENCRYPTED_DATA_INVALID when what it opened is no key; anything else
  // that went wrong before is the error.
  Result<CK_RV> decrypt(std::string_view wrapped, std::string_view bound,
                        std::optional<KeyBytes>& opened) const;
  // Whether a key that is wrapped now can be unwrapped.
  Result<bool> works() const;

  const std::unique_ptr<Session> session_;
  const CK_OBJECT_HANDLE key_;
  const std::string place_;
  mutable std::mutex lock_;  // a session does one thing at a time
};

// AES-256-GCM as `nonce` (12 bytes) and `bound` say.
CK_GCM_PARAMS gcm(char* nonce, std::string_view bound) {
  return CK_GCM_PARAMS{reinterpret_cast<unsigned char*>(nonce),
                       kNonceSize,
                       kNonceSize * 8,
                       reinterpret_cast<unsigned char*>(const_cast<char*>(bound.data())),
                       bound.size(),
                       kTagSize * 8};
}

Result<std::string> TokenKey::wrap(const KeyBytes& key, std::string_view bound) const {
  std::string wrapped(kNonceSize + kKeySize + kTagSize, '\0');
  fill_random(wrapped.data(), kNonceSize);
  // The nonce stands in its place: a token that insists on one of its own writes it there.
  CK_GCM_PARAMS parameters = gcm(wrapped.data(), bound);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
  const std::lock_guard guard(lock_);
  CK_FUNCTION_LIST* module = session_->module();
  CK_RV answer = module->C_EncryptInit(session_->handle(), &mechanism, key_);
  CK_ULONG size = kKeySize + kTagSize;
  if (answer == CKR_OK) {
    answer =
        module->C_Encrypt(session_->handle(), const_cast<unsigned char*>(key.data()), kKeySize,
                          reinterpret_cast<unsigned char*>(wrapped.data()) + kNonceSize, &size);
  }
  if (answer != CKR_OK) return token_error(answer, "wrap a key", place_);
  if (size != kKeySize + kTagSize) {
    return token_error(CKR_DATA_LEN_RANGE, "wrap a key", place_);
  }
  return wrapped;
}

Result<CK_RV> TokenKey::decrypt(std::string_view wrapped, std::string_view bound,
                                std::optional<KeyBytes>& key) const {
  std::string copy(wrapped);
  CK_GCM_PARAMS parameters = gcm(copy.data(), bound);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
  LockedBytes opened(copy.size());  // tokens ask for more room than the key takes
  CK_ULONG size = opened.size();
  const std::lock_guard guard(lock_);
  CK_FUNCTION_LIST* module = session_->module();
  CK_RV answer = module->C_DecryptInit(session_->handle(), &mechanism, key_);
  if (answer != CKR_OK) return token_error(answer, "unwrap a key", place_);
  answer = module->C_Decrypt(session_->handle(),
                             reinterpret_cast<unsigned char*>(copy.data()) + kNonceSize,
                             kKeySize + kTagSize, opened.data(), &size);
  if (answer == CKR_OK && size != kKeySize) return CK_RV{CKR_ENCRYPTED_DATA_INVALID};
  if (answer == CKR_OK) {
    key.emplace(std::string_view(reinterpret_cast<const char*>(opened.data()), kKeySize));
  }
  return answer;
}

Result<bool> TokenKey::works() const {
  constexpr std::string_view kBound = "cannula trial";
  const KeyBytes key = KeyBytes::random();
  const std::string wrapped = TRY(wrap(key, kBound));
  std::optional<KeyBytes> opened;
  return TRY(decrypt(wrapped, kBound, opened)) == CKR_OK && *opened == key;
}

Result<std::optional<KeyBytes>> TokenKey::unwrap(std::string_view wrapped,
                                                 std::string_view bound) const {
  if (wrapped.size() != kNonceSize + kKeySize + kTagSize) return std::optional<KeyBytes>();
  std::optional<KeyBytes> key;
  const CK_RV answer = TRY(decrypt(wrapped, bound, key));
  if (answer == CKR_OK) return key;
  if (answer == CKR_ENCRYPTED_DATA_INVALID || answer == CKR_ENCRYPTED_DATA_LEN_RANGE) {
    return std::optional<KeyBytes>();
  }
  // SoftHSM calls a tag that does not hold a general error; of others that is a device or network
  // that failed, and `wrapped` is as good as ever. A trial tells one from the other.
  const bool may_be_the_tag = answer == CKR_GENERAL_ERROR || answer == CKR_FUNCTION_FAILED;
  if (may_be_the_tag && TRY(works())) return std::optional<KeyBytes>();
  return token_error(answer, "unwrap a key", place_);
}

}  // namespace

Error token_error(unsigned long answer, const std::string& what, const std::string& place) {
  switch (answer) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      return Error{"K113", fmt::format("the token of {} says that the PIN is wrong", place),
                   "put the right one where the site names it; after a few wrong ones tokens lock"};
    case CKR_PIN_LOCKED:
      return locked(place);
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_DEVICE_REMOVED:
    case CKR_SLOT_ID_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
      return Error{"K112",
                   fmt::format("the token of {} went away when it was to {}: {}", place, what,
                               p11_kit_strerror(answer)),
                   "put it back or connect the engine's machine to it again"};
    default:
      return Error{"K116",
                   fmt::format("the token of {} refused to {}: {} (0x{:x})", place, what,
                               p11_kit_strerror(answer), answer),
                   "its own log may say why; the key must be allowed to encrypt and decrypt by "
                   "CKM_AES_GCM"};
  }
}

Result<std::shared_ptr<const MasterKey>> token_key(const TokenUri& uri, const PinSource& pin) {
  auto session = TRY(Session::open(uri, pin));
  const CK_OBJECT_HANDLE key = TRY(find_key(*session, uri));
  TRY(may_wrap(*session, key, uri.place()));
  return std::shared_ptr<const MasterKey>(
      std::make_shared<const TokenKey>(std::move(session), key, uri.place()));
}

MasterKeySource master_key_in_token(std::shared_ptr<const TokenUri> uri, PinSource pin) {
  MasterKeySource source;
  source.place = uri->place();
  source.how_to_change =
      "make a new key in the token, name it in `[keys] master` and the one of now in `[keys] "
      "former`, and ask again";
  source.keys = [uri = std::move(uri), pin = std::move(pin)]() -> Result<MasterKeys> {
    return MasterKeys{TRY(token_key(*uri, pin))};
  };
  return source;
}

}  // namespace cannula::security
