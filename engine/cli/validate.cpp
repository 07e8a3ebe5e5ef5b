#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/finding_json.h"
#include "engine/cli/input_file.h"
#include "engine/cli/verb.h"
#include "parsers/hl7v2/encoding.h"
#include "parsers/hl7v2/validation/profile.h"
#include "parsers/hl7v2/validation/site_segments.h"
#include "parsers/hl7v2/validation/validation.h"

namespace cannula::cli {
namespace {

using nlohmann::ordered_json;

struct ValidateOptions {
  std::vector<std::string> files;
  std::string profile;
  std::vector<std::string> segments;
  std::string version;
  bool notes = false;
};

struct Counts {
  std::size_t messages = 0;
  std::size_t errors = 0;
  std::size_t warnings = 0;
  std::size_t notes = 0;

  void add(Severity severity) {
    ++(severity == Severity::error ? errors : severity == Severity::warning ? warnings : notes);
  }
};

class Validation {
 public:
  Validation(const ValidateOptions& options, const Context& context)
      : options_(options), context_(context) {}

  int run() {
    if (const int code = read_rules(); code != kFine) return code;
    for (const std::string& file : options_.files) {
      const auto bytes = read_input(file);
      if (!bytes) {
        fine_ = false;
        print_error(context_, bytes.error());
        continue;
      }
      validate_file(file == "-" ? "standard input" : file, *bytes);
    }
    finish();
    return fine_ && counts_.errors == 0 ? kFine : kFailed;
  }

 private:
  int read_rules() {
    if (!options_.version.empty()) {
      rules_.version = hl7v2::version_of(options_.version);
      if (!rules_.version) {
        print_error(context_, Error{"U132",
                                    fmt::format("no version `{}`", options_.version),
                                    "versions are 2.1 to 2.8",
                                    {}});
        return kUsage;
      }
    }
    std::vector<Diagnostic> findings;
    for (const std::string& file : options_.segments) {
      auto text = read_input(file);
      if (!text) return print_error(context_, text.error()), kUsage;
      segments_.read(std::make_shared<const Source>(file, std::move(*text)), findings);
    }
    if (!options_.profile.empty()) {
      auto text = read_input(options_.profile);
      if (!text) {
        text.error().hint =
            "give the file: what channel.toml calls \"lab\" is hl7/lab.profile of the site";
        return print_error(context_, text.error()), kUsage;
      }
      profile_ = hl7v2::Profile::read(
          std::make_shared<const Source>(options_.profile, std::move(*text)), findings);
      rules_.profiles = {&*profile_};
    }
    rules_.site_segments = &segments_;
    print(context_.err, render(findings));
    return has_errors(findings) ? kUsage : kFine;
  }

  void validate_file(const std::string& name, const std::string& bytes) {
    const std::vector<Span> spans = messages_in(bytes);
    if (spans.empty()) {
      fine_ = false;
      print_error(context_, Error{"U131",
                                  fmt::format("{}: no HL7 v2 message in it", name),
                                  "a message has a line that begins with MSH|",
                                  {}});
    }
    validate_envelope(name, bytes);
    for (std::size_t at = 0; at < spans.size(); ++at) {
      const std::string message_name =
          spans.size() == 1 ? name : fmt::format("{}, message {}", name, at + 1);
      validate_message(message_name, bytes.substr(spans[at].begin, spans[at].size()));
    }
  }

  void validate_envelope(const std::string& name, const std::string& bytes) {
    ordered_json list = ordered_json::array();
    for (const Diagnostic& finding : envelope_findings(name, bytes)) {
      counts_.add(finding.severity);
      list.push_back(finding_json(finding));
      if (!context_.json) print(context_.out, render(finding));
    }
    if (!list.empty()) messages_.push_back({{"message", name}, {"findings", std::move(list)}});
  }

  // By its text in UTF-8, whatever it is sent in: so places and lengths count characters.
  void validate_message(const std::string& name, std::string bytes) {
    const auto decoded = hl7v2::decode(make_bytes(std::string(bytes)));
    const hl7v2::Message* const message = decoded ? &decoded->message : nullptr;
    const auto source = std::make_shared<const Source>(
        name, message != nullptr ? *message->received() : std::move(bytes));
    ++counts_.messages;
    ordered_json list = ordered_json::array();
    const auto add = [&](Diagnostic diagnostic, const std::string& group_path) {
      counts_.add(diagnostic.severity);
      if (diagnostic.severity == Severity::note && !options_.notes) return;
      diagnostic.source = source;
      list.push_back(finding_json(diagnostic));
      list.back()["group_path"] = group_path;
      if (!context_.json) print(context_.out, render(diagnostic));
    };
    if (!decoded) {
      const Error& error = decoded.error();
      add({Severity::error, error.code, error.message, source, error.span, error.hint, {}}, {});
    } else {
      for (const hl7v2::Finding& each : hl7v2::validate(*message, rules_)) {
        Diagnostic diagnostic = diagnostic_of(each, *message);
        add(std::move(diagnostic), each.group_path);
      }
    }
    messages_.push_back({{"message", name}, {"findings", std::move(list)}});
  }

  void finish() {
    if (context_.json) {
      const ordered_json json = {{"messages", std::move(messages_)},
                                 {"errors", counts_.errors},
                                 {"warnings", counts_.warnings},
                                 {"notes", counts_.notes}};
      print(context_.out, json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
      return;
    }
    const auto counted = [](std::size_t count, std::string_view what) {
      return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
    };
    print(context_.out,
          fmt::format("{}: {}, {}, {}{}\n", counted(counts_.messages, "message"),
                      counted(counts_.errors, "error"), counted(counts_.warnings, "warning"),
                      counted(counts_.notes, "note"),
                      counts_.notes > 0 && !options_.notes ? " (shown with --notes)" : ""));
  }

  const ValidateOptions& options_;
  const Context& context_;
  hl7v2::ValidationRules rules_;
  hl7v2::SiteSegments segments_;
  std::optional<hl7v2::Profile> profile_;
  Counts counts_;
  ordered_json messages_ = ordered_json::array();
  bool fine_ = true;
};

}  // namespace

Verb validate_verb() {
  auto options = std::make_shared<ValidateOptions>();
  return {.name = "validate",
          .summary =
              "Look for everything in HL7 v2 messages that the standard or a profile does not "
              "allow. Exit code 1 when there are errors.",
          .example =
              "cannula validate message.hl7\n"
              "cannula validate feed.hl7 --profile hl7/lab.profile --notes\n"
              "cannula validate old.hl7 --version 2.3",
          .declare =
              [options](Arguments& arguments) {
                arguments.positionals("FILE", options->files,
                                      "Files with one or more messages; - is the standard input.",
                                      true);
                arguments.text("--profile", "FILE", options->profile,
                               "What the site expects beyond the standard.");
                arguments.texts("--segments", "FILE", options->segments,
                                "Definitions of the site's Z segments.");
                arguments.text("--version", "VERSION", options->version,
                               "Go by this version in place of the one in MSH-12.");
                arguments.flag("--notes", options->notes,
                               "Show notes too: what is allowed and worth knowing.");
              },
          .run = [options](const Context& context) { return Validation(*options, context).run(); }};
}

}  // namespace cannula::cli
