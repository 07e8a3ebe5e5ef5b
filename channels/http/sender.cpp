#include "channels/http/sender.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/http/created.h"
#include "channels/http/curl_loop.h"
#include "channels/http/fhir_answer.h"
#include "channels/http/outgoing.h"
#include "channels/http/text.h"
#include "channels/http/transfer.h"
#include "channels/http/verdict.h"
#include "channels/transport/tls.h"

namespace cannula::http {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// A secret in a file may be renewed while the engine runs.
constexpr auto kSecretAge = std::chrono::seconds(30);

struct SenderSettings {
  OutgoingSettings outgoing;
  TransferSettings transfer;
  std::size_t connections = 0;
  std::optional<SecretReference> bearer;
  bool fhir = false;
  bool create_again = false;  // of what was created before, too
};

Answer answer_of(Answer::Kind kind, Error reason) {
  Answer answer;
  answer.kind = kind;
  answer.reason = std::move(reason);
  return answer;
}

Error stopped_error() {
  return {"T358", "the destination was stopped during the delivery", ""};
}

class HttpSender final : public Sender {
 public:
  HttpSender(SenderSettings settings, Ports ports, std::string bearer)
      : settings_(std::move(settings)),
        ports_(std::move(ports)),
        loop_(std::make_unique<CurlLoop>(ports_.executor, settings_.connections)),
        last_one_done_(ports_.executor, steady_clock::time_point::max()),
        bearer_(std::move(bearer)),
        bearer_read_(steady_clock::now()) {}

  asio::awaitable<Answer> deliver(const Parcel& parcel) override {
    ++under_way_;
    Answer answer = co_await attempt(parcel);
    if (--under_way_ == 0 && stopping_) last_one_done_.cancel();
    co_return answer;
  }

  std::size_t concurrency() const override { return settings_.connections; }

  asio::awaitable<void> stop() override {
    stopping_ = true;
    loop_.reset();
    for (asio::steady_timer* waiting : waiting_) waiting->cancel();
    if (under_way_ == 0) co_return;
    co_await last_one_done_.async_wait(asio::as_tuple(asio::use_awaitable));
  }

 private:
  asio::awaitable<Answer> attempt(const Parcel& parcel);
  Result<std::string> bearer();

  SenderSettings settings_;
  Ports ports_;
  std::unique_ptr<CurlLoop> loop_;  // null once stopped
  std::unordered_set<asio::steady_timer*> waiting_;
  std::size_t under_way_ = 0;
  bool stopping_ = false;
  asio::steady_timer last_one_done_;
  std::string bearer_;
  steady_clock::time_point bearer_read_;
};

Result<std::string> HttpSender::bearer() {
  if (settings_.bearer && steady_clock::now() - bearer_read_ > kSecretAge) {
    bearer_ = TRY(ports_.secret(*settings_.bearer));
    bearer_read_ = steady_clock::now();
  }
  return {boost::system::in_place_value, bearer_};
}

asio::awaitable<Answer> HttpSender::attempt(const Parcel& parcel) {
  if (stopping_) co_return answer_of(Answer::Kind::retry, stopped_error());
  const Result<std::string> token = bearer();
  if (!token) co_return answer_of(Answer::Kind::retry, token.error());
  Result<Outgoing> request = outgoing_of(settings_.outgoing, parcel, *token);
  if (!request) co_return answer_of(Answer::Kind::refused, request.error());

  if (!settings_.fhir && !request->updates.empty()) {
    const Error not_fhir("T352", "`updates` of send() is for destinations of type fhir",
                         "leave it out, or make the destination one of type fhir");
    co_return answer_of(Answer::Kind::refused, not_fhir);
  }
  References before;
  if (settings_.fhir && !settings_.create_again) {
    before = created_in(parcel.before);
    if (before.empty()) before = std::move(request->updates);
    make_update(*request, before);
  }
  std::optional<FhirRequest> asked;
  if (settings_.fhir) asked = fhir_request_of(*request);
  const std::size_t size = request->body->size();
  Transfer transfer(settings_.transfer, *std::move(request));
  asio::steady_timer done(ports_.executor, steady_clock::time_point::max());
  std::optional<int> code;
  loop_->start(transfer.handle(), [&done, &code](int result) {
    code = result;
    done.cancel();
  });
  waiting_.insert(&done);
  co_await done.async_wait(asio::as_tuple(asio::use_awaitable));
  waiting_.erase(&done);
  if (!code) co_return answer_of(Answer::Kind::retry, stopped_error());

  Outcome outcome = transfer.outcome(*code);
  ports_.report.count("requests_total");
  if (outcome.failure.code.empty()) {
    ports_.report.count("bytes_sent_total", static_cast<std::int64_t>(size));
  } else {
    ports_.report.count("requests_failed_total");
  }
  const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  References created;
  if (asked && outcome.status >= 200 && outcome.status < 300) {
    created = created_by(asked->method, asked->body, outcome.headers, outcome.body);
    // What was an update created nothing: what it was an update of is still what is there.
    created.resize(std::max(created.size(), before.size()));
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (created[i].empty()) created[i] = std::move(before[i]);
    }
  }
  Answer answer = verdict_on(std::move(outcome), now, asked ? &*asked : nullptr);
  // Of a batch some entries may have been carried out although others were not.
  if (answer.kind == Answer::Kind::delivered || (asked && asked->bundle == "batch")) {
    answer.attributes = with_created(answer.attributes, created);
  }
  co_return answer;
}

