// rules.evaluate and the Verdict it gives.
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/script/document_objects.h"
#include "engine/script/lua_api.h"
#include "engine/script/lua_runtime.h"
#include "engine/script/objects.h"
#include "engine/script/places.h"
#include "engine/script/registry.h"
#include "engine/script/rules_objects.h"
#include "engine/script/trace.h"
#include "rules/facts/facts.h"

namespace cannula::script {

namespace {

using rules::Finding;
using rules::Verdict;

constexpr std::size_t kLongestSummary = 140;  // characters of a card, by CDS Hooks 2.0

// About what the facts keep of an observation beside the fixed part, and how long a finding takes.
constexpr std::size_t kTextsOfObservation = 512;
constexpr std::size_t kWorkOfFinding = 100;

std::size_t size_of(const Finding& finding) {
  std::size_t size = sizeof(Finding) + finding.rule.size() + finding.source.size() +
                     finding.place.size() + finding.text.size() + finding.route.size();
  for (const std::string& line : finding.because) size += sizeof(std::string) + line.size();
  return size;
}

struct VerdictObject : Object {
  const Verdict* verdict;  // the session's
};

const rules::RuleSet& set_argument(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING) {
    throw ScriptError("L233",
                      std::string("rules.evaluate takes the name of a rule set first, not a ") +
                          luaL_typename(L, 1));
  }
  const auto& known = LuaRuntime::of(L).session().resources->rule_sets;
  const auto found = known.find(view_at(L, 1));
  if (found != known.end()) return *found->second;
  std::vector<std::string_view> names;
  names.reserve(known.size());
  for (const auto& [name, set] : known) names.push_back(name);
  const std::string wanted(view_at(L, 1).substr(0, 60));
  throw ScriptError("L233", "there is no rule set '" + wanted + "'" + did_you_mean(wanted, names) +
                                ": rule sets are the files rules/NAME.rules of the site");
}

int evaluate(lua_State* L) {
  const rules::RuleSet& set = set_argument(L);
  LuaRuntime& runtime = LuaRuntime::of(L);
  Session& session = runtime.session();
  MessageBox& box = *checked_object<MessageObject>(L, 2, Object::Kind::message).box;
  const hl7v2::Message& message = box.read();
  runtime.machine().work(L, message.segment_count() * 16);
  // A message chooses how many observations and findings there are: they are paid for first, and as
  // they are made.
  const std::size_t facts_size =
      message.count("OBX") * (sizeof(facts::Observation) + kTextsOfObservation);
  charge(L, session, facts_size);
  const facts::Case facts = facts::from_hl7v2(message, runtime.program().timezone);
  charge(L, session, sizeof(Verdict));
  const Verdict& verdict =
      session.verdicts.emplace_back(set.evaluate(facts, session.now, [&](const Finding& finding) {
        runtime.machine().work(L, kWorkOfFinding);
        charge(L, session, size_of(finding));
      }));
  runtime.machine().memory().refund(facts_size);
  session.charged -= facts_size;
  add_trace(L, ",\"rules\":" + verdict.trace_json() + "}");
  static_cast<VerdictObject*>(
      new_object(L, Object::Kind::verdict, sizeof(VerdictObject), session.serial))
      ->verdict = &verdict;
  return 1;
}

const Verdict& self(lua_State* L) {
  return *checked_object<VerdictObject>(L, 1, Object::Kind::verdict).verdict;
}

void set_text(lua_State* L, const char* name, std::string_view text) {
  if (text.empty()) return;
  push(L, text);
  lua_setfield(L, -2, name);
}

void push_finding(lua_State* L, const Finding& finding) {
  lua_createtable(L, 0, 10);
  set_text(L, "rule", finding.rule);
  lua_pushinteger(L, finding.version);
  lua_setfield(L, -2, "version");
  if (finding.state == Finding::State::fired) set_text(L, "urgency", name_of(finding.urgency));
  set_text(L, "text", finding.text);
  set_text(L, "route", finding.route);
  set_text(L, "place", finding.place);
  set_text(L, "source", finding.source);
  if (finding.acknowledge_within.count() > 0) {
    lua_pushinteger(L, finding.acknowledge_within.count());
    lua_setfield(L, -2, "acknowledge_within");
  }
  lua_pushboolean(L, finding.hold);
  lua_setfield(L, -2, "hold");
  lua_createtable(L, static_cast<int>(finding.because.size()), 0);
  for (std::size_t at = 0; at < finding.because.size(); ++at) {
    push(L, finding.because[at]);
    lua_rawseti(L, -2, static_cast<lua_Integer>(at) + 1);
  }
  lua_setfield(L, -2, "because");
}

void push_findings(lua_State* L, const Verdict& verdict, Finding::State state) {
  lua_newtable(L);
  lua_Integer at = 0;
  for (const Finding& finding : verdict.findings) {
    if (finding.state != state) continue;
    push_finding(L, finding);
    lua_rawseti(L, -2, ++at);
  }
}

std::string shown(const Finding& finding) {
  if (!finding.text.empty()) return finding.text;
  return finding.rule + " could not tell";
}

// At most so many characters, never cut within one.
std::string shortened(std::string text) {
  std::size_t characters = 0, at = 0;
  while (at < text.size() && characters < kLongestSummary - 1) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    ++characters;
  }
  if (at < text.size()) text = text.substr(0, at) + "…";
  return text;
}

