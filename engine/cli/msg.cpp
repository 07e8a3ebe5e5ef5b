#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/site_question.h"
#include "engine/cli/time_range.h"
#include "engine/cli/trace_text.h"
#include "engine/cli/verb.h"
#include "parsers/text/base64.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* name) {
  return object.value(name, std::string());
}

std::string list_text(const json& answer) {
  const auto word = [](const json& row, const char* name) {
    const std::string text = visible(text_of(row, name), 40);
    return text.empty() ? std::string("-") : text;
  };
  std::string text;
  for (const json& row : answer["messages"]) {
    const std::string reason = text_of(row, "reason");
    text += fmt::format(
        "{}  {}  {:<9} {:<16} {:<8} {}{}\n", text_of(row, "id"), text_of(row, "received_at"),
        text_of(row, "state"), text_of(row, "channel"), word(row, "event"), word(row, "control_id"),
        reason.empty() ? "" : "  " + visible(reason.substr(0, reason.find('\n')), 100));
  }
  return text;
}

// Bytes of no known character set: ASCII as it is, all others by number.
std::string byte_text(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto number = static_cast<unsigned char>(byte);
    if (number >= 0x20 && number < 0x7F) {
      text += byte;
    } else {
      text += fmt::format("<{:02X}>", number);
    }
  }
  return text;
}

// Bytes of a message for a terminal: a line a segment, other control characters made visible,
// nothing a terminal would obey.
std::string bytes_text(const json& holder, const std::string& name) {
  if (!holder.contains(name) && !holder.contains(name + "_base64")) return {};
  const bool converted = holder.contains(name + "_text");
  if (!converted && holder.contains(name + "_base64")) {
    const auto bytes = decode_base64(text_of(holder, (name + "_base64").c_str()));
    return "    (not UTF-8; --json has it in base64)\n    " + (bytes ? byte_text(*bytes) : "") +
           "\n";
  }
  std::string text = "    ";
  if (converted) {
    text += "(sent in " + text_of(holder, (name + "_charset").c_str()) +
            "; --json has the bytes as they came)\n    ";
  }
  const std::string bytes = text_of(holder, (converted ? name + "_text" : name).c_str());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte == '\r' || byte == '\n') {
      if (byte == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n') ++i;
      if (i + 1 < bytes.size()) text += "\n    ";
    } else if (byte < 0x20 || byte == 0x7F) {
      text += fmt::format("<{:02X}>", byte);
    } else {
      text += bytes[i];
    }
  }
  return text + "\n";
}

std::string code_of(const json& record) {
  const std::string code = text_of(record, "code");
  return code.empty() ? code : fmt::format(" [{}]", code);
}

void add_outcome(std::string& text, const json& record) {
  text += record.contains("response_to_delivery")
              ? fmt::format("the script handled the answer to delivery {}",
                            record["response_to_delivery"].get<int>())
              : std::string("the script ran");
  text += fmt::format(": {}\n", text_of(record, "state"));
  if (record.contains("reason"))
    text += fmt::format("    {}{}\n", visible(text_of(record, "reason")), code_of(record));
  for (const json& line : record["trace"]) text += trace_text(line);
  for (const json& delivery : record["deliveries"]) {
    text += fmt::format("  delivery {} to {}\n", delivery["ordinal"].get<int>(),
                        text_of(delivery, "destination"));
    text += delivery.contains("payload_is") ? "    the received bytes\n"
                                            : bytes_text(delivery, "payload");
  }
}

void add_attempt(std::string& text, const json& record) {
  text += fmt::format("delivery {} to {}, attempt {}: {}\n", record["delivery"].get<int>(),
                      text_of(record, "destination"), record["number"].get<int>(),
                      text_of(record, "state"));
  if (record.contains("reason"))
    text += fmt::format("    {}{}\n", visible(text_of(record, "reason")), code_of(record));
  if (record.contains("next_at"))
    text += fmt::format("    again at {}\n", text_of(record, "next_at"));
  if (record.contains("attributes"))
    text += fmt::format("    {}\n", visible(text_of(record, "attributes")));
  if (record.contains("response") || record.contains("response_base64")) {
    text += "  it answered\n" + bytes_text(record, "response");
  }
}

