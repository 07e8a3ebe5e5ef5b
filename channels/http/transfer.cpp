#include "channels/http/transfer.h"

#include <array>
#include <utility>

#include <curl/curl.h>

#include "channels/http/text.h"
#include "channels/transport/options.h"

namespace cannula::http {

namespace {

constexpr std::size_t kMostHeaders = 64 * 1024;
// The same as channels/transport/tls.cpp offers; TLS 1.3 has nothing else.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

}  // namespace

struct Transfer::State {
  CURL* handle = nullptr;
  curl_slist* header_list = nullptr;
  curl_slist* connect_list = nullptr;
  std::array<char, CURL_ERROR_SIZE> error{};
  TransferSettings settings;
  Outgoing request;
  Outcome outcome;
  std::size_t header_bytes = 0;
  std::size_t sent = 0;  // of the request's body

  static std::size_t give_body(char* room, std::size_t size, std::size_t count, void* self);
  static std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* self);
  void set_common();
  void set_tls();
  void set_request();
  Error failure_of(CURLcode code) const;
};

// A line at a time. The status line begins anew: what came before was 100 Continue or a proxy's.
std::size_t Transfer::State::take_header(char* bytes, std::size_t size, std::size_t count,
                                         void* self) {
  auto& state = *static_cast<State*>(self);
  std::string_view line(bytes, size * count);
  state.header_bytes += line.size();
  if (line.starts_with("HTTP/")) {
    state.outcome.headers.clear();
    return size * count;
  }
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos && state.header_bytes <= kMostHeaders) {
    state.outcome.headers.emplace_back(lower(line.substr(0, colon)),
                                       std::string(trimmed(line.substr(colon + 1))));
  }
  return size * count;
}

// Once. On a connection that was used before, libcurl sends a request again by itself when the server
// closes without an answer; who has the request twice then would stand nowhere. It cannot do so with
// a body that it cannot have again.
std::size_t Transfer::State::give_body(char* room, std::size_t size, std::size_t count,
                                       void* self) {
  auto& state = *static_cast<State*>(self);
  const std::size_t given = state.request.body->copy(room, size * count, state.sent);
  state.sent += given;
  return given;
}

std::size_t Transfer::State::take_body(char* bytes, std::size_t size, std::size_t count,
                                       void* self) {
  auto& state = *static_cast<State*>(self);
  std::string& body = state.outcome.body;
  const std::size_t room = state.settings.max_response - body.size();
  body.append(bytes, std::min(room, size * count));
  if (size * count <= room) return size * count;
  state.outcome.cut = true;
  return 0;  // enough: the transfer ends
}

void Transfer::State::set_common() {
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error.data());
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_PROXY, settings.proxy.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "Cannula");
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // stop() does not wait for name servers
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(settings.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &State::take_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &State::take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
}

void Transfer::State::set_tls() {
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(
      handle, CURLOPT_SSLVERSION,
      static_cast<long>(settings.only_tls_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(handle, CURLOPT_SSL_CIPHER_LIST, kCiphers);
  if (!settings.ca.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, settings.ca.c_str());
    curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
  }
  if (settings.certificate.empty()) return;
  curl_easy_setopt(handle, CURLOPT_SSLCERT, settings.certificate.c_str());
  curl_easy_setopt(handle, CURLOPT_SSLKEY, settings.key.c_str());
  if (!settings.key_password.empty()) {
    curl_easy_setopt(handle, CURLOPT_KEYPASSWD, settings.key_password.c_str());
  }
}

void Transfer::State::set_request() {
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  if (!settings.connect_to.empty()) {
    connect_list = curl_slist_append(nullptr, settings.connect_to.c_str());
    curl_easy_setopt(handle, CURLOPT_CONNECT_TO, connect_list);
  }
  const std::string& body = *request.body;
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (body.empty() && (request.method == "GET" || request.method == "DELETE")) {
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  } else if (body.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t{0});
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "");
  } else {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, &State::give_body);
    curl_easy_setopt(handle, CURLOPT_READDATA, this);
  }
  if (request.method != "HEAD") {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  for (const auto& [name, value] : request.headers) {
    // An empty value is written with a semicolon, or libcurl would take the header out.
    std::string line = name;
    line.append(value.empty() ? ";" : ": ").append(value);
    header_list = curl_slist_append(header_list, line.c_str());
  }
  // Without it libcurl waits a second for 100 Continue; and no content type of its own.
  header_list = curl_slist_append(header_list, "Expect:");
  if (body.empty()) header_list = curl_slist_append(header_list, "Content-Type:");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, header_list);
}

// libcurl's own words name hosts, ports and certificates, never headers or bodies.
Error Transfer::State::failure_of(CURLcode code) const {
  const std::string words = error[0] != '\0' ? error.data() : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {"T356", "the server did not answer in time: " + words,
              "it may have the message or not; it is sent again with the same key"};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CLIENTCERT:
      return {
          "T357", "TLS with the server failed: " + words,
          "the certificate must be valid, signed by an authority in `tls.ca` (or the system's), "
          "and name the host of `url` or `tls.server_name`"};
    case CURLE_SEND_FAIL_REWIND:  // see give_body()
      return {"T355", "the server closed the connection without an answer",
              "it may have the message or not; it is sent again with the same key"};
    default:
      return {"T355", "no answer came from the server: " + words,
              "check `url` and that the server runs; the delivery is tried again"};
  }
}

Transfer::Transfer(const TransferSettings& settings, Outgoing request)
    : state_(std::make_unique<State>()) {
  state_->settings = settings;
  state_->request = std::move(request);
  state_->handle = curl_easy_init();
  state_->set_common();
  state_->set_tls();
  state_->set_request();
}

Transfer::~Transfer() {
  curl_easy_cleanup(state_->handle);
  curl_slist_free_all(state_->header_list);
  curl_slist_free_all(state_->connect_list);
}

void* Transfer::handle() const {
  return state_->handle;
}

Outcome Transfer::outcome(int code) {
  Outcome outcome = std::move(state_->outcome);
  long status = 0;
  curl_easy_getinfo(state_->handle, CURLINFO_RESPONSE_CODE, &status);
  outcome.status = static_cast<unsigned>(status);
  const auto result = static_cast<CURLcode>(code);
  if (result != CURLE_OK && !(result == CURLE_WRITE_ERROR && outcome.cut)) {
    outcome.failure = state_->failure_of(result);
  }
  return outcome;
}

}  // namespace cannula::http
