// `cannula audit`: verify, list and export the trail of who did what.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/finding_json.h"
#include "engine/cli/operated_site.h"
#include "engine/cli/time_range.h"
#include "engine/cli/verb.h"
#include "engine/ops/control.h"
#include "engine/ops/entered.h"
#include "engine/pipeline/audit_trail.h"
#include "engine/security/audit/reader.h"
#include "engine/security/audit/verify.h"
#include "engine/security/secrets.h"
#include "engine/store/journal.h"
#include "engine/store/store_files.h"
#include "parsers/text/terminal_text.h"

namespace cannula::cli {
namespace {

using nlohmann::ordered_json;

struct VerifyArguments {
  std::string site;
  std::vector<std::string> old_keys, anchors;
};

Result<std::string> key_named(const std::string& reference) {
  SecretReference secret;
  if (reference.starts_with("env:")) {
    secret = {SecretReference::Kind::environment, reference.substr(4)};
  } else if (reference.starts_with("file:")) {
    secret = {SecretReference::Kind::file, reference.substr(5)};
  } else {
    return Error{"A110", "--old-key is not where a key is", "write env:NAME or file:PATH"};
  }
  return TRY(security::read_secret(secret)).text;
}

Result<audit::Head> anchor_given(const std::string& text) {
  if (const auto head = audit::anchor_of(text)) return *head;
  return Error{"A110", fmt::format("`{}` is not an anchor", text),
               "write NUMBER:SEAL, as the engine's log says \"the trail stands at …\""};
}

Result<audit::JournalEnd> journal_end(const config::Site& site) {
  if (const auto answer = TRY(ops::ask_engine(site, "store", nlohmann::json::object()))) {
    return audit::JournalEnd{.store = answer->at("identity").get<std::string>(),
                             .end = answer->at("journal").at("end").get<std::uint64_t>(),
                             .keys = pipeline::keys_of_store(site)};
  }
  store::Recovery found;
  const auto journal =
      TRY(store::Journal::open_to_read(store::journal_directory(site.store.directory),
                                       store::FileSystem::real(), store::Position{0}, found));
  return audit::JournalEnd{.store = store::identity_text(journal->identity()),
                           .end = journal->end(),
                           .keys = pipeline::keys_of_store(site)};
}

Result<audit::Verdict> verdict_of(const config::Site& site, const VerifyArguments& arguments) {
  audit::VerifyOptions options;
  options.directory = pipeline::audit_directory(site);
  if (site.audit.key) options.key = TRY(security::read_secret(*site.audit.key)).text;
  for (const std::string& key : arguments.old_keys) options.old_keys.push_back(TRY(key_named(key)));
  for (const std::string& text : arguments.anchors)
    options.anchors.push_back(TRY(anchor_given(text)));
  options.journal = [&site] { return journal_end(site); };
  options.has_records = [&site] { return pipeline::has_records(site); };
  return audit::verify(options);
}

int verify(const VerifyArguments& arguments, const Context& context) {
  const auto site = OperatedSite::open(arguments.site, context);
  if (!site) return kUsage;
  const auto known = site->needs_store();
  const auto verdict =
      known ? verdict_of(site->site(), arguments) : Result<audit::Verdict>(known.error());
  if (!verdict) return site->fail(verdict.error());
  if (context.json) {
    ordered_json answer{{"sound", verdict->sound()},
                        {"entries", verdict->entries},
                        {"stands_at", audit::anchor_text(verdict->head)},
                        {"findings", ordered_json::array()}};
    for (const Diagnostic& one : verdict->findings) answer["findings"].push_back(finding_json(one));
    print(context.out, answer.dump() + "\n");
  } else {
    print(context.err, render(verdict->findings));
    print(context.out,
          verdict->sound()
              ? fmt::format("{} entries, as they were written; the trail stands at {}\n",
                            verdict->entries, audit::anchor_text(verdict->head))
              : "the audit trail is not as it was written\n");
  }
  return verdict->sound() ? kFine : kFailed;
}

struct AcceptArguments {
  VerifyArguments verify;
  std::string reason;
};

// What stays is what verify() finds all the same.
int accept(const AcceptArguments& arguments, const Context& context) {
  const auto operated = OperatedSite::open(arguments.verify.site, context);
  if (!operated) return kUsage;
  const config::Site& site = operated->site();
  const auto accepted = [&]() -> Result<audit::Verdict> {
    TRY(operated->needs_store());
    const audit::Verdict found = TRY(verdict_of(site, arguments.verify));
    TRY(ops::enter(site, "audit_accept",
                   {{"actor", acting_user()},
                    {"reason", arguments.reason},
                    {"outcome", "done"},
                    {"up_to", audit::anchor_text(found.head)}}));
    audit::Verdict left = TRY(verdict_of(site, arguments.verify));
    left.head = found.head;
    return left;
  }();
  if (!accepted) return operated->fail(accepted.error());
  const std::string anchor = audit::anchor_text(accepted->head);
  if (context.json) {
    ordered_json answer{{"accepted", anchor}, {"sound", accepted->sound()}};
    print(context.out, answer.dump() + "\n");
  } else {
    print(context.err, render(accepted->findings));
    print(context.out,
          fmt::format("the trail is accepted as it stands at {}{}\n", anchor,
                      accepted->sound() ? "" : "; what is above as an error stays one"));
  }
  return accepted->sound() ? kFine : kFailed;
}

struct ReadArguments {
  std::string site, format = "jsonl";
  std::int64_t limit = 0;
  TimeRange when;
  audit::Filter filter;
};

void declare_filter(Arguments& arguments, const std::shared_ptr<ReadArguments>& into) {
  audit::Filter& filter = into->filter;
  arguments.positional("SITE", into->site, "The site's folder.");
  into->when.declare(arguments, "what was done");
  arguments.text("--actor", "NAME", filter.actor,
                 "Only by this one: a name, \"uid 1000\", engine, person or partner.");
  arguments.text("--act", "ACT", filter.act,
                 "Only this act; \"message.\" stands for all of these.");
  arguments.text("--message", "ID", filter.message, "Only about this message.");
  arguments.text("--channel", "NAME", filter.channel, "Only about this channel.");
  arguments.text("--outcome", "OUTCOME", filter.outcome,
                 "Only with this outcome: begun, done, refused or failed.");
}

std::string part(const ordered_json& entry, const char* object, const char* name) {
  const auto found = entry.find(object);
  if (found == entry.end() || !found->is_object()) return {};
  const auto value = found->find(name);
  if (value == found->end()) return {};
  return value->is_string() ? value->get<std::string>() : value->dump();
}

std::string row_of(const ordered_json& entry) {
  std::string who = part(entry, "actor", "name");
  if (who.empty()) who = part(entry, "actor", "kind");
  if (const std::string says = part(entry, "actor", "says"); !says.empty())
    who += " (" + says + ")";
  if (const auto address = part(entry, "actor", "address"); !address.empty()) who += " " + address;
  std::string what;
  for (const char* name : {"message", "delivery", "channel", "destination", "file", "key"}) {
    if (const std::string text = part(entry, "object", name); !text.empty())
      what += (what.empty() ? "" : " ") + std::string(name) + " " + text;
  }
  std::string why = entry.value("code", std::string());
  if (const auto reason = entry.value("reason", std::string()); !reason.empty())
    why += (why.empty() ? "" : " ") + reason;
  if (const auto files = part(entry, "detail", "files"); !files.empty())
    why += (why.empty() ? "" : " ") + files;
  if (const auto total = part(entry, "detail", "total"); !total.empty()) {
    why += fmt::format("{}({} of {}, {})", why.empty() ? "" : " ", part(entry, "detail", "done"),
                       total, part(entry, "detail", "state"));
  }
  return fmt::format("{:>6}  {}  {}  {}  {}  {}  {}\n", entry["seq"].dump(),
                     entry.value("at", std::string()), visible(who),
                     entry.value("act", std::string()), visible(what),
                     entry.value("outcome", std::string()), visible(why));
}

// The question is entered first: who reads the trail stands in it too.
int read(ReadArguments& arguments, bool exports, const Context& context) {
  nlohmann::json question = nlohmann::json::object();
  const auto between = arguments.when.bounds(context);
  if (!between || !arguments.when.put_into(question, context)) return kUsage;
  arguments.filter.since = between->since;
  arguments.filter.until = between->until;
  const auto operated = OperatedSite::open(arguments.site, context);
  if (!operated) return kUsage;
  const config::Site& site = operated->site();
  if (exports) question["format"] = arguments.format;
  const auto entered = operated->ask(exports ? "audit-export" : "audit-list", question);
  if (!entered) return operated->fail(entered.error());
  const std::string name = site.root.filename().string();
  std::int64_t left = arguments.limit > 0 ? arguments.limit : -1;
  const auto done =
      audit::each_entry(pipeline::audit_directory(site), arguments.filter,
                        [&](const std::string& line, const ordered_json& entry) {
                          const bool raw = exports ? arguments.format == "jsonl" : context.json;
                          print(context.out, raw       ? line + "\n"
                                             : exports ? audit::audit_event(entry, name) + "\n"
                                                       : row_of(entry));
                          return left < 0 || --left > 0;
                        });
  if (done) return kFine;
  print_error(context, done.error());
  return kFailed;
}

}  // namespace

Verb audit_verify_verb() {
  auto options = std::make_shared<VerifyArguments>();
  return {.name = "audit verify",
          .summary = "Say whether the audit trail is as it was written, and where it is not.",
          .example = "cannula audit verify my-site",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("SITE", options->site, "The site's folder.");
                arguments.texts("--old-key", "env:NAME|file:PATH", options->old_keys,
                                "A key that sealed entries before the one the site has now.");
                arguments.texts("--anchor", "NUMBER:SEAL", options->anchors,
                                "Where the engine's log says that the trail stood.");
              },
          .run = [options](const Context& context) { return verify(*options, context); }};
}

