#include "engine/ops/audited.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>
#include <pwd.h>
#include <spdlog/spdlog.h>

namespace cannula::ops {
namespace {

using nlohmann::json;

struct Act {
  enum class Kind {
    looks,
    changes,
    elsewhere  // done by another process, which says when it begins and how it ends (entered.h)
  };
  std::string_view verb;
  std::string_view name;
  Kind kind;
};
constexpr Act kActs[] = {
    {"show", "message.show", Act::Kind::looks},
    {"list", "message.list", Act::Kind::looks},
    {"unmapped", "table.unmapped", Act::Kind::looks},
    {"resend", "message.resend", Act::Kind::changes},
    {"discard", "message.discard", Act::Kind::changes},
    {"reload", "configuration.reload", Act::Kind::changes},
    {"audit-list", "audit.list", Act::Kind::looks},
    {"audit-export", "audit.export", Act::Kind::looks},
    {"pause", "channel.pause", Act::Kind::changes},
    {"discard_waiting", "channel.discard", Act::Kind::changes},
    {"acts", "channel.acts", Act::Kind::looks},
    {"replay", "message.replay", Act::Kind::changes},
    {"replay_cancel", "message.replay_cancel", Act::Kind::changes},
    {"edit", "message.edit", Act::Kind::changes},
    {"prune", "store.prune", Act::Kind::changes},
    {"hold", "hold.add", Act::Kind::changes},
    {"release", "hold.release", Act::Kind::changes},
    {"holds", "hold.list", Act::Kind::looks},
    {"backup", "store.backup", Act::Kind::elsewhere},
    {"restore", "store.restore", Act::Kind::elsewhere},
    {"audit_accept", "audit.accept", Act::Kind::elsewhere},
    {"key_begin", "key.begin", Act::Kind::elsewhere},
    {"key_rotate", "key.rotate", Act::Kind::elsewhere},
    {"key_drop_old", "key.drop_old", Act::Kind::elsewhere},
    {"key_shred", "key.shred", Act::Kind::elsewhere},
};
const Act* act_of(std::string_view verb) {
  const Act* known = std::find_if(std::begin(kActs), std::end(kActs),
                                  [&](const Act& one) { return one.verb == verb; });
  return known == std::end(kActs) ? nullptr : known;
}

// What a list may be asked by without naming a patient.
constexpr std::string_view kHarmless[] = {"channel",    "state",  "destination", "delivery_state",
                                          "limit",      "before", "after",       "oldest_first",
                                          "control_id", "from",   "to",          "since",
                                          "until",      "actor",  "reason"};

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// An empty text asks for nothing.
bool may_name_a_patient(const std::string& name, const json& value) {
  if (value.is_string() && value.get_ref<const std::string&>().empty()) return false;
  return std::find(std::begin(kHarmless), std::end(kHarmless), name) == std::end(kHarmless);
}

audit::Entry entry_of(const audit::Actor& who, const Act* act, const std::string& verb,
                      const json& request) {
  audit::Entry entry{.actor = who};
  entry.act = act ? std::string(act->name) : "operator." + verb;
  if (!request.is_object()) return entry;
  entry.object.message = text_of(request, "id");
  entry.object.channel = text_of(request, "channel");
  entry.object.destination = text_of(request, "destination");
  entry.reason = text_of(request, "reason");
  if (const auto delivery = request.find("delivery");
      delivery != request.end() && delivery->is_number_unsigned())
    entry.object.delivery = delivery->get<std::uint32_t>();
  for (const char* name : {"from", "to", "format", "state", "code", "place", "since", "until"}) {
    if (const std::string text = text_of(request, name); !text.empty()) entry.detail[name] = text;
  }
  if (verb == "pause") {
    const auto paused = request.find("paused");
    if (paused != request.end() && *paused == false) entry.act = "channel.resume";
    if (const auto parts = request.find("parts"); parts != request.end() && !parts->empty())
      entry.detail["parts"] = parts->dump();
  }
  if (verb == "hold" || verb == "release") {
    for (const char* name : {"mrn", "accession", "name"}) {  // that it was given, not what
      if (!text_of(request, name).empty()) entry.detail["by"] = name;
    }
    if (const std::string hold = text_of(request, "hold"); !hold.empty())
      entry.detail["hold"] = hold;
  }
  if (verb == "prune" && request.value("dry_run", false)) entry.detail["dry_run"] = "true";
  if (verb == "edit" && request.value("force", false)) entry.detail["force"] = "true";
  if (act && act->kind == Act::Kind::elsewhere) {
    entry.code = text_of(request, "code");
    for (const char* name :
         {"made", "number", "up_to", "dropped", "keys", "even_plain", "entry", "error"}) {
      if (const std::string text = text_of(request, name); !text.empty()) entry.detail[name] = text;
    }
  }
  if (verb == "list") {  // by what was searched, not for whom
    std::string by;
    for (const auto& [name, value] : request.items()) {
      if (may_name_a_patient(name, value)) by += (by.empty() ? "" : ", ") + name;
    }
    if (!by.empty()) {
      entry.act = "message.search";
      entry.detail["by"] = by;
    }
  }
  return entry;
}

// What came of an act that another process does.
audit::Outcome outcome_of(const Act* act, const json& request) {
  if (!act || act->kind != Act::Kind::elsewhere) return audit::Outcome::done;
  for (const auto outcome : {audit::Outcome::begun, audit::Outcome::failed}) {
    if (text_of(request, "outcome") == audit::name_of(outcome)) return outcome;
  }
  return audit::Outcome::done;
}

bool is_failure_of_ours(const std::string& code) {
  return code.starts_with('J');  // the store's; the others say that it may not be done
}

}  // namespace

audit::Actor person(std::uint32_t uid, const std::string& says) {
  audit::Actor actor{.kind = audit::Actor::Kind::person, .uid = uid};
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, room.data(), room.size(), &found) == 0 && found)
    actor.name = found->pw_name;
  if (says != actor.name) actor.says = says;
  return actor;
}

