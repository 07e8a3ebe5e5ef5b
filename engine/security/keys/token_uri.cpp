#include "engine/security/keys/token_uri.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

namespace cannula::security {
namespace {

constexpr std::string_view kScheme = "pkcs11:";

Error wrong(std::string_view what, std::string hint) {
  return Error{"K110", fmt::format("the PKCS#11 address of the master key {}", what),
               std::move(hint)};
}

// RFC 7512 section 2.4 has a path or a file: URI there; env: is as for the site's other secrets.
Result<std::string> pin_source_of(const P11KitUri* uri) {
  const char* given = p11_kit_uri_get_pin_source(uri);
  if (given == nullptr) return std::string();
  std::string source(given);
  if (source.starts_with("file:///")) source.erase(5, 2);
  if (source.starts_with('/')) source.insert(0, "file:");
  if (source.starts_with("file:/") || source.starts_with("env:")) return source;
  return wrong("has a `pin-source` that is neither \"file:/PATH\" nor \"env:NAME\"",
               "name a file by its whole path, or leave it out and write `pin = \"file:PATH\"` "
               "under [keys]");
}

bool names_a_key(P11KitUri* uri) {
  return p11_kit_uri_get_attribute(uri, CKA_LABEL) != nullptr ||
         p11_kit_uri_get_attribute(uri, CKA_ID) != nullptr;
}

}  // namespace

void TokenUri::Free::operator()(p11_kit_uri* uri) const {
  p11_kit_uri_free(uri);
}

bool is_token_uri(std::string_view text) {
  return text.size() >= kScheme.size() &&
         std::equal(kScheme.begin(), kScheme.end(), text.begin(), [](char scheme, char given) {
           return scheme == std::tolower(static_cast<unsigned char>(given));
         });
}

Result<TokenUri> TokenUri::parse(const std::string& written) {
  std::string text = written;
  if (is_token_uri(text)) text.replace(0, kScheme.size(), kScheme);
  TokenUri token;
  token.uri_.reset(p11_kit_uri_new());
  P11KitUri* uri = token.uri_.get();
  const std::string form =
      "pkcs11:token=NAME;object=NAME?module-path=/PATH/OF/MODULE.so, by RFC 7512";
  if (const int code = p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri);
      code != P11_KIT_URI_OK) {
    return wrong(fmt::format("cannot be read: {}", p11_kit_uri_message(code)), form);
  }
  if (p11_kit_uri_get_pin_value(uri) != nullptr) {
    return wrong("has the PIN itself in it (`pin-value`)",
                 "change that PIN; write the new one into a file that only the engine's user can "
                 "read, and name it: `pin = \"file:PATH\"` under [keys]");
  }
  if (p11_kit_uri_any_unrecognized(uri) != 0) {
    return wrong("has a part that is not known", form);
  }
  if (!names_a_key(uri)) return wrong("names no key: `object` or `id` is missing", form);
  if (const CK_ATTRIBUTE* type = p11_kit_uri_get_attribute(uri, CKA_CLASS); type != nullptr) {
    const auto* given = static_cast<const CK_OBJECT_CLASS*>(type->pValue);
    if (*given != CKO_SECRET_KEY) {
      return wrong("is of another `type` than secret-key", "an AES key wraps the store's keys");
    }
  } else {
    CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
    CK_ATTRIBUTE attribute{CKA_CLASS, &secret, sizeof secret};
    p11_kit_uri_set_attribute(uri, &attribute);
  }
  const char* module = p11_kit_uri_get_module_path(uri);
  if (module != nullptr && *module != '/') {
    return wrong("has a `module-path` that is no whole path", form);
  }
  token.pin_source_ = TRY(pin_source_of(uri));
  token.place_ = text.substr(0, text.find('?'));
  return token;
}

std::string TokenUri::module_path() const {
  const char* path = p11_kit_uri_get_module_path(uri_.get());
  return path == nullptr ? std::string() : path;
}

}  // namespace cannula::security