constexpr std::string_view kFhirType = "application/fhir+json";

std::vector<Option> options_with(std::string_view content_type) {
  return {
      {.name = "url",
       .type = OptionType::text,
       .description = "Where requests go, an absolute http or https URL. The `path` of send() is "
                      "appended to it.",
       .required = true},
      {.name = "method",
       .type = OptionType::text,
       .description = "The method, when send() names none.",
       .default_value = "POST"},
      {.name = "content_type",
       .type = OptionType::text,
       .description = "The Content-Type, when send() names none; by default what the payload looks "
                      "like (JSON, XML, HL7 v2).",
       .default_value = content_type},
      {.name = "headers",
       .type = OptionType::texts,
       .description = "Headers of every request, each as \"Name: value\"."},
      {.name = "bearer",
       .type = OptionType::secret,
       .description = "A token that is sent as \"Authorization: Bearer …\"."},
      {.name = "idempotency_header",
       .type = OptionType::text,
       .description = "The header that carries the delivery's key, the same at every attempt, by "
                      "which the server can know a repeat; \"\" sends none.",
       .default_value = "Idempotency-Key"},
      {.name = "connections",
       .type = OptionType::integer,
       .description = "How many connections are open at most, and so how many messages are under "
                      "way at once; never two of one order key.",
       .default_value = "8",
       .minimum = 1,
       .maximum = 1024},
      {.name = "timeout",
       .type = OptionType::duration,
       .description = "How long a request may take as a whole before it is tried again.",
       .default_value = "30s"},
      {.name = "connect_timeout",
       .type = OptionType::duration,
       .description =
           "How long connecting may take, with looking up the host and the TLS handshake.",
       .default_value = "10s"},
      {.name = "max_response",
       .type = OptionType::size,
       .description = "How much of an answer's body is kept; the rest is not read.",
       .default_value = "16MB"},
      {.name = "proxy",
       .type = OptionType::text,
       .description = "A proxy to go through, as \"http://proxy.example:3128\", without a user and "
                      "a password; by default none, whatever the environment says."},
      tls_client_option(),
  };
}

Result<void> read_tls(const Values& values, const Ports& ports, SenderSettings& settings) {
  const Values* const tls = values.table("tls");
  if (tls == nullptr) return {};
  const Url& url = settings.outgoing.url;
  if (url.scheme != "https") {
    return Error{"T351", "the destination has a table tls, but its url begins with http://",
                 "write https:// into `url`, or take `tls` away"};
  }
  TRY(make_client_tls(tls, ports));  // finds missing and wrong files now
  TransferSettings& transfer = settings.transfer;
  const auto path_of = [&](std::string_view name) {
    return tls->has(name) ? (ports.site / tls->text(name)).string() : std::string();
  };
  transfer.ca = path_of("ca");
  transfer.certificate = path_of("certificate");
  transfer.key = path_of("key");
  if (tls->has("key_password")) {
    transfer.key_password = TRY(ports.secret(tls->secret("key_password")));
  }
  transfer.only_tls_1_3 = tls->text_or("minimum_version", "1.2") == "1.3";
  if (const std::string name = tls->text_or("server_name", ""); !name.empty()) {
    settings.outgoing.server_name = name;
    transfer.connect_to = name + ":" + url.port + ":" + url.host + ":" + url.port;
  }
  return {};
}

