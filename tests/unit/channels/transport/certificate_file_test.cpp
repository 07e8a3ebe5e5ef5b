#include "channels/transport/certificate_file.h"

#include <chrono>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {
namespace {

using testing::HasSubstr;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void write_one_that_ends_in(std::int64_t seconds, const std::filesystem::path& path) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = unsigned_certificate("lab", key, 1);
  X509_gmtime_adj(X509_getm_notAfter(certificate), static_cast<long>(seconds));
  require_made(X509_sign(certificate, key, EVP_sha256()) > 0);
  write_certificate(path, certificate);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class CertificateFile : public testing::Test {
 protected:
  Folder folder_;
};

TEST_F(CertificateFile, EndsWhenItsCertificateEnds) {
  write_one_that_ends_in(1000, folder_.path / "one.pem");
  EXPECT_NEAR(static_cast<double>(*end_of_certificates(folder_.path / "one.pem")),
              static_cast<double>(now() + 1000), 60);
}

TEST_F(CertificateFile, EndsInThePastWhenItHasExpired) {
  write_one_that_ends_in(-1000, folder_.path / "old.pem");
  EXPECT_LT(*end_of_certificates(folder_.path / "old.pem"), now());
}

TEST_F(CertificateFile, OfAChainEndsWithTheFirstThatDoes) {
  write_one_that_ends_in(100'000, folder_.path / "own.pem");
  write_one_that_ends_in(1000, folder_.path / "issuer.pem");
  std::ofstream chain(folder_.path / "chain.pem");
  for (const char* part : {"own.pem", "issuer.pem"})
    chain << std::ifstream(folder_.path / part).rdbuf();
  chain.close();
  EXPECT_LT(*end_of_certificates(folder_.path / "chain.pem"), now() + 2000);
}

TEST_F(CertificateFile, ThatIsNotThereOrIsNoneIsSaid) {
  const auto missing = end_of_certificates(folder_.path / "missing.pem");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "T107");
  EXPECT_THAT(missing.error().message, HasSubstr("No such file"));
  std::ofstream(folder_.path / "none.pem") << "not a certificate";
  EXPECT_THAT(end_of_certificates(folder_.path / "none.pem").error().message,
              HasSubstr("holds no certificate"));
}

}  // namespace
}  // namespace cannula::test
