// cannula try: what a channel would do with a message, without doing it.
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/finding_json.h"
#include "engine/cli/trace_text.h"
#include "engine/cli/trial_site.h"
#include "engine/cli/verb.h"
#include "engine/script/time_text.h"
#include "engine/trial/check.h"
#include "engine/trial/payload.h"
#include "engine/trial/trial.h"
#include "parsers/hl7v2/encoding.h"

namespace cannula::cli {
namespace {

using Json = nlohmann::ordered_json;
using script::Conclusion;

struct TryOptions {
  std::string channel;
  std::string file;
  std::string site;
  std::string now;
  std::string partner;
};

Result<std::string> read_input(const std::string& name) {
  const auto whole = [](std::istream& in) {
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  if (name == "-") return whole(std::cin);
  std::ifstream file(name, std::ios::binary);
  std::error_code ignored;
  if (file && !std::filesystem::is_directory(name, ignored)) return whole(file);
  return Error{"U106", fmt::format("{} cannot be read", name),
               "name a file with one message, or -"};
}

Result<std::int64_t> moment_of(const std::string& text) {
  if (text.empty()) {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  auto moment = script::parse_time(text, TimeZone::utc());
  if (!moment) return Error{"U102", "--now: " + moment.error().message, moment.error().hint};
  return *moment;
}

// The request that an http source would have made of it.
std::string request_of(const config::ChannelConfig& channel) {
  if (channel.source_type != "http") return {};
  std::string path = channel.source.text_or("path", "/");
  if (path.ends_with('*')) path.pop_back();
  return Json{{"method", "POST"},
              {"path", path},
              {"target", path},
              {"query", Json::object()},
              {"headers", Json::object()}}
      .dump();
}

struct Seen {  // of the message as it came
  std::string text;
  std::vector<Diagnostic> findings;
};

Seen look_at(const Bytes& body) {
  if (trial::format_of(*body) != trial::Format::hl7v2) {
    return {
        fmt::format("{}, {} bytes",
                    trial::format_of(*body) == trial::Format::json ? "JSON" : "text", body->size()),
        {}};
  }
  auto decoded = hl7v2::decode(body);
  if (!decoded) return {decoded.error().text(), {}};
  const hl7v2::Message& message = decoded->message;
  std::string names;
  for (std::size_t at = 0; at < message.segment_count();) {
    const std::string name(message.name_of(message.segment_at(at)));
    std::size_t count = 0;
    while (at < message.segment_count() && message.name_of(message.segment_at(at)) == name) {
      ++at;
      ++count;
    }
    names += count == 1 ? " " + name : fmt::format(" {}×{}", name, count);
  }
  Seen seen{fmt::format("{}, {} bytes, {} segments:{}", message.type(), body->size(),
                        message.segment_count(), names),
            std::move(decoded->findings)};
  for (Diagnostic& finding : message.findings(20)) seen.findings.push_back(std::move(finding));
  return seen;
}

std::string send_text(const script::Send& send) {
  std::string text = fmt::format("\nsends to {}", send.destination);
  if (send.key) text += fmt::format(", key {}", *send.key);
  if (send.stat) text += ", stat";
  if (!send.attributes.empty()) text += ", " + send.attributes;
  return text + "\n" + indented(trial::readable(*send.payload), 4);
}

std::string text_of(const Seen& seen, const trial::Ran& ran) {
  const Conclusion& end = ran.conclusion;
  std::string text = fmt::format("message   {}\n", seen.text);
  for (const Diagnostic& finding : seen.findings) {
    text += fmt::format("    {}[{}]: {}{}\n", name_of(finding.severity), finding.code,
                        finding.path.empty() ? "" : finding.path + ": ", finding.message);
  }
  text += fmt::format("outcome   {}{}\n", trial::outcome_name(end.kind),
                      end.until_mapped ? ", runs again when the missing rows are there" : "");
  text += indented(end.reason, 4);
  if (!ran.trace.empty()) text += "\ntrace\n";
  for (const std::string& line : ran.trace) {
    text += trace_text(nlohmann::json::parse(line, nullptr, false));
  }
  if (!end.misses.empty()) text += "\nmisses\n";
  for (const script::Miss& miss : end.misses) {
    std::string key = miss.key;
    std::replace(key.begin(), key.end(), tables::kKeySeparator, '|');
    text += fmt::format("    table {}: no row for {}{}\n", miss.table, key,
                        miss.text.empty() ? "" : " (" + miss.text + ")");
  }
  for (const script::Send& send : end.sends) text += send_text(send);
  if (!end.state_writes.empty()) text += "\nstate\n";
  for (const script::StateWrite& write : end.state_writes) {
    text += fmt::format("    {} = {}\n", write.key, write.value.value_or("nil"));
  }
  if (end.reply && end.reply->ack) {
    const AckReply& ack = *end.reply->ack;
    text += fmt::format("\nacknowledges {} {}\n",
                        hl7v2::name_of(hl7v2::code_of(ack.outcome, false)), ack.text);
    for (const hl7v2::AckError& error : ack.errors) {
      text += fmt::format("  error {} at {}: {}\n", error.code, error.location, error.text);
    }
  } else if (end.reply) {
    text += fmt::format("\nreplies {}\n", end.reply->status);
    for (const auto& [name, value] : end.reply->headers) {
      text += fmt::format("    {}: {}\n", name, value);
    }
    if (end.reply->body) text += indented(trial::readable(*end.reply->body), 4);
  }
  return text;
}

Json json_of(const Seen& seen, const trial::Ran& ran) {
  const Conclusion& end = ran.conclusion;
  Json json{{"message", seen.text}, {"findings", Json::array()}};
  for (const Diagnostic& finding : seen.findings) {
    Json entry = finding_json(finding);
    if (!finding.path.empty()) entry["path"] = finding.path;
    json["findings"].push_back(std::move(entry));
  }
  json["outcome"] = trial::outcome_name(end.kind);
  if (!end.reason.empty()) json["reason"] = end.reason;
  if (!end.code.empty()) json["code"] = end.code;
  json["until_mapped"] = end.until_mapped;
  json["trace"] = Json::array();
  for (const std::string& line : ran.trace) {
    json["trace"].push_back(Json::parse(line, nullptr, false));
  }
  json["misses"] = Json::array();
  for (const script::Miss& miss : end.misses) {
    json["misses"].push_back({{"table", miss.table}, {"key", miss.key}, {"text", miss.text}});
  }
  json["sends"] = Json::array();
  for (const script::Send& send : end.sends) {
    Json entry{{"destination", send.destination}, {"payload", *send.payload}, {"stat", send.stat}};
    if (send.key) entry["key"] = *send.key;
    if (!send.attributes.empty()) entry["options"] = Json::parse(send.attributes, nullptr, false);
    json["sends"].push_back(std::move(entry));
  }
  json["state"] = Json::object();
  for (const script::StateWrite& write : end.state_writes) {
    json["state"][write.key] = write.value ? Json::parse(*write.value, nullptr, false) : Json();
  }
  if (end.reply) {
    Json headers = Json::object();
    for (const auto& [name, value] : end.reply->headers) headers[name] = value;
    json["reply"] = {{"status", end.reply->status},
                     {"headers", headers},
                     {"body", end.reply->body ? *end.reply->body : ""}};
  }
  return json;
}

int try_message(const TryOptions& options, const Context& context) {
  const TrialSite loaded = load_trial_site(options.site, context);
  if (!loaded.site) return loaded.exit;
  const config::ChannelConfig* channel = find_channel(*loaded.site, options.channel, context);
  if (channel == nullptr) return kUsage;
  const auto text = read_input(options.file);
  const auto now = moment_of(options.now);
  if (!text || !now) {
    print_error(context, text ? now.error() : text.error());
    return kUsage;
  }
  auto trial = trial::Trial::load(*loaded.site, channel->name);
  if (auto* findings = std::get_if<std::vector<Diagnostic>>(&trial)) {
    print(context.err, render(*findings));
    return kInvalidSite;
  }
  trial::GivenMessage message;
  message.body = make_bytes(trial::as_message(*text));
  message.partner = options.partner.empty() ? channel->partner : options.partner;
  message.attributes = request_of(*channel);
  message.now = *now;
  const trial::Ran ran = std::get<std::unique_ptr<trial::Trial>>(trial)->work(message);
  const Seen seen = look_at(message.body);
  print(context.out,
        context.json ? json_of(seen, ran).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                     : text_of(seen, ran));
  return ran.conclusion.kind == Conclusion::Kind::failed ? kFailed : kFine;
}

}  // namespace

Verb try_verb() {
  auto options = std::make_shared<TryOptions>();
  return {
      .name = "try",
      .summary =
          "Show what a channel would do with a message, without a running engine: log, "
          "lookups, rules, what would be sent.",
      .example = "cannula try lab-results message.hl7 --site my-site --now 2026-01-15T09:30:00Z",
      .declare =
          [options](Arguments& arguments) {
            arguments.positional("CHANNEL", options->channel, "The channel.", true);
            arguments.positional("FILE", options->file, "The message; - is the standard input.",
                                 true);
            arguments.text("--site", "SITE", options->site, "The site's folder.");
            arguments.text("--now", "TIME", options->now,
                           "The time of time.now(); now unless given.");
            arguments.text("--partner", "NAME", options->partner,
                           "Who sends it; the channel's partner unless given.");
          },
      .run = [options](const Context& context) { return try_message(*options, context); }};
}

}  // namespace cannula::cli