Result<std::string> proxy_of(const Values& values) {
  std::string proxy = values.text_or("proxy", "");
  if (proxy.find('@') == std::string::npos)
    return {boost::system::in_place_value, std::move(proxy)};
  return Error{
      "T351", "the proxy has a user or a password in it",
      "write it as \"http://proxy.example:3128\", and let the proxy know the engine by its "
      "address: what is written here can be read and is copied with the site"};
}

Result<SenderSettings> settings_of(const Values& values, const Ports& ports, Headers headers) {
  SenderSettings settings;
  OutgoingSettings& outgoing = settings.outgoing;
  outgoing.url = TRY(Url::parse(values.text("url")));
  outgoing.method = values.text("method");
  if (!is_method(outgoing.method)) {
    return Error{"T352", "\"" + outgoing.method + "\" is not a method of HTTP",
                 "write it in capitals, such as POST or PUT"};
  }
  outgoing.content_type = values.text_or("content_type", "");
  outgoing.idempotency_header = values.text("idempotency_header");
  if (!is_field_value(outgoing.content_type) ||
      (!outgoing.idempotency_header.empty() && !is_token(outgoing.idempotency_header))) {
    return Error{"T352", "`content_type` or `idempotency_header` cannot be sent in HTTP",
                 "they must be plain words without line ends"};
  }
  outgoing.headers = std::move(headers);
  if (values.has("headers")) {
    for (const std::string& written : values.texts("headers")) {
      auto header = TRY(parse_header(written));
      std::erase_if(outgoing.headers,
                    [&header](const auto& known) { return iequals(known.first, header.first); });
      outgoing.headers.push_back(std::move(header));
    }
  }
  settings.connections = static_cast<std::size_t>(values.integer("connections"));
  TransferSettings& transfer = settings.transfer;
  transfer.timeout = std::max(values.duration("timeout"), milliseconds(1));
  transfer.connect_timeout = std::max(values.duration("connect_timeout"), milliseconds(1));
  transfer.max_response = static_cast<std::size_t>(values.integer("max_response"));
  transfer.proxy = TRY(proxy_of(values));
  if (values.has("bearer")) settings.bearer = values.secret("bearer");
  TRY(read_tls(values, ports, settings));
  return settings;
}

Result<std::unique_ptr<Sender>> make(const Values& values, Ports ports, Headers headers,
                                     bool fhir) {
  SenderSettings settings = TRY(settings_of(values, ports, std::move(headers)));
  settings.fhir = fhir;
  settings.create_again = fhir && values.text("again") == "create";
  std::string bearer;
  if (settings.bearer) bearer = TRY(ports.secret(*settings.bearer));
  if (!is_field_value(bearer)) {
    return Error{"T352", "the secret of `bearer` holds a line end or control character",
                 "the variable or file must hold the token alone"};
  }
  return std::make_unique<HttpSender>(std::move(settings), std::move(ports), std::move(bearer));
}

}  // namespace

std::span<const Option> sender_options() {
  static const std::vector<Option> kOptions = options_with("");
  return kOptions;
}

std::vector<Option> fhir_options() {
  std::vector<Option> options = options_with(kFhirType);
  options.push_back({.name = "again",
                     .type = OptionType::text,
                     .description =
                         "What becomes of a delivery that created something and is sent again: "
                         "\"update\" puts it in the place of what was created, \"create\" creates "
                         "another one.",
                     .default_value = "update",
                     .choices = {"update", "create"}});
  return options;
}

std::span<const Option> fhir_sender_options() {
  static const std::vector<Option> kOptions = fhir_options();
  return kOptions;
}

Result<void> check_destination(const Values& values) {
  TRY(Url::parse(values.text("url")));
  TRY(proxy_of(values));
  return {};
}

Result<std::unique_ptr<Sender>> make_sender(const Values& values, Ports ports) {
  return make(values, std::move(ports), {}, false);
}

Result<std::unique_ptr<Sender>> make_fhir_sender(const Values& values, Ports ports) {
  Headers headers;
  headers.emplace_back("Accept", std::string(kFhirType));
  return make(values, std::move(ports), std::move(headers), true);
}

}  // namespace cannula::http
