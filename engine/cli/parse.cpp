#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/finding_json.h"
#include "engine/cli/input_file.h"
#include "engine/cli/message_view.h"
#include "engine/cli/verb.h"
#include "parsers/hl7v2/batch.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/text/terminal_text.h"
#include "parsers/tree/document.h"

namespace cannula::cli {
namespace {

using nlohmann::ordered_json;

struct ParseOptions {
  std::vector<std::string> files;
  bool raw = false;
};

// What became of one file.
struct Parsed {
  std::string text;
  ordered_json json;
  bool fine = true;
};

std::string shown_name(const std::string& file) {
  return file == "-" ? "standard input" : file;
}

void add_findings(std::vector<Diagnostic> findings, const std::shared_ptr<const Source>& source,
                  Parsed& parsed, ordered_json& json) {
  json["findings"] = ordered_json::array();
  for (Diagnostic& finding : findings) {
    if (!finding.source && finding.span) finding.source = source;
    json["findings"].push_back(finding_json(finding));
  }
  if (findings.empty()) return;
  parsed.text += fmt::format("\n{} finding{}\n", findings.size(), findings.size() == 1 ? "" : "s");
  parsed.text += render(findings);
}

void add_failure(const Error& error, const std::shared_ptr<const Source>& source, Parsed& parsed,
                 ordered_json& json) {
  const Diagnostic finding{Severity::error, error.code, error.message, source, error.span,
                           error.hint,      {}};
  parsed.fine = false;
  parsed.text += render(finding);
  json["findings"] = ordered_json::array({finding_json(finding)});
}

void add_message(const std::string& name, std::string_view bytes, bool raw, Parsed& parsed) {
  ordered_json json = ordered_json::object();
  auto decoded = hl7v2::decode(make_bytes(std::string(bytes)));
  if (!decoded) {
    add_failure(decoded.error(), std::make_shared<const Source>(name, std::string(bytes)), parsed,
                json);
  } else if (raw) {
    parsed.text += segments_text(decoded->message);
    json = {{"raw", decoded->message.encode()}};
  } else {
    const hl7v2::Message& message = decoded->message;
    parsed.text += headline(message) + "\n\n" + message_text(message);
    json = message_json(message);
    std::vector<Diagnostic> findings = std::move(decoded->findings);
    for (Diagnostic& finding : message.findings()) findings.push_back(std::move(finding));
    add_findings(std::move(findings), std::make_shared<const Source>(name, *message.received()),
                 parsed, json);
  }
  parsed.json["messages"].push_back(std::move(json));
}

// "string", "number" …
std::string_view kind_of(const tree::Node& node) {
  const std::string_view name = tree::name_of(node.kind());
  return name.substr(name.find(' ') + 1);  // without its article
}

void add_values(const tree::Node& node, ordered_json& values) {
  if (node.is_container() && node.size() > 0) {
    for (tree::Node child = node.first(); child; child = child.next()) add_values(child, values);
    return;
  }
  values.push_back({{"path", node.path().text()}, {"kind", kind_of(node)}, {"text", node.text()}});
}

Parsed parse_document(const std::string& name, std::string bytes, bool raw) {
  Parsed parsed;
  parsed.json = {{"file", name}, {"format", "JSON"}};
  const auto source = std::make_shared<const Source>(name, bytes);
  const auto document = tree::Document::parse(make_bytes(std::move(bytes)));
  if (!document) {
    add_failure(document.error(), source, parsed, parsed.json);
    return parsed;
  }
  parsed.text = document->encode(raw ? 0 : 2) + "\n";
  parsed.json["values"] = ordered_json::array();
  add_values(document->root(), parsed.json["values"]);
  add_findings(document->findings(name), source, parsed, parsed.json);
  return parsed;
}

// What holds the messages of a batch together: its segments, and what does not agree in them.
void add_envelope(const std::string& name, const std::string& bytes, bool raw, Parsed& parsed) {
  const hl7v2::BatchFile file = hl7v2::BatchFile::read(bytes);
  std::string text = fmt::format("batch of {} messages\n\n", file.message_count());
  ordered_json segments = ordered_json::array();
  const auto add = [&](std::string_view segment) {
    if (segment.empty()) return;
    segments.push_back(segment);
    text += "  " + visible(segment) + "\n";
  };
  if (file.header) add(file.header->text);
  for (const hl7v2::MessageBatch& batch : file.batches) {
    if (batch.header) add(batch.header->text);
    add(batch.trailer);
  }
  add(file.trailer);
  if (segments.empty()) return;  // messages one after the other
  ordered_json json{{"segments", std::move(segments)}};
  Parsed envelope;
  add_findings(envelope_findings(name, bytes), nullptr, envelope, json);
  parsed.json["batch"] = std::move(json);
  if (!raw) parsed.text += text + envelope.text + "\n";
}

Parsed parse_messages(const std::string& name, const std::string& bytes, bool raw) {
  Parsed parsed;
  parsed.json = {{"file", name}, {"format", "HL7 v2"}};
  if (hl7v2::is_batch(bytes)) add_envelope(name, bytes, raw, parsed);
  parsed.json["messages"] = ordered_json::array();
  const std::vector<Span> spans = messages_in(bytes);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (spans.size() > 1 && !raw) {
      parsed.text += fmt::format("{}message {} of {}: ", i > 0 ? "\n" : "", i + 1, spans.size());
    }
    const std::string message_name =
        spans.size() == 1 ? name : fmt::format("{}, message {}", name, i + 1);
    add_message(message_name, std::string_view(bytes).substr(spans[i].begin, spans[i].size()), raw,
                parsed);
  }
  return parsed;
}

// What the first bytes look like, for somebody who gave the wrong file.
std::string looks_like(std::string_view bytes) {
  const std::string_view start =
      bytes.substr(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
  if (start.empty()) return "it is empty";
  if (start.starts_with('<')) return "it looks like XML, which is not shown yet";
  if (start.starts_with("%PDF")) return "it is a PDF document";
  if (start.starts_with("PK\x03\x04")) return "it is a ZIP archive or an office document";
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) return "it is UTF-16";
  return fmt::format("it begins with `{}`",
                     visible(start.substr(0, start.find_first_of("\r\n")), 40));
}

Result<Parsed> parse_file(const std::string& file, bool raw) {
  std::string bytes = TRY(read_input(file));
  const std::string name = shown_name(file);
  if (!messages_in(bytes).empty()) return parse_messages(name, bytes, raw);
  const std::size_t first = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string::npos && (bytes[first] == '{' || bytes[first] == '[')) {
    return parse_document(name, std::move(bytes), raw);
  }
  return Error{"U131",
               fmt::format("{}: neither HL7 v2 nor JSON: {}", name, looks_like(bytes)),
               "an HL7 v2 message has a line that begins with MSH|, JSON begins with { or [",
               {}};
}

