#include "channels/transport/certificate_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <system_error>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace cannula {

Result<std::int64_t> end_of_certificates(const std::filesystem::path& file) {
  errno = 0;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(std::fopen(file.c_str(), "rbe"),
                                                               std::fclose);
  if (!opened) {
    return Error{"T107",
                 "cannot read the certificate " + file.string() + ": " +
                     std::generic_category().message(errno),
                 "the engine must be allowed to read it"};
  }
  std::optional<std::int64_t> end;
  while (X509* const read = PEM_read_X509(opened.get(), nullptr, nullptr, nullptr)) {
    const std::unique_ptr<X509, void (*)(X509*)> certificate(read, X509_free);
    std::tm parts{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(read), &parts) != 1) continue;
    const std::int64_t own = ::timegm(&parts);
    end = std::min(end.value_or(own), own);
  }
  ERR_clear_error();  // that there are no more
  if (end) return *end;
  return Error{"T107", file.string() + " holds no certificate",
               "it must be in PEM form, beginning with -----BEGIN CERTIFICATE-----"};
}

}  // namespace cannula
