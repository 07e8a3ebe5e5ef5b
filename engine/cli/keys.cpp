// The keys that a site's store is sealed with.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/acting_user.h"
#include "engine/cli/operated_site.h"
#include "engine/cli/verb.h"
#include "engine/ops/entered.h"
#include "engine/pipeline/audit_trail.h"
#include "engine/pipeline/holds.h"
#include "engine/security/site_keys.h"
#include "engine/store/shred.h"

namespace cannula::cli {
namespace {

using nlohmann::json;
using security::KeyRing;

// Does something with the keys of a site; the answer as JSON or as `as_text` makes it.
int with_site(const std::string& path, const Context& context,
              const std::function<Result<json>(const config::Site&)>& act,
              const std::function<std::string(const json&)>& as_text) {
  const auto operated = OperatedSite::open(path, context);
  if (!operated) return kUsage;
  const auto known = operated->needs_store();
  const auto answer = known ? act(operated->site()) : Result<json>(known.error());
  if (!answer) return operated->fail(answer.error());
  print(context.out, context.json ? answer->dump() + "\n" : as_text(*answer));
  return kFine;
}

std::string text_of(const json& object, const char* name) {
  return object.value(name, std::string());
}

// The same for what changes the keys, entered into the audit trail as `verb` with what `request`
// says.
int change_keys(const std::string& path, const Context& context, const std::string& verb,
                json request, const std::function<Result<json>(const config::Site&)>& act,
                const std::function<std::string(const json&)>& as_text) {
  request["actor"] = acting_user();
  const auto with_entries = [&](const config::Site& site) -> Result<json> {
    json answer = TRY(ops::entered(site, verb, request, [&] { return act(site); }));
    if (answer.contains("audit_trouble")) {
      print(context.err, "warning: the end of this act is not in the audit trail: " +
                             text_of(answer, "audit_trouble") + "\n");
    }
    return answer;
  };
  return with_site(path, context, with_entries, as_text);
}

Result<json> list(const config::Site& site) {
  const KeyRing::Place place = security::place_of_keys(site);
  const security::RingFile ring = TRY(KeyRing::file(place.directory));
  json answer{{"ring", security::ring_text(ring.id)},
              {"master", ring.secret.master},
              {"master_place", place.master.place},
              {"keys", json::array()},
              {"shredded", json::array()}};
  for (const security::WrappedKey& key : ring.keys) {
    answer["keys"].push_back({{"key", security::number_text(key.number)},
                              {"channel", key.channel},
                              {"made", key.made},
                              {"master", key.master}});
  }
  for (const security::ShreddedKey& key : ring.shredded) {
    answer["shredded"].push_back({{"key", security::number_text(key.number)},
                                  {"channel", key.channel},
                                  {"at", key.shredded},
                                  {"by", key.actor},
                                  {"reason", key.reason}});
  }
  answer["master_holds"] = json::array();
  for (const auto& master : TRY(security::read_master_keys(place.master, ring.masters()))) {
    answer["master_holds"].push_back(master->id());
  }
  return answer;
}

std::string list_text(const json& answer) {
  std::string ids;
  for (const json& id : answer["master_holds"]) ids += " " + id.get<std::string>();
  std::string text = fmt::format("master key {}; {} holds{}\n", text_of(answer, "master"),
                                 text_of(answer, "master_place"), ids);
  for (const json& key : answer["keys"]) {
    text += fmt::format("{}  {:<24} made {}  master {}\n", text_of(key, "key"),
                        text_of(key, "channel"), text_of(key, "made"), text_of(key, "master"));
  }
  for (const json& key : answer["shredded"]) {
    text += fmt::format("{}  {:<24} shredded {} by {}: {}\n", text_of(key, "key"),
                        text_of(key, "channel"), text_of(key, "at"), text_of(key, "by"),
                        text_of(key, "reason"));
  }
  return text;
}

// With a source that cannula can write a new key is made, unless an interrupted rotation has left
// one; with the environment or a token somebody has put it there.
Result<json> rotate(const config::Site& site) {
  const KeyRing::Place place = security::place_of_keys(site);
  const security::RingFile ring = TRY(KeyRing::file(place.directory));
  const std::set<std::string> around = ring.masters();
  const bool settled =
      around == std::set{TRY(security::read_master_keys(place.master, around)).front()->id()};
  const KeyRing::Rotated rotated = TRY(KeyRing::rotate(place, settled));
  return json{{"from", rotated.from},
              {"to", rotated.to},
              {"wrapped", rotated.keys},
              {"master_place", place.master.place},
              {"beside", place.master.former.empty()}};
}

// Who takes the file of keys away can have the plain journal written as well: a trail that tells of
// keys speaks against it.
Result<void> never_had_keys(const config::Site& site) {
  const auto told =
      TRY(audit::last_journal_end(pipeline::audit_directory(site), store::FileSystem::real()));
  if (!told || told->keys.empty()) return {};
  return Error{"K105",
               fmt::format("the audit trail tells that the store is sealed with the keys {}, and "
                           "the file `keys` is not there",
                           told->keys),
               "put the file back from a backup of this store, with the journal if that was "
               "changed; nothing was changed"};
}

Result<json> begin(const config::Site& site) {
  store::Options options;
  options.directory = site.store.directory;
  options.segment_size = site.store.segment_size;
  options.keys = TRY(security::open_site_keys(site));
  if (!options.keys->is_new()) {
    return Error{"K119", fmt::format("{} has keys already", site.store.directory.string()),
                 "`cannula keys list` shows them"};
  }
  TRY(never_had_keys(site));
  options.believe_plain = true;
  const auto store = TRY(store::Store::open(options));
  const std::string end = std::to_string(store->end());
  store->close();
  return json{{"keys", security::ring_text(options.keys->id())}, {"up_to", end}};
}

// P335 when a legal hold covers a message of the channel.
Result<void> nothing_is_held(const store::Options& options, const std::string& channel) {
  const auto holds = TRY(pipeline::Holds::open(options.directory));
  if (holds->all().empty()) return {};
  const auto store = TRY(store::Store::open(options));
  store->catch_up();
  const auto found = holds->covering_in(*store, channel);
  store->close();
  const std::string held = TRY(Result<std::string>(found));
  if (held.empty()) return {};
  return Error{
      "P335", fmt::format("hold {} covers messages of channel {}", held, channel),
      "`cannula store holds` says who asked for it and why; `cannula store release` ends it"};
}

std::string rotate_text(const json& answer) {
  return fmt::format(
      "{} keys are wrapped by master key {} now ({})\n"
      "backups made under the one before need {}, {}\n",
      answer.value("wrapped", 0), text_of(answer, "to"), text_of(answer, "master_place"),
      text_of(answer, "from"),
      answer.value("beside", true)
          ? "which still stands behind it there; `cannula keys drop-old` takes it out"
          : "so keep it with them; `former` under [keys] can go");
}

}  // namespace

Verb keys_list_verb() {
  auto site = std::make_shared<std::string>();
  return {
      .name = "keys list",
      .summary = "List the keys of a site's store by number, never the keys themselves.",
      .example = "cannula keys list my-site",
      .declare =
          [site](Arguments& arguments) {
            arguments.positional("SITE", *site, "The site's folder.");
          },
      .run = [site](const Context& context) { return with_site(*site, context, list, list_text); }};
}

Verb keys_begin_verb() {
  struct Options {
    std::string site, reason;
  };
  auto options = std::make_shared<Options>();
  const auto as_text = [](const json& answer) {
    return fmt::format(
        "the store has keys now; what it had before, up to position {}, is believed and stays "
        "plain; what comes is sealed\n",
        text_of(answer, "up_to"));
  };
  return {
      .name = "keys begin",
      .summary = "Give keys to a store from before stores were sealed, and believe what is in it.",
      .example = "cannula keys begin my-site --reason \"upgrade from the version of 2025\"",
      .declare =
          [options](Arguments& arguments) {
            arguments.positional("SITE", options->site, "The site's folder, not running.");
            arguments.required_text("--reason", "TEXT", options->reason,
                                    "How you know that it never had keys.");
          },
      .run =
          [options, as_text](const Context& context) {
            return change_keys(options->site, context, "key_begin", {{"reason", options->reason}},
                               begin, as_text);
          }};
}

Verb keys_rotate_verb() {
  auto site = std::make_shared<std::string>();
  return {.name = "keys rotate",
          .summary = "Put a new master key in the place of the old one; the engine may run.",
          .example = "cannula keys rotate my-site",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run =
              [site](const Context& context) {
                return change_keys(*site, context, "key_rotate", {}, rotate, rotate_text);
              }};
}

Verb keys_drop_old_verb() {
  auto site = std::make_shared<std::string>();
  const auto act = [](const config::Site& folder) -> Result<json> {
    return json{{"dropped", TRY(KeyRing::drop_old(security::place_of_keys(folder)))}};
  };
  const auto as_text = [](const json& answer) {
    std::string text;
    for (const json& id : answer["dropped"]) {
      text += fmt::format("master key {} is gone\n", id.get<std::string>());
    }
    return text.empty() ? std::string("there is no old master key\n") : text;
  };
  return {.name = "keys drop-old",
          .summary = "Take master keys that wrap nothing any more out of the key file.",
          .example = "cannula keys drop-old my-site",
          .declare =
              [site](Arguments& arguments) {
                arguments.positional("SITE", *site, "The site's folder.");
              },
          .run =
              [site, act, as_text](const Context& context) {
                return change_keys(*site, context, "key_drop_old", {}, act, as_text);
              }};
}

Verb keys_shred_verb() {
  struct Options {
    std::string channel, site, reason;
    bool even_open = false;
  };
  auto options = std::make_shared<Options>();
  const auto act = [options](const config::Site& site) -> Result<json> {
    store::Options store;
    store.directory = site.store.directory;
    store.segment_size = site.store.segment_size;
    store.keys = TRY(security::open_site_keys(site));
    TRY(nothing_is_held(store, options->channel));
    TRY(store::shred_channel(std::move(store), security::place_of_keys(site), options->channel,
                             acting_user(), options->reason, options->even_open));
    return json{{"shredded", options->channel}};
  };
  const auto as_text = [](const json& answer) {
    return fmt::format(
        "what channel {} held can never be read again here; backups made before still hold its "
        "key: make a new one now, into the same folder, and destroy copies of the old one\n",
        text_of(answer, "shredded"));
  };
  return {.name = "keys shred",
          .summary = "Forget for good all that a channel holds, by destroying its keys.",
          .example = "cannula keys shred lab-results my-site --reason \"the contract ended\"",
          .declare =
              [options](Arguments& arguments) {
                arguments.positional("CHANNEL", options->channel, "The channel.", true);
                arguments.positional("SITE", options->site, "The site's folder, not running.");
                arguments.required_text("--reason", "TEXT", options->reason,
                                        "Why; kept with the keys.");
                arguments.flag("--even-open", options->even_open,
                               "Also when messages are not at an end.");
              },
          .run =
              [options, act, as_text](const Context& context) {
                const json request{{"channel", options->channel}, {"reason", options->reason}};
                return change_keys(options->site, context, "key_shred", request, act, as_text);
              }};
}

}  // namespace cannula::cli