bool is_done_elsewhere(const std::string& verb) {
  const Act* act = act_of(verb);
  return act && act->kind == Act::Kind::elsewhere;
}

bool is_audited(const std::string& verb) {
  constexpr std::string_view kCounts[] = {"status", "causes", "replays", "store", "pruning"};
  return std::find(std::begin(kCounts), std::end(kCounts), verb) == std::end(kCounts);
}

Result<json> audited(audit::Log* log, const audit::Actor& who, const std::string& verb,
                     const json& request, const std::function<Result<json>()>& act) {
  if (!is_audited(verb)) return act();
  if (!log) return Error{"A101", "there is no audit trail to enter this into", "start the engine"};
  const Act* known = act_of(verb);
  audit::Entry entry = entry_of(who, known, verb, request);
  const bool changes = !known || known->kind == Act::Kind::changes;
  if (changes) {
    entry.outcome = audit::Outcome::begun;
    entry.detail["entry"] = "the end follows";
    const std::uint64_t number = TRY(log->append(entry));
    entry.detail["entry"] = "the end of " + std::to_string(number);
  }
  Result<json> answer = act();
  entry.outcome = outcome_of(known, request);
  if (!answer) {
    entry.code = answer.error().code;
    if (entry.reason.empty()) entry.reason = answer.error().message;
    entry.outcome =
        is_failure_of_ours(entry.code) ? audit::Outcome::failed : audit::Outcome::refused;
  }
  const auto written = log->append(std::move(entry));
  if (!written && !changes) return written.error();
  if (written && answer && is_done_elsewhere(verb)) (*answer)["entry"] = *written;
  if (!written)
    spdlog::error("audit: the end of an act is not in the trail: {}", written.error().text());
  return answer;
}

}  // namespace cannula::ops