int parse(const ParseOptions& options, const Context& context) {
  ordered_json files = ordered_json::array();
  bool fine = true;
  for (const std::string& file : options.files) {
    auto parsed = parse_file(file, options.raw);
    if (!parsed) {
      fine = false;
      print_error(context, parsed.error());
      continue;
    }
    fine = fine && parsed->fine;
    files.push_back(std::move(parsed->json));
    if (context.json) continue;
    if (options.files.size() > 1 && !options.raw) {
      print(context.out, fmt::format("{}{}: ", files.size() > 1 ? "\n" : "", shown_name(file)));
    }
    print(context.out, parsed->text);
  }
  if (context.json) {
    print(context.out, ordered_json{{"files", std::move(files)}}.dump(
                           2, ' ', false, ordered_json::error_handler_t::replace) +
                           "\n");
  }
  return fine ? kFine : kFailed;
}

}  // namespace

Verb parse_verb() {
  auto options = std::make_shared<ParseOptions>();
  return {.name = "parse",
          .summary =
              "Show HL7 v2 messages and JSON documents as people read them, with the path of "
              "each value and what is odd about them.",
          .example =
              "cannula parse message.hl7\n"
              "cannula parse --raw batch.hl7 | grep ^OBX\n"
              "curl -s http://127.0.0.1:8081/fhir/Patient/1 | cannula parse -",
          .declare =
              [options](Arguments& arguments) {
                arguments.positionals("FILE", options->files,
                                      "Files with one or more messages; - is the standard input.",
                                      true);
                arguments.flag("--raw", options->raw,
                               "Encoded, a line a segment; JSON on one line.");
              },
          .run = [options](const Context& context) { return parse(*options, context); }};
}

}  // namespace cannula::cli
