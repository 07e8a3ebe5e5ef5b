#include "channels/http/receiver.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "channels/http/text.h"
#include "channels/transport/secret_name.h"
#include "channels/transport/tls.h"

namespace cannula::http {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

class HttpReceiver final : public Receiver {
 public:
  HttpReceiver(std::shared_ptr<Servers> servers, Endpoint listen, ServerTls tls,
               MountSettings settings, const Ports& ports, Intake& intake)
      : servers_(std::move(servers)),
        listen_(std::move(listen)),
        tls_(std::move(tls)),
        executor_(ports.executor),
        mount_(std::make_shared<Mount>(std::move(settings), ports, intake)) {}

  ~HttpReceiver() override {
    if (leave()) {
      asio::post(server_->executor(), [server = server_] { server->close(); });
    }
    mount_->abandon();
  }

  Result<void> start() override {
    server_ = TRY(servers_->join(executor_, listen_, tls_, mount_));
    return {};
  }

  asio::awaitable<void> stop(milliseconds grace) override {
    if (!server_ || left_) co_return;
    const bool last = leave();
    if (last) co_await on_server(server_->begin_end());
    co_await until_quiet(grace);
    mount_->abandon();
    if (last) co_await on_server(server_->end());
  }

  std::string address() const override { return server_ ? server_->address() : std::string(); }

 private:
  // Whether the listener has nobody left.
  bool leave() {
    mount_->close();
    if (!server_ || std::exchange(left_, true)) return false;
    return servers_->leave(server_, mount_);
  }

  asio::awaitable<void> on_server(asio::awaitable<void> work) {
    return asio::co_spawn(server_->executor(), std::move(work), asio::use_awaitable);
  }

  asio::awaitable<void> until_quiet(milliseconds grace) {
    auto timer = std::make_shared<asio::steady_timer>(executor_, grace);
    auto quiet = std::make_shared<bool>(false);
    mount_->when_quiet([executor = executor_, timer, quiet] {
      asio::post(executor, [timer, quiet] {
        *quiet = true;
        timer->cancel();
      });
    });
    co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
    if (!*quiet) mount_->when_quiet({});
  }

  const std::shared_ptr<Servers> servers_;
  const Endpoint listen_;
  const ServerTls tls_;
  const asio::any_io_executor executor_;
  const std::shared_ptr<Mount> mount_;
  std::shared_ptr<Server> server_;
  bool left_ = false;
};

// The table as it is written, to compare it with that of another channel.
std::string written_form(const Values* tls) {
  if (tls == nullptr) return "plain";
  std::string form = "tls";
  for (const Option& option : tls_server_options()) {
    if (!tls->has(option.name)) continue;
    const std::string value =
        option.type == OptionType::secret ? tls->secret(option.name).name : tls->text(option.name);
    form += "\n" + std::string(option.name) + "=" + value;
  }
  return form;
}

constexpr std::string_view kRespond[] = {"stored", "processed"};

const Option& path_option() {
  static const Option option = {
      .name = "path",
      .type = OptionType::text,
      .description =
          "The path that requests must ask for, as \"/hooks/lab\"; \"/fhir/*\" is that "
          "path and all below it. Channels with the same `listen` share the listener "
          "and are told apart by it: the longest that matches is taken.",
      .required = true};
  return option;
}

}  // namespace

namespace {

std::span<const Option> dedupe_options() {
  static const Option kOptions[] = {
      {.name = "key",
       .type = OptionType::text,
       .description = "What names a request: the header of that name, such as "
                      "\"header:webhook-id\". A body of HL7 v2 is named by its MSH-10.",
       .default_value = "header:idempotency-key"},
      {.name = "window",
       .type = OptionType::duration,
       .description = "How long a request is remembered.",
       .default_value = "24h"},
  };
  return kOptions;
}

}  // namespace

