#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/cli/sending.h"
#include "engine/cli/tool_ports.h"
#include "engine/cli/verb.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

struct SendOptions {
  std::string address;
  std::vector<std::string> files;
  std::int64_t count = 0;
  SendOrder order;
  bool unique = false, templates = false, tls = false, quiet = false, print = false;
  std::string ca, certificate, key, server_name;
  std::string log;
};

void declare(Arguments& arguments, SendOptions& options) {
  arguments.positional("ADDRESS", options.address, "Where to: host:port.", true);
  arguments.positionals(
      "FILE", options.files,
      "Files of one or several HL7 v2 messages; standard input when none is named.");
  arguments.number(
      "--count", "N", options.count, 1, INT64_MAX,
      "Send N messages in total, the files over and over; each file once when left out.");
  arguments.number("--connections", "N", options.order.connections, 1, 10'000,
                   "Use N connections at once; messages are shared out as they come free.");
  arguments.number("--window", "N", options.order.window, 1, 10'000,
                   "Send up to N messages on a connection before the first is answered.");
  arguments.number(
      "--rate", "N", options.order.rate, 1, 10'000'000,
      "Send at most N messages a second. With a window of 1, latencies count from when a "
      "message was due.");
  arguments.flag("--unique", options.unique, "Give each MSH-10 a suffix of its own: ID-1, ID-2 …");
  arguments.flag(
      "--template", options.templates,
      "Replace {{n}} anywhere in a message by its number, from 1, and {{time}} by the time "
      "of sending as HL7 writes it.");
  arguments.text("--expect", "CODE", options.order.expect,
                 "The MSA-1 that counts as success; AA or CA when left out.");
  arguments.duration("--timeout", options.order.timeout, "How long to wait for an answer.");
  arguments.duration(
      "--retry", options.order.retry,
      "When a connection is lost, connect and send again what was not answered, until "
      "this long nothing came of it.");
  arguments.flag("--tls", options.tls, "Use TLS; implied by the following.");
  arguments.text("--ca", "FILE", options.ca,
                 "Authorities to trust (PEM); the system's when left out.");
  arguments.text("--cert", "FILE", options.certificate, "Client certificate (PEM).");
  arguments.text("--key", "FILE", options.key, "Its private key (PEM).");
  arguments.text("--server-name", "NAME", options.server_name,
                 "The name the server's certificate must carry; the host when left out.");
  arguments.text(
      "--log", "FILE", options.log,
      "Write a JSON line for every attempt that has ended: control_id and code (\"\" when no "
      "answer came).");
  arguments.flag("--print", options.print, "Print each answer.");
  arguments.flag("--quiet", options.quiet, "Print failures only.");
}

void set_tls(SendOptions& options) {
  const std::pair<const char*, const std::string&> texts[] = {{"ca", options.ca},
                                                              {"certificate", options.certificate},
                                                              {"key", options.key},
                                                              {"server_name", options.server_name}};
  options.order.use_tls = options.tls;
  for (const Option& option : tls_client_options()) {
    if (!option.default_value.empty() && option.type == OptionType::text) {
      options.order.tls.set(std::string(option.name), std::string(option.default_value));
    }
  }
  for (const auto& [name, text] : texts) {
    if (text.empty()) continue;
    options.order.tls.set(name, text);
    options.order.use_tls = true;
  }
}

// Messages that have got to their end.
double done(const SendResult& result) {
  return static_cast<double>(result.latencies.count()) + static_cast<double>(result.unasked);
}

std::string plain_summary(const SendResult& result, const SendOrder& order) {
  if (order.count == 1 && !result.last_answer.empty()) {
    return fmt::format("{} after {:.2f} ms\n", result.last_answer, result.latencies.smallest_ms());
  }
  std::string codes;
  for (const auto& [code, count] : result.by_code) codes += fmt::format("{} {}, ", code, count);
  if (result.unasked > 0) codes += fmt::format("not to be answered {}, ", result.unasked);
  std::string text = fmt::format(
      "{} messages in {:.2f} s, {:.0f} a second: {}no answer {}\n", order.count, result.seconds,
      done(result) / std::max(result.seconds, 1e-9), codes, result.unanswered);
  if (result.latencies.count() > 0) {
    text += fmt::format("latency min {:.2f} ms, median {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n",
                        result.latencies.smallest_ms(), result.latencies.quantile_ms(0.5),
                        result.latencies.quantile_ms(0.99), result.latencies.largest_ms());
  }
  return text;
}