nlohmann::ordered_json card_of(const Verdict& verdict, const Finding& finding) {
  std::string detail;
  for (const std::string& line : finding.because) detail += "- " + line + "\n";
  if (finding.acknowledge_within.count() > 0) {
    detail += "- to be acknowledged within " + std::to_string(finding.acknowledge_within.count()) +
              " minutes\n";
  }
  const bool fired = finding.state == Finding::State::fired;
  nlohmann::ordered_json card;
  card["summary"] = shortened(shown(finding));
  card["indicator"] = fired ? name_of(finding.urgency) : name_of(rules::Urgency::warning);
  card["detail"] = detail;
  card["source"] = {{"label", finding.source.empty() ? verdict.rules : finding.source}};
  card["extension"] = {{"rule", finding.rule},
                       {"version", finding.version},
                       {"state", fired ? "fired" : "could not tell"},
                       {"place", finding.place}};
  if (!finding.route.empty()) card["extension"]["route"] = finding.route;
  return card;
}

int card(lua_State* L) {
  const Verdict& verdict = self(L);
  nlohmann::ordered_json cards = nlohmann::ordered_json::array();
  for (const Finding& finding : verdict.findings) {
    const bool unsure = finding.state == Finding::State::could_not_tell && finding.hold;
    if (finding.state == Finding::State::fired || unsure)
      cards.push_back(card_of(verdict, finding));
  }
  nlohmann::ordered_json all;
  all["cards"] = std::move(cards);
  // What is not UTF-8 cannot be in JSON.
  Session& session = LuaRuntime::of(L).session();
  const std::string text = all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  charge(L, session, text.size());
  push_document(L, session,
                session.documents.emplace_back(make_bytes(text), DocumentBox::From::script,
                                               Machine::of(L).limits().memory));
  return 1;
}

int explain(lua_State* L) {
  const Verdict& verdict = self(L);
  std::string text;
  for (const Finding& finding : verdict.findings) {
    const char* state = finding.state == Finding::State::fired       ? "fired"
                        : finding.state == Finding::State::not_fired ? "not fired"
                                                                     : "could not tell";
    text += finding.rule + " version " + std::to_string(finding.version) + ": " + state;
    if (!finding.place.empty()) text += " on " + finding.place;
    text += '\n';
    for (const std::string& line : finding.because) text += "  " + line + "\n";
  }
  push(L, text);
  return 1;
}

constexpr Binding kMembers[] = {
    {"critical", "boolean", "A rule of urgency critical fired."},
    {"doubtful", "boolean", "A rule could not tell and holds the message for review."},
    {"urgency", "string?", "The highest that fired: `\"critical\"`, `\"warning\"` or `\"info\"`."},
    {"fired", "Finding[]",
     "The rules that fired, each `{rule, version, urgency, text, route, acknowledge_within, place, "
     "source, because}`; `acknowledge_within` in minutes: `for _, finding in ipairs(verdict.fired) "
     "do send(finding.route, json.encode(finding)) end`."},
    {"unsure", "Finding[]", "The rules that could not tell, and `hold` where one wants a review."},
    {"card", "(): Document",
     "What fired or holds, as a CDS Hooks answer `{\"cards\": […]}`, for a review destination.",
     &guarded<card>},
    {"explain", "(): string", "Each rule with its steps, values and units.", &guarded<explain>},
};

int index_verdict(lua_State* L) {
  const Verdict& verdict = self(L);
  const std::string_view name = lua_type(L, 2) == LUA_TSTRING ? view_at(L, 2) : "";
  const auto member = find_member(kMembers, name);
  if (!member) unknown_member("Verdict", kMembers, name);
  if (const lua_CFunction function = kMembers[*member].function) {
    lua_pushcfunction(L, function);
  } else if (name == "critical") {
    lua_pushboolean(L, verdict.critical());
  } else if (name == "doubtful") {
    lua_pushboolean(L, verdict.doubtful());
  } else if (name == "fired") {
    push_findings(L, verdict, Finding::State::fired);
  } else if (name == "unsure") {
    push_findings(L, verdict, Finding::State::could_not_tell);
  } else if (const auto urgency = verdict.urgency()) {
    push(L, name_of(*urgency));
  } else {
    lua_pushnil(L);
  }
  return 1;
}

int refuse_write(lua_State*) {
  throw ScriptError("L233", "a verdict cannot be written");
}

constexpr Binding kBindings[] = {
    {"evaluate", "(set: string, msg: Message): Verdict",
     "Evaluates the rules of `rules/NAME.rules` on the message as it is now, edits included, so "
     "that codes are translated first: `local verdict = rules.evaluate(\"critical-labs\", msg)`. "
     "The trace keeps what each rule said and why.",
     &guarded<evaluate>},
};

}  // namespace

void open_verdict(lua_State* L) {
  open_object(L, Object::Kind::verdict, &guarded<index_verdict>, &guarded<refuse_write>, nullptr);
}

Library rules_library() {
  return {"rules", Library::Kind::table, "Decision-support rules, written by clinical staff.",
          kBindings};
}

Library verdict_object() {
  return {"Verdict", Library::Kind::object, "What the rules of a set said of a message.", kMembers};
}

}  // namespace cannula::script
