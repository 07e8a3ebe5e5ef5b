// Certificates for tests, made when they run.
#pragma once

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace cannula::test {

inline void require_made(bool holds) {
  if (!holds) throw std::runtime_error("OpenSSL could not make a certificate");
}

inline void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  require_made(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

inline X509* unsigned_certificate(const std::string& name, EVP_PKEY* key, long serial) {
  X509* const certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

inline void write_certificate(const std::filesystem::path& path, X509* certificate) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  require_made(file != nullptr && PEM_write_X509(file, certificate) == 1);
  std::fclose(file);
}

inline void write_key(const std::filesystem::path& path, EVP_PKEY* key,
                      const std::string& password) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  const EVP_CIPHER* const cipher = password.empty() ? nullptr : EVP_aes_128_cbc();
  require_made(file != nullptr &&
               PEM_write_PrivateKey(file, key, cipher,
                                    reinterpret_cast<const unsigned char*>(password.data()),
                                    static_cast<int>(password.size()), nullptr, nullptr) == 1);
  std::fclose(file);
}

// A certificate authority whose certificates are written as PEM files.
class Authority {
 public:
  Authority(std::filesystem::path folder, std::string name)
      : folder_(std::move(folder)), name_(std::move(name)), key_(EVP_EC_gen("P-256")) {
    certificate_ = unsigned_certificate(name_, key_, 1);
    X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
    add_extension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
    require_made(X509_sign(certificate_, key_, EVP_sha256()) > 0);
    write_certificate(certificate(), certificate_);
  }
  ~Authority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::filesystem::path certificate() const { return folder_ / (name_ + ".pem"); }  // its own

  struct Files {
    std::string certificate;
    std::string key;
  };
  // Alternative names as OpenSSL writes them: "DNS:localhost", "IP:127.0.0.1", "URI:urn:x". A
  // password encrypts the key.
  Files issue(const std::string& file_name, const std::vector<std::string>& alternative_names,
              const std::string& password = "") {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const issued = unsigned_certificate(file_name, key, ++serial_);
    X509_set_issuer_name(issued, X509_get_subject_name(certificate_));
    std::string names;
    for (const std::string& name : alternative_names) names += (names.empty() ? "" : ",") + name;
    if (!names.empty()) add_extension(issued, certificate_, NID_subject_alt_name, names);
    require_made(X509_sign(issued, key_, EVP_sha256()) > 0);
    const Files files{(folder_ / (file_name + ".pem")).string(),
                      (folder_ / (file_name + ".key")).string()};
    write_certificate(files.certificate, issued);
    write_key(files.key, key, password);
    X509_free(issued);
    EVP_PKEY_free(key);
    return files;
  }

 private:
  std::filesystem::path folder_;
  std::string name_;
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
  long serial_ = 1;
};

}  // namespace cannula::test