// What the person who looks at a message that has stopped can do about it.
std::string next_step(const json& answer) {
  const json& message = answer["message"];
  const std::string state = text_of(message, "state"), id = text_of(message, "id");
  if (state == "parked" && answer.value("waits_for", json::array()).empty()) {
    return fmt::format(
        "next: `cannula msg resend {0} SITE --reason TEXT` runs its script again, `cannula msg "
        "discard {0} SITE --reason TEXT` ends it\n",
        id);
  }
  if (state != "dead") return {};
  if (message.contains("bodies_removed")) {
    return fmt::format(
        "next: there is nothing left to send; `cannula msg discard {} SITE --reason TEXT` ends "
        "it\n",
        id);
  }
  std::string text = "next: when the cause below is mended,";
  const auto& deliveries = answer["deliveries"];
  const auto dead = std::find_if(deliveries.begin(), deliveries.end(),
                                 [](const json& one) { return text_of(one, "state") == "dead"; });
  if (dead == deliveries.end()) {
    text += fmt::format(" `cannula msg resend {} SITE --reason TEXT` runs its script again;", id);
  } else {
    text += fmt::format(
        " `cannula msg resend {} SITE --destination {} --reason TEXT` sends that again as it is, "
        "under the key that it had (without --destination the script runs again, and what has "
        "arrived elsewhere is sent once more);",
        id, text_of(*dead, "destination"));
  }
  return text + fmt::format(
                    " `cannula msg edit {0} SITE` changes it first, `cannula msg discard {0} SITE "
                    "--reason TEXT` ends it\n",
                    id);
}

std::string show_text(const json& answer, const std::string& site) {
  const json& message = answer["message"];
  std::string text = fmt::format(
      "message {}  {}  {}\nchannel {}  event {}  control id {}\n", text_of(message, "id"),
      text_of(message, "state"), visible(text_of(message, "reason")), text_of(message, "channel"),
      visible(text_of(message, "event")), visible(text_of(message, "control_id")));
  if (message.contains("bodies_removed")) {
    text += fmt::format("its bodies were removed by retention on {}\n",
                        text_of(message, "bodies_removed"));
  }
  for (const json& edited : answer["edited_as"])
    text += fmt::format("edited as {}\n", edited.get<std::string>());
  for (const json& wait : answer.value("waits_for", json::array()))
    text += fmt::format("waits: {}\n", with_site(visible(wait.get<std::string>()), site));
  text += with_site(next_step(answer), site);
  for (const json& record : answer["trail"]) {
    const std::string kind = text_of(record, "record");
    text += fmt::format("\n{}  ", text_of(record, "at"));
    if (kind == "accepted" && record.contains("edited_from")) {
      text += fmt::format("edited from {} by {}: {}\n", text_of(record, "edited_from"),
                          visible(text_of(record, "actor")), visible(text_of(record, "reason")));
      text += bytes_text(record, "body");
    } else if (kind == "accepted") {
      text += fmt::format(
          "received from {}{}\n", visible(text_of(record, "peer")),
          record.contains("refusal") ? ", refused: " + visible(text_of(record, "refusal")) : "");
      text += bytes_text(record, "body");
    } else if (kind == "outcome") {
      add_outcome(text, record);
    } else if (kind == "attempt") {
      add_attempt(text, record);
    } else {
      text += fmt::format("{}{} by {}: {}\n", kind,
                          record.contains("delivery")
                              ? fmt::format(" delivery {}", record["delivery"].get<int>())
                              : "",
                          visible(text_of(record, "actor")), visible(text_of(record, "reason")));
    }
  }
  return text;
}

struct ActOptions {
  std::string id, site, reason, destination;
  std::int64_t delivery = 0;
};

Verb act_verb(const std::string& act, std::string summary, std::string example) {
  auto options = std::make_shared<ActOptions>();
  return {
      .name = "msg " + act,
      .summary = std::move(summary),
      .example = std::move(example),
      .declare =
          [options, act](Arguments& arguments) {
            arguments.positional("ID", options->id, "The message's id.", true);
            arguments.positional("SITE", options->site, "The site's folder.");
            if (act == "resend") {
              arguments.text("--destination", "NAME", options->destination,
                             "Only its deliveries to it, as they are; \"*\": to all.");
            }
            arguments.number("--delivery", "N", options->delivery, 0, 0xFFFFFFFF,
                             "Only this delivery of it; 0: the whole message.");
            arguments.required_text("--reason", "TEXT", options->reason,
                                    "Why; kept with the message.");
          },
      .run =
          [options, act](const Context& context) {
            json request{{"id", options->id},
                         {"delivery", options->delivery},
                         {"reason", options->reason},
                         {"actor", acting_user()}};
            if (!options->destination.empty()) request["destination"] = options->destination;
            return answer_question(options->site, act, request, context, [&](const json& answer) {
              const std::string note = text_of(answer, "note");
              return fmt::format(
                  "{} {}{}\n", answer.contains("resent") ? "resent" : "discarded", options->id,
                  note.empty() ? "" : ": " + with_site(visible(note), options->site));
            });
          }};
}

}  // namespace

