#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "channels/transport/tls.h"
#include "engine/cli/listening.h"
#include "engine/cli/tool_ports.h"
#include "engine/cli/verb.h"

namespace cannula::cli {
namespace {

double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

struct ListenOptions {
  std::string address;
  ListenOrder order;
  std::vector<std::string> keys;
  std::string certificate, key, client_ca;
  std::string log;
  bool print = false;
};

void declare(Arguments& arguments, ListenOptions& options) {
  ListenOrder& order = options.order;
  arguments.positional("ADDRESS", options.address,
                       "Where to listen: host:port; port 0 takes a free one.", true);
  arguments.choice("--answer", order.answer, {"AA", "AE", "AR", "CA", "CE", "CR", "none"},
                   "How each message is answered; AA, AE and AR become CA, CE and CR where MSH-15 "
                   "asks for a commit acknowledgement.");
  arguments.text("--text", "TEXT", order.text, "What MSA-3 of the answers says.");
  arguments.duration("--delay", order.delay, "Wait before answering.");
  arguments.number("--fail-every", "N", order.fail_every, 1, INT64_MAX,
                   "Answer every N-th message with AE.");
  arguments.number("--close-every", "N", order.close_every, 1, INT64_MAX,
                   "Close the connection at every N-th message instead of answering it.");
  arguments.number("--drop-every", "N", order.drop_every, 1, INT64_MAX,
                   "Give every N-th message no answer, and keep the connection.");
  arguments.flag("--commits", order.commits,
                 "Send a commit acknowledgement block before each answer (MLLP release 2).");
  arguments.number("--count", "N", order.count, 1, INT64_MAX, "End after N messages.");
  arguments.texts("--key", "PATH", options.keys,
                  "A value for the log, such as PID-3.1; may be repeated.");
  arguments.text(
      "--log", "FILE", options.log,
      "Write a JSON line for every message, before it is answered: connection, control_id, "
      "first (of its id), keys, message.");
  arguments.flag("--print", options.print, "Print each message.");
  arguments.text("--save", "FOLDER", order.save,
                 "Write each message to a file there, 000001.hl7 and so on.");
  arguments.text("--cert", "FILE", options.certificate, "Use TLS with this certificate (PEM).");
  arguments.text("--tls-key", "FILE", options.key, "Its private key (PEM).");
  arguments.text("--client-ca", "FILE", options.client_ca,
                 "Ask for client certificates of these authorities (PEM).");
}

void set_tls(ListenOptions& options) {
  const std::pair<const char*, const std::string&> texts[] = {
      {"certificate", options.certificate}, {"key", options.key}, {"client_ca", options.client_ca}};
  for (const Option& option : tls_server_options()) {
    if (!option.default_value.empty() && option.type == OptionType::text) {
      options.order.tls.set(std::string(option.name), std::string(option.default_value));
    }
  }
  options.order.use_tls = !options.certificate.empty();
  for (const auto& [name, text] : texts) {
    if (!text.empty()) options.order.tls.set(name, text);
  }
}

Result<void> prepare(ListenOptions& options) {
  const auto address = Endpoint::parse(options.address);
  if (!address) {
    return Error{"U106",
                 fmt::format("`{}` is not an address to listen on", options.address),
                 "a host, a colon and a port: 127.0.0.1:2575",
                 {}};
  }
  options.order.address = *address;
  if (!options.order.save.empty() && !std::filesystem::is_directory(options.order.save)) {
    return Error{"U106",
                 fmt::format("{} is not a folder to save messages to", options.order.save),
                 "make it first",
                 {}};
  }
  if (options.certificate.empty() != options.key.empty()) {
    return Error{
        "U102", "--cert and --tls-key belong together", "give both, or none for plain TCP", {}};
  }
  for (const std::string& key : options.keys) {
    options.order.keys.push_back(TRY(hl7v2::Path::parse(key)));
  }
  set_tls(options);
  return {};
}

std::string summary(const ListenResult& result, bool as_json, double cpu) {
  const double rate =
      result.seconds > 0 ? static_cast<double>(result.messages - 1) / result.seconds : 0;
  if (!as_json) {
    return fmt::format(
        "{} messages over {} connections, {:.0f} a second; {} repeated, {} unreadable\n",
        result.messages, result.connections, rate, result.repeated, result.unreadable);
  }
  const nlohmann::ordered_json json{
      {"address", result.address},
      {"messages", result.messages},
      {"repeated", result.repeated},
      {"unreadable", result.unreadable},
      {"connections", result.connections},
      {"bytes", result.bytes},
      {"seconds", rounded(result.seconds)},
      {"per_second", rounded(rate)},
      {"cpu_us_per_message",
       rounded(cpu * 1e6 / static_cast<double>(std::max<std::int64_t>(1, result.messages)))}};
  return json.dump(2) + "\n";
}

int listen(ListenOptions& options, const Context& context) {
  if (const auto prepared = prepare(options); !prepared) {
    print_error(context, prepared.error());
    return kUsage;
  }
  JsonLines log;
  if (!options.log.empty()) {
    auto created = JsonLines::create(options.log);
    if (!created) {
      print_error(context, created.error());
      return kUsage;
    }
    log = *std::move(created);
  }
  // With --json the result alone is on standard output.
  options.order.announce = context.json ? context.err : context.out;
  if (options.print) options.order.print = context.json ? context.err : context.out;

  const double cpu_before = cpu_seconds();
  const auto result = listen_for_messages(options.order, log);
  if (!result) {
    print_error(context, result.error());
    return kFailed;
  }
  print(context.out, summary(*result, context.json, cpu_seconds() - cpu_before));
  return kFine;
}

}  // namespace

Verb listen_verb() {
  auto options = std::make_shared<ListenOptions>();
  return {.name = "listen",
          .summary =
              "Listen for HL7 v2 messages over MLLP and answer them: the other end, for trying "
              "things out.",
          .example = "cannula listen 127.0.0.1:2585 --log arrived.jsonl --key PID-3.1",
          .declare = [options](Arguments& arguments) { declare(arguments, *options); },
          .run = [options](const Context& context) { return listen(*options, context); }};
}

}  // namespace cannula::cli
