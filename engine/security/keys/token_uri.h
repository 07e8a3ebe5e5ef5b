// The address of a key in a token, by RFC 7512: which token, which key, and how to get there.
//
//   pkcs11:token=clinic;object=cannula?module-path=/usr/lib/softhsm/libsofthsm2.so
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "parsers/text/result.h"

struct p11_kit_uri;

namespace cannula::security {

class TokenUri {
 public:
  // K110 says what is wrong with it, and never repeats it: there may be a PIN in it that nobody
  // should have put there. Asks no token.
  static Result<TokenUri> parse(const std::string& written);

  // Without what stands behind the question mark, the scheme in small letters.
  const std::string& place() const { return place_; }
  // The module's file; empty: those that p11-kit is configured with.
  std::string module_path() const;
  // Where the PIN stands, "env:NAME" or "file:/PATH"; empty when the URI does not say.
  const std::string& pin_source() const { return pin_source_; }
  p11_kit_uri* parsed() const { return uri_.get(); }

 private:
  struct Free {
    void operator()(p11_kit_uri* uri) const;
  };
  TokenUri() = default;

  std::unique_ptr<p11_kit_uri, Free> uri_;
  std::string place_;
  std::string pin_source_;
};

// Whether `text` is meant to be one: by its scheme, in which case does not count (RFC 3986 section
// 3.1).
bool is_token_uri(std::string_view text);

}  // namespace cannula::security