Verb msg_list_verb() {
  struct Options {
    std::string site, channel, state, control_id, mrn, accession, name, destination, before;
    TimeRange range;
    std::int64_t limit = 50;
    bool oldest_first = false;
  };
  auto options = std::make_shared<Options>();
  return {.name = "msg list",
          .summary = "List messages, the newest first.",
          .example =
              "cannula msg list my-site --channel lab-results --state dead\n"
              "cannula msg list my-site --since 2026-11-23T02:30 --until 2026-11-23T04:00 "
              "--oldest-first",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.text("--channel", "NAME", options->channel, "Only of this channel.");
                arguments.text("--state", "STATE", options->state,
                               "Only in this state: accepted, queued, done, filtered, parked, "
                               "rejected, dead or discarded.");
                arguments.text("--control-id", "ID", options->control_id,
                               "Only with this control id (MSH-10).");
                arguments.text("--mrn", "NUMBER", options->mrn,
                               "Only of the patient with this number (PID-3).");
                arguments.text("--accession", "NUMBER", options->accession,
                               "Only with this accession or filler number (OBR-3, OBR-18, ORC-3).");
                arguments.text(
                    "--name", "NAME", options->name,
                    "Only of patients with this family name, or \"FAMILY, GIVEN\"; case makes "
                    "no difference.");
                arguments.text("--destination", "NAME", options->destination,
                               "Only with a delivery to it.");
                options->range.declare(arguments, "what was received");
                arguments.text("--before", "ID", options->before,
                               "Only older than this message, to page on.");
                arguments.number("--limit", "N", options->limit, 1, 10'000, "At most so many.");
                arguments.flag("--oldest-first", options->oldest_first, "In the order they came.");
              },
          .run =
              [options](const Context& context) {
                json query{{"channel", options->channel},
                           {"state", options->state},
                           {"control_id", options->control_id},
                           {"mrn", options->mrn},
                           {"accession", options->accession},
                           {"name", options->name},
                           {"destination", options->destination},
                           {"before", options->before},
                           {"limit", options->limit},
                           {"oldest_first", options->oldest_first}};
                if (!options->range.put_into(query, context)) return static_cast<int>(kUsage);
                return answer_question(options->site, "list", query, context,
                                       [&context](const json& answer) {
                                         // Not among the ids that a script may read.
                                         if (answer["messages"].empty())
                                           print(context.err, "no messages\n");
                                         return list_text(answer);
                                       });
              }};
}

Verb msg_show_verb() {
  struct Options {
    std::string id, site;
  };
  auto options = std::make_shared<Options>();
  return {.name = "msg show",
          .summary =
              "Show all that is known of a message, from the received bytes to the answer of the "
              "other side.",
          .example = "cannula msg show 0K2H8ZQ4R7T1C my-site",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("ID", options->id, "The message's id.", true);
                arguments.positional("SITE", options->site, "The site's folder.");
              },
          .run =
              [options](const Context& context) {
                return answer_question(
                    options->site, "show", json{{"id", options->id}}, context,
                    [options](const json& answer) { return show_text(answer, options->site); });
              }};
}

Verb msg_resend_verb() {
  return act_verb(
      "resend", "Put a message, or one delivery of it, back to work.",
      "cannula msg resend 0K2H8ZQ4R7T1C my-site --delivery 1 --reason \"the EHR is back\"");
}

Verb msg_discard_verb() {
  return act_verb("discard", "End what is parked, held, dead or still queued of a message.",
                  "cannula msg discard 0K2H8ZQ4R7T1C my-site --reason \"sent by mistake\"");
}

}  // namespace cannula::cli
