#include "channels/transport/tls.h"

#include <cerrno>
#include <fstream>
#include <mutex>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "channels/transport/deadline.h"
#include "channels/transport/network.h"
#include "channels/transport/socket_parts.h"

namespace cannula {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using Context = std::shared_ptr<asio::ssl::context>;

// What tells that a file has been replaced or written anew.
struct FileState {
  std::int64_t changed_at = 0;  // nanoseconds
  std::uint64_t inode = 0;
  std::int64_t size = -1;  // -1: cannot be read
  friend bool operator==(const FileState&, const FileState&) = default;
};

FileState state_of(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_mtim.tv_sec * 1'000'000'000LL + found.st_mtim.tv_nsec, found.st_ino,
          found.st_size};
}

}  // namespace

// One for a listener or destination. Its files are looked at before each new connection, and read
// again when they have changed; connections that are open keep what they began with.
class TlsContext {
 public:
  using Make = std::function<Result<Context>()>;
  TlsContext(Context made, Make make, std::vector<std::string> files)
      : current_(std::move(made)), make_(std::move(make)), files_(std::move(files)) {
    states_ = states();
  }

  Context current() {
    std::scoped_lock lock(mutex_);
    auto now = states();
    if (now == states_) return current_;
    // Not tried again until they change once more: a certificate is often written before its key.
    states_ = std::move(now);
    auto made = make_();
    if (made) {
      current_ = *std::move(made);
      note_ = TlsNote{
          true, "the certificate files have changed: new connections use what is in them now"};
    } else {
      note_ = TlsNote{false,
                      "the certificate files have changed and cannot be used, so new "
                      "connections go on with what was there before: " +
                          made.error().text()};
    }
    return current_;
  }

  std::optional<TlsNote> take_note() {
    std::scoped_lock lock(mutex_);
    return std::exchange(note_, std::nullopt);
  }

  std::string server_name;  // client: the name to verify; empty: the endpoint's host

 private:
  std::vector<FileState> states() const {
    std::vector<FileState> all;
    for (const std::string& file : files_) all.push_back(state_of(file));
    return all;
  }

  std::mutex mutex_;
  Context current_;
  Make make_;
  std::vector<std::string> files_;
  std::vector<FileState> states_;
  std::optional<TlsNote> note_;
};

std::optional<TlsNote> take_note(TlsContext* tls) {
  return tls == nullptr ? std::nullopt : tls->take_note();
}

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

constexpr std::string_view kVersions[] = {"1.2", "1.3"};

const Option kCertificate{
    .name = "certificate",
    .type = OptionType::file,
    .description =
        "The certificate shown to the other side: a PEM file with the chain, own "
        "certificate first."};
const Option kKey{.name = "key",
                  .type = OptionType::file,
                  .description = "The private key of the certificate, a PEM file."};
const Option kKeyPassword{.name = "key_password",
                          .type = OptionType::secret,
                          .description = "The password of the private key, when it is encrypted."};
const Option kMinimumVersion{.name = "minimum_version",
                             .type = OptionType::text,
                             .description = "The oldest version of TLS that is spoken.",
                             .default_value = "1.2",
                             .choices = {std::begin(kVersions), std::end(kVersions)}};

Option required(Option option) {
  option.required = true;
  return option;
}

// TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

Error settings_error(std::string message, std::string hint = "") {
  return {"T107", std::move(message), std::move(hint), std::nullopt};
}

// Where a file of the table is, or why it cannot be read: OpenSSL's own words for that help nobody.
Result<std::string> readable(const Values& values, std::string_view option, const Ports& ports) {
  std::string path = (ports.site / values.text(option)).string();
  errno = 0;
  if (!std::ifstream(path)) {
    return settings_error("cannot read " + path + ", named by tls." + std::string(option) + ": " +
                          std::string(std::generic_category().message(errno)));
  }
  return {boost::system::in_place_value, std::move(path)};
}