std::span<const Option> receiver_options() {
  static const Option kOptions[] = {
      {.name = "listen",
       .type = OptionType::endpoint,
       .description = "The address and port to listen on; several http sources may name the same.",
       .required = true},
      path_option(),
      {.name = "methods",
       .type = OptionType::texts,
       .description = "The methods that are taken; others are answered 405, OPTIONS and HEAD with "
                      "the list.",
       .default_value = "POST"},
      {.name = "respond",
       .type = OptionType::text,
       .description =
           "When the sender is answered: \"stored\", 202 once the message is on disk, or "
           "\"processed\", what the script replies.",
       .default_value = "stored",
       .choices = {std::begin(kRespond), std::end(kRespond)}},
      {.name = "dedupe",
       .type = OptionType::table,
       .description =
           "Remembers requests by the name that their sender gives them: the same one again, with "
           "the same body, is answered as the first was and not worked twice, also after a "
           "restart. The same name with another body is another message, which is worked and "
           "logged; so is each request without a name.",
       .members = dedupe_options()},
      {.name = "max_size",
       .type = OptionType::size,
       .description = "The largest body that is taken; a larger one is answered 413 and its "
                      "beginning kept as rejected.",
       .default_value = "64MB"},
      {.name = "max_memory",
       .type = OptionType::size,
       .description = "How much all bodies that are being received may hold together; beyond it "
                      "the one that was begun first and has not ended is answered 503, unless it "
                      "has come to less than 64 KB.",
       .default_value = "512MB"},
      {.name = "max_header",
       .type = OptionType::size,
       .description = "How large the request line and headers may be together.",
       .default_value = "16KB"},
      {.name = "max_connections",
       .type = OptionType::integer,
       .description = "How many connections may be open at once; when more come, those that have "
                      "waited longest without a request, or for a body that does not come, are "
                      "closed.",
       .default_value = "1024",
       .minimum = 1,
       .maximum = 1'000'000},
      {.name = "max_connections_per_address",
       .type = OptionType::integer,
       .description = "How many of them may come from one address, with the same consequence; 0 "
                      "sets no limit of its own. Behind a proxy all come from its address.",
       .default_value = "1024",
       .maximum = 1'000'000},
      {.name = "header_timeout",
       .type = OptionType::duration,
       .description = "How long the request line and headers may take to come.",
       .default_value = "15s"},
      {.name = "body_timeout",
       .type = OptionType::duration,
       .description =
           "How long a sender may pause within a body; in each such time that a body lasts "
           "at least 1 KB a second must come too.",
       .default_value = "30s"},
      {.name = "idle_timeout",
       .type = OptionType::duration,
       .description = "How long a connection may be silent between requests before it is closed; "
                      "0s means for ever.",
       .default_value = "75s"},
      {.name = "write_timeout",
       .type = OptionType::duration,
       .description = "How long a sender may leave its answer unread before the connection is "
                      "closed.",
       .default_value = "30s"},
      {.name = "handshake_timeout",
       .type = OptionType::duration,
       .description = "How long a TLS handshake may take.",
       .default_value = "10s"},
      tls_server_option(),
  };
  return kOptions;
}

namespace {

// The name of a header, from `key` of `dedupe`.
Result<std::string> header_of_key(const std::string& key) {
  constexpr std::string_view kHeader = "header:";
  const std::string name = key.starts_with(kHeader) ? key.substr(kHeader.size()) : std::string();
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
  if (plain && !is_secret_name(lower(name))) return lower(name);
  return Error{
      "T314", "\"" + key + "\" is not what a request can be known by",
      "write \"header:\" and the name of the header, such as \"header:webhook-id\"; one that "
      "is to log in with is not kept"};
}

Result<MountSettings> settings_of(const Values& values) {
  MountSettings settings;
  if (const Values* dedupe = values.table("dedupe")) {
    settings.key_header = TRY(header_of_key(dedupe->text("key")));
  }
  auto path = PathPattern::parse(values.text("path"));
  if (!path) {
    return Error{"T314", "\"" + values.text("path") + "\" is not a path that a source can have",
                 "write a path such as \"/hooks/lab\", or \"/fhir/*\" for all below it; blanks and "
                 "%, ?, # cannot be in it"};
  }
  settings.path = *std::move(path);
  for (const std::string& method : values.texts("methods")) {
    static constexpr std::string_view kKnown[] = {"GET",   "HEAD",   "POST",   "PUT",
                                                  "PATCH", "DELETE", "OPTIONS"};
    if (std::find(std::begin(kKnown), std::end(kKnown), method) == std::end(kKnown)) {
      return Error{"T314", "\"" + method + "\" is not a method that a source can take",
                   "methods are GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS, in capitals"};
    }
    settings.methods.push_back(method);
  }
  const auto at_least_a_moment = [&values](std::string_view name) {
    return std::max(values.duration(name), milliseconds(1));
  };
  settings.processed = values.text("respond") == "processed";
  settings.max_size = static_cast<std::size_t>(values.integer("max_size"));
  settings.body_timeout = at_least_a_moment("body_timeout");
  settings.limits.places.all = static_cast<std::size_t>(values.integer("max_connections"));
  settings.limits.places.of_one_address =
      static_cast<std::size_t>(values.integer("max_connections_per_address"));
  settings.limits.max_header = static_cast<std::size_t>(values.integer("max_header"));
  settings.limits.max_memory =
      std::max(static_cast<std::size_t>(values.integer("max_memory")), settings.max_size);
  settings.limits.header_timeout = at_least_a_moment("header_timeout");
  settings.limits.idle_timeout = values.duration("idle_timeout");
  settings.limits.write_timeout = at_least_a_moment("write_timeout");
  settings.limits.handshake_timeout = at_least_a_moment("handshake_timeout");
  return settings;
}

}  // namespace

Result<void> check_source(const Values& values) {
  TRY(settings_of(values));
  return {};
}

Result<std::unique_ptr<Receiver>> make_receiver(std::shared_ptr<Servers> servers,
                                                const Values& values, const Ports& ports,
                                                Intake& intake) {
  MountSettings settings = TRY(settings_of(values));
  ServerTls tls;
  tls.context = TRY(make_server_tls(values.table("tls"), ports));
  tls.written = written_form(values.table("tls"));
  return std::make_unique<HttpReceiver>(std::move(servers), values.endpoint("listen"),
                                        std::move(tls), std::move(settings), ports, intake);
}

}  // namespace cannula::http