std::string json_summary(const SendResult& result, const SendOrder& order, double cpu) {
  const nlohmann::ordered_json json{
      {"address", order.address.text()},
      {"messages", order.count},
      {"sent", result.sent},
      {"acknowledged", result.by_code},
      {"as_expected", result.as_expected},
      {"unexpected", result.unexpected},
      {"not_to_be_answered", result.unasked},
      {"unanswered", result.unanswered},
      {"failed", order.count - result.as_expected},
      {"stray_answers", result.strays},
      {"connections", order.connections},
      {"connections_lost", result.connections_lost},
      {"seconds", rounded(result.seconds)},
      {"per_second", rounded(done(result) / std::max(result.seconds, 1e-9))},
      {"latency_ms",
       {{"min", rounded(result.latencies.smallest_ms())},
        {"median", rounded(result.latencies.quantile_ms(0.5))},
        {"p90", rounded(result.latencies.quantile_ms(0.9))},
        {"p99", rounded(result.latencies.quantile_ms(0.99))},
        {"p999", rounded(result.latencies.quantile_ms(0.999))},
        {"max", rounded(result.latencies.largest_ms())}}},
      {"cpu_us_per_message", rounded(cpu * 1e6 / std::max(done(result), 1.0))},
      {"remarks", result.remarks}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int fail(const Context& context, const Error& error) {
  print_error(context, error);
  return kUsage;
}

int send(SendOptions& options, const Context& context) {
  const auto address = Endpoint::parse(options.address);
  if (!address || address->port == 0) {
    return fail(context, {"U106",
                          fmt::format("`{}` is not an address to send to", options.address),
                          "a host, a colon and a port: 127.0.0.1:2575",
                          {}});
  }
  if (options.files.empty()) options.files = {"-"};
  const auto messages = MessageSource::read(options.files, {options.unique, options.templates});
  if (!messages) return fail(context, messages.error());
  JsonLines log;
  if (!options.log.empty()) {
    auto created = JsonLines::create(options.log);
    if (!created) return fail(context, created.error());
    log = *std::move(created);
  }
  set_tls(options);
  SendOrder& order = options.order;
  order.address = *address;
  order.count = options.count > 0 ? options.count : static_cast<std::int64_t>(messages->size());
  if (!options.quiet && !context.json && ::isatty(::fileno(context.err)) == 1) {
    order.progress = context.err;
  }

  if (options.print) order.print = context.json ? context.err : context.out;

  const double cpu_before = cpu_seconds();
  const auto result = send_messages(order, *messages, log);
  if (!result) return fail(context, result.error());
  if (context.json) {
    print(context.out, json_summary(*result, order, cpu_seconds() - cpu_before));
  } else {
    for (const std::string& remark : result->remarks)
      print(context.err, "cannula: " + visible(remark) + "\n");
    if (!options.quiet) print(context.out, plain_summary(*result, order));
  }
  return result->as_expected == order.count ? kFine : kFailed;
}

}  // namespace

Verb send_verb() {
  auto options = std::make_shared<SendOptions>();
  return {
      .name = "send",
      .summary = "Send HL7 v2 messages over MLLP and report the answers; also a load generator.",
      .example =
          "cannula send 127.0.0.1:2575 result.hl7\n"
          "cannula send 127.0.0.1:2575 result.hl7 --unique --count 10000 --connections 16\n"
          "cannula send 127.0.0.1:2575 broken.hl7 --expect AE",
      .declare = [options](Arguments& arguments) { declare(arguments, *options); },
      .run = [options](const Context& context) { return send(*options, context); }};
}

}  // namespace cannula::cli