Result<void> set_identity(asio::ssl::context& context, const Values& values, const Ports& ports) {
  if (values.has("certificate") != values.has("key")) {
    return settings_error("tls.certificate and tls.key are needed together, and one is missing");
  }
  if (!values.has("certificate")) return {};
  const std::string certificate = TRY(readable(values, "certificate", ports));
  const std::string key = TRY(readable(values, "key", ports));
  std::string password;
  if (values.has("key_password")) password = TRY(ports.secret(values.secret("key_password")));

  error_code failure;
  context.use_certificate_chain_file(certificate, failure);
  if (failure) {
    return settings_error(
        certificate + " is not a certificate that can be used: " + failure.message(),
        "it must be in PEM form, beginning with -----BEGIN CERTIFICATE-----");
  }
  // Without a callback OpenSSL would ask on the terminal.
  context.set_password_callback([&password](std::size_t, auto) { return password; }, failure);
  context.use_private_key_file(key, asio::ssl::context::pem, failure);
  error_code ignored;
  context.set_password_callback([](std::size_t, auto) { return std::string(); }, ignored);
  if (failure) {
    return settings_error(key + " is not a private key that can be used: " + failure.message(),
                          "it must be in PEM form and belong to tls.certificate; an encrypted one "
                          "needs tls.key_password");
  }
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    ERR_clear_error();
    return settings_error("the private key " + key + " does not belong to the certificate " +
                          certificate);
  }
  return {};
}

Result<void> trust_file(asio::ssl::context& context, const Values& values, std::string_view option,
                        const Ports& ports) {
  const std::string path = TRY(readable(values, option, ports));
  error_code failure;
  context.load_verify_file(path, failure);
  if (!failure) return {};
  return settings_error(path + ", named by tls." + std::string(option) +
                            ", holds no certificate authority: " + failure.message(),
                        "it must hold one or more certificates in PEM form");
}

void set_protocol(asio::ssl::context& context, const Values& values) {
  SSL_CTX* const native = context.native_handle();
  const bool only_newest = values.text_or("minimum_version", "1.2") == "1.3";
  SSL_CTX_set_min_proto_version(native, only_newest ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(native, kCiphers);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // An idle connection gives its 34 KB of buffers back.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
}

// The subject alternative names: host names, addresses, mail addresses and URIs. A name with a zero
// byte in it could pass for another, and is left out.
std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* const list = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(list, i);
    int type = 0;
    const auto* const value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &type));
    if (type != GEN_DNS && type != GEN_EMAIL && type != GEN_URI && type != GEN_IPADD) continue;
    const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                           static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (type != GEN_IPADD) {
      if (text.find('\0') == std::string::npos) names.push_back(text);
    } else if (text.size() == 4) {
      asio::ip::address_v4::bytes_type bytes;
      std::copy(text.begin(), text.end(), bytes.begin());
      names.push_back(asio::ip::address_v4(bytes).to_string());
    } else if (text.size() == 16) {
      asio::ip::address_v6::bytes_type bytes;
      std::copy(text.begin(), text.end(), bytes.begin());
      names.push_back(asio::ip::address_v6(bytes).to_string());
    }
  }
  sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
  return names;
}

class TlsStream final : public Stream {
 public:
  using Side = asio::ssl::stream_base::handshake_type;

  TlsStream(tcp::socket socket, std::shared_ptr<TlsContext> tls, Side side)
      : side_(side),
        tls_(std::move(tls)),
        context_(tls_->current()),
        stream_(std::move(socket), *context_),
        deadlines_(stream_.get_executor(), [this] { close(); }) {
    peer_.address = address_of(stream_.next_layer());
    peer_.over_tls = true;
  }