Verb audit_accept_verb() {
  auto options = std::make_shared<AcceptArguments>();
  return {.name = "audit accept",
          .summary =
              "Stand for the audit trail as it is now: for entries without a key, and where it was "
              "not as it had been left. What was changed or is missing stays an error.",
          .example = "cannula audit accept my-site --reason \"the key was set today\"",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("SITE", options->verify.site, "The site's folder.");
                arguments.required_text("--reason", "TEXT", options->reason,
                                        "Why; kept in the trail.");
                arguments.texts("--old-key", "env:NAME|file:PATH", options->verify.old_keys,
                                "A key that sealed entries before the one the site has now.");
              },
          .run = [options](const Context& context) { return accept(*options, context); }};
}

Verb audit_list_verb() {
  auto options = std::make_shared<ReadArguments>();
  return {.name = "audit list",
          .summary = "Show who did what, the oldest first.",
          .example = "cannula audit list my-site --since 2026-11-01 --actor anna --act message.",
          .declare =
              [options](Arguments& arguments) {
                declare_filter(arguments, options);
                arguments.number("--limit", "N", options->limit, 0, 1'000'000'000,
                                 "At most so many; 0: all.");
              },
          .run = [options](const Context& context) { return read(*options, false, context); }};
}

Verb audit_export_verb() {
  auto options = std::make_shared<ReadArguments>();
  return {.name = "audit export",
          .summary = "Print the audit trail for other systems, an entry a line.",
          .example = "cannula audit export my-site --since 2026-11-01 --format fhir",
          .declare =
              [options](Arguments& arguments) {
                declare_filter(arguments, options);
                arguments.choice("--format", options->format, {"jsonl", "fhir"},
                                 "The lines as they are, or FHIR R4 AuditEvents.");
              },
          .run = [options](const Context& context) { return read(*options, true, context); }};
}

}  // namespace cannula::cli