  asio::awaitable<Result<void>> handshake(std::chrono::milliseconds timeout) override {
    deadlines_.arm(Deadlines::reading, timeout);
    const auto [failure] = co_await stream_.async_handshake(side_, kTuple);
    deadlines_.disarm(Deadlines::reading);
    if (!failure) {
      X509* const certificate = SSL_get0_peer_certificate(stream_.native_handle());
      if (side_ == Side::server && certificate != nullptr) {
        peer_.certificate_names = names_of(certificate);
      }
      co_return Result<void>();
    }
    if (deadlines_.expired()) {
      co_return Error{"T104",
                      "the TLS handshake with " + peer_.address + " took longer than allowed",
                      "the other side may not speak TLS on this port", std::nullopt};
    }
    std::string reason = failure.message();
    const long verdict = SSL_get_verify_result(stream_.native_handle());
    if (verdict != X509_V_OK) reason += ": " + std::string(X509_verify_cert_error_string(verdict));
    co_return Error{"T106", "the TLS handshake with " + peer_.address + " failed: " + reason,
                    verdict != X509_V_OK ? "the certificate must be valid, signed by a trusted "
                                           "authority, and name the host"
                                         : "both sides must speak TLS on this port and agree on "
                                           "version and certificates",
                    std::nullopt};
  }

  // Server Name Indication, and the name that the certificate must carry.
  Result<void> expect(const std::string& host) {
    SSL* const native = stream_.native_handle();
    X509_VERIFY_PARAM* const rules = SSL_get0_param(native);
    error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (!not_an_address) {
      if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) return {};
    } else {
      X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      if (SSL_set_tlsext_host_name(native, host.c_str()) == 1 &&
          X509_VERIFY_PARAM_set1_host(rules, host.c_str(), host.size()) == 1) {
        return {};
      }
    }
    ERR_clear_error();
    return settings_error("'" + host + "' is not a name that a certificate can carry");
  }

  asio::awaitable<Result<std::size_t>> read_some(asio::mutable_buffer into,
                                                 std::chrono::milliseconds timeout) override {
    deadlines_.arm(Deadlines::reading, timeout);
    const auto [failure, count] =
        co_await stream_.async_read_some(asio::mutable_buffer(into), kTuple);
    deadlines_.disarm(Deadlines::reading);
    if (!failure) co_return count;
    if (failure == asio::error::eof) co_return std::size_t{0};
    co_return stream_error(failure, deadlines_.expired(), "reading from", peer_.address);
  }

  asio::awaitable<Result<void>> write(std::span<const asio::const_buffer> pieces,
                                      std::chrono::milliseconds timeout) override {
    deadlines_.arm(Deadlines::writing, timeout);
    const auto [failure, count] = co_await asio::async_write(stream_, pieces, kTuple);
    deadlines_.disarm(Deadlines::writing);
    if (!failure) co_return Result<void>();
    co_return stream_error(failure, deadlines_.expired(), "writing to", peer_.address);
  }

  asio::awaitable<void> shutdown(std::chrono::milliseconds timeout) override {
    deadlines_.arm(Deadlines::writing, std::max(timeout, std::chrono::milliseconds(1)));
    co_await stream_.async_shutdown(kTuple);
    deadlines_.disarm(Deadlines::writing);
    close();
  }

  void close() override {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

  void stop_reading() override {
    error_code ignored;
    stream_.next_layer().cancel(ignored);
  }

  bool alive() const override {
    auto& socket = const_cast<tcp::socket&>(stream_.next_layer());
    return socket.is_open() && other_side_is_there(socket.native_handle());
  }

  asio::awaitable<bool> wait_readable(std::chrono::milliseconds timeout) override {
    if (SSL_pending(stream_.native_handle()) > 0) co_return true;
    co_return co_await cannula::wait_readable(stream_.next_layer(), timeout);
  }

  const Peer& peer() const override { return peer_; }

 private:
  const Side side_;
  std::shared_ptr<TlsContext> tls_;
  Context context_;
  asio::ssl::stream<tcp::socket> stream_;
  Deadlines deadlines_;
  Peer peer_;
};

}  // namespace

std::span<const Option> tls_server_options() {
  static const Option options[] = {
      required(kCertificate), required(kKey), kKeyPassword,
      Option{.name = "client_ca",
             .type = OptionType::file,
             .description =
                 "Certificate authorities, a PEM file; when it is set, every client must "
                 "show a certificate signed by one of them (mutual TLS)."},
      kMinimumVersion};
  return options;
}

std::span<const Option> tls_client_options() {
  static const Option options[] = {
      Option{.name = "ca",
             .type = OptionType::file,
             .description = "The certificate authorities to trust, a PEM file; those of the "
                            "operating system when it is not set."},
      kCertificate,
      kKey,
      kKeyPassword,
      Option{.name = "server_name",
             .type = OptionType::text,
             .description = "The name that the server's certificate must carry, when it is not the "
                            "host of the address."},
      kMinimumVersion};
  return options;
}

Option tls_server_option() {
  return {.name = "tls",
          .type = OptionType::table,
          .description = "Listen with TLS only; without this table connections are plain.",
          .members = tls_server_options()};
}

Option tls_client_option() {
  return {.name = "tls",
          .type = OptionType::table,
          .description =
              "Connect with TLS, always verifying the server's certificate and name; an "
              "empty table will do. Without it the connection is plain.",
          .members = tls_client_options()};
}

namespace {

Result<Context> server_context(const Values& values, const Ports& ports) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  set_protocol(*context, values);
  TRY(set_identity(*context, values, ports));
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_options(native, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Sessions resumed without it would be refused as soon as client certificates are asked for.
  constexpr std::string_view kSessions = "cannula";
  SSL_CTX_set_session_id_context(native, reinterpret_cast<const unsigned char*>(kSessions.data()),
                                 static_cast<unsigned>(kSessions.size()));
  if (values.has("client_ca")) {
    TRY(trust_file(*context, values, "client_ca", ports));
    context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    const std::string path = (ports.site / values.text("client_ca")).string();
    SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(path.c_str()));
  }
  return context;
}

Result<Context> client_context(const Values& values, const Ports& ports) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  set_protocol(*context, values);
  TRY(set_identity(*context, values, ports));
  if (values.has("ca")) {
    TRY(trust_file(*context, values, "ca", ports));
  } else {
    error_code failure;
    context->set_default_verify_paths(failure);
    if (failure)
      return settings_error(
          "the system's certificate authorities cannot be read: " + failure.message(),
          "name a file in tls.ca");
  }
  context->set_verify_mode(asio::ssl::verify_peer);
  return context;
}

// Of `ports`, what the contexts are made again with is where files are and how secrets are read;
// the report may be gone by then, and is not touched.
Result<std::shared_ptr<TlsContext>> make_tls(Result<Context> (*make)(const Values&, const Ports&),
                                             const Values& values, const Ports& ports) {
  std::vector<std::string> files;
  for (const std::string_view option : {"certificate", "key", "client_ca", "ca"}) {
    if (values.has(option)) files.push_back((ports.site / values.text(option)).string());
  }
  Context first = TRY(make(values, ports));
  return std::make_shared<TlsContext>(
      std::move(first), [make, values, ports] { return make(values, ports); }, std::move(files));
}

}  // namespace

Result<std::shared_ptr<TlsContext>> make_server_tls(const Values* values, const Ports& ports) {
  if (values == nullptr) return std::shared_ptr<TlsContext>();
  return make_tls(server_context, *values, ports);
}

Result<std::shared_ptr<TlsContext>> make_client_tls(const Values* values, const Ports& ports) {
  if (values == nullptr) return std::shared_ptr<TlsContext>();
  auto made = TRY(make_tls(client_context, *values, ports));
  made->server_name = values->text_or("server_name", "");
  return made;
}

std::unique_ptr<Stream> make_tls_stream(tcp::socket socket, std::shared_ptr<TlsContext> tls) {
  return std::make_unique<TlsStream>(std::move(socket), std::move(tls), TlsStream::Side::server);
}

asio::awaitable<Result<std::unique_ptr<Stream>>> connect_tls(tcp::socket socket,
                                                             std::shared_ptr<TlsContext> tls,
                                                             std::string host,
                                                             std::chrono::milliseconds timeout) {
  const std::string name = tls->server_name.empty() ? std::move(host) : tls->server_name;
  auto stream =
      std::make_unique<TlsStream>(std::move(socket), std::move(tls), TlsStream::Side::client);
  if (auto named = stream->expect(name); !named) co_return std::move(named).error();
  auto shaken = co_await stream->handshake(timeout);
  if (!shaken) co_return std::move(shaken).error();
  co_return std::move(stream);
}

}  // namespace cannula
