// channels/*/channel.toml: the source, the order, the destinations.
#include <fmt/format.h>

#include "channels/transport/address.h"
#include "engine/config/folder.h"
#include "engine/config/keys.h"
#include "engine/config/reading.h"
#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/text/character_set.h"
#include "parsers/text/time_zone.h"

namespace cannula::config {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> views(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

constexpr std::string_view kNameHint = "letters, digits, `-` and `_`, at most 64";

}  // namespace

void Reading::read_channels() {
  for (const std::string& name : list_folder(root_, "channels", findings_)) {
    const fs::path folder = fs::path("channels") / name;
    if (!is_folder(root_ / folder)) continue;
    if (!is_there(root_ / folder / "channel.toml")) {
      findings_.push_back(about_file(
          Severity::error, "C118", root_ / folder, "this channel has no channel.toml",
          "write one, or move the folder out of channels/; a name that begins with a dot is passed "
          "over"));
      continue;
    }
    if (!is_name(name)) {
      findings_.push_back(
          about_file(Severity::error, "C110", root_ / folder,
                     fmt::format("{} cannot be the name of a channel", in_quotes(name)),
                     std::string(kNameHint)));
    }
    const auto source = read_source(root_, folder / "channel.toml", findings_);
    if (is_there(root_ / folder / "main.lua")) {
      site_.channels[name].script = read_source(root_, folder / "main.lua", findings_);
    } else {
      findings_.push_back(about_file(Severity::error, "C117", root_ / folder / "main.lua",
                                     "the channel's script is missing",
                                     "a script that passes everything on: function main(msg) "
                                     "send(\"DESTINATION\", msg) end"));
    }
    if (!source) continue;
    const Document document = parse_document(source, findings_);
    if (!document.readable) continue;
    auto script = std::move(site_.channels[name].script);
    site_.channels[name] = read_channel(name, document.root, File(source, findings_));
    site_.channels[name].script = std::move(script);
  }
}

ChannelConfig Reading::read_channel(const std::string& name, const Node& root, const File& file) {
  std::vector<Option> outer(channel_options().begin(), channel_options().end());
  for (Option& option : outer) option.members = {};
  const Values values = read_table(file, root, outer, "a channel", site_.root);

  ChannelConfig channel;
  channel.name = name;
  channel.description = values.text_or("description", "");
  channel.enabled = values.boolean("enabled");
  if (values.text("on_error") == "stop") channel.on_error = ChannelConfig::OnError::stop;
  if (values.has("renamed_from")) channel.renamed_from = values.texts("renamed_from");
  read_destinations(channel, root, file);
  read_order(channel, root, file);
  read_validation(channel, root, file);
  read_script(channel, root, file);
  if (const Member* source = root.find("source")) {
    if (source->value.is(Node::Kind::table)) {
      read_source_table(channel, source->value, file);
    } else {
      file.error("C104", source->value.span,
                 fmt::format("`source` must be a table, not {}", name_of(source->value.kind)),
                 "write [source] on a line of its own and its keys below");
    }
  }
  read_windows(channel, root, file);
  read_retention(channel, root, file);
  return channel;
}

const Transport* Reading::find_transport(const Member* type, bool as_source,
                                         const File& file) const {
  if (!type || !type->value.is(Node::Kind::text)) return nullptr;
  std::vector<std::string_view> usable, all;
  for (const Transport& transport : transports_) {
    all.push_back(transport.type);
    const auto& options = as_source ? transport.source_options : transport.destination_options;
    if (!options.empty()) usable.push_back(transport.type);
    if (transport.type == type->value.text && !options.empty()) return &transport;
  }
  const std::string_view role = as_source ? "source" : "destination";
  if (std::find(all.begin(), all.end(), type->value.text) != all.end()) {
    file.error("C112", type->value.span,
               fmt::format("{} cannot be a {}", in_quotes(type->value.text), role),
               fmt::format("these can: {}", fmt::join(usable, ", ")));
  } else {
    file.error("C111", type->value.span,
               fmt::format("there is no {} of type {}", role, in_quotes(type->value.text)),
               suggestion(type->value.text, usable));
  }
  return nullptr;
}

void Reading::read_source_table(ChannelConfig& channel, const Node& table, const File& file) {
  const Transport* transport = find_transport(table.find("type"), true, file);
  channel.source_written = canonical_text(table);
  if (!transport) {
    // Without its type the other keys cannot be judged; the missing type itself is the finding.
    if (!table.find("type") || !table.find("type")->value.is(Node::Kind::text)) {
      const Option& type = source_options()[0];
      const Member* written = table.find("type");
      read_table(file,
                 Node{.members = written ? std::vector{*written} : std::vector<Member>{},
                      .span = table.span},
                 {&type, 1}, "[source]", site_.root);
    }
    return;
  }
  const Schema options = schema({source_options(), transport->source_options});
  channel.source_type = transport->type;
  const std::size_t found = findings_.size();
  channel.source = read_table(file, table, options, "[source]", site_.root);
  channel.partner = channel.source.text_or("partner", "");
  channel.open = channel.source.boolean("open");
  if (!channel.partner.empty() && std::find(partner_names_.begin(), partner_names_.end(),
                                            channel.partner) == partner_names_.end()) {
    const std::string near = suggestion(channel.partner, views(partner_names_));
    file.error("C113", table.find("partner")->value.span,
               fmt::format("there is no partner {}: partners/{}.toml is missing",
                           in_quotes(channel.partner), channel.partner),
               near.empty() ? "write that file; `cannula new` shows one" : near);
  }
  if (transport->check_source && findings_.size() == found) {
    check_together(transport->check_source(channel.source), table, file);
  }
  check_exposure(channel, table, file);
  check_certificate(channel, table, file);
  read_ack(channel, table, channel.source, file);
  check_application_ack(channel, table, file);
  read_respond(channel, table, file);
  read_timezone(channel, table, file);
  read_charset(channel, table, file);
  check_secrets_in(channel.source, table, options, file);
}

// What a transport says of keys that are right one by one.
void Reading::check_together(const Result<void>& checked, const Node& table, const File& file) {
  if (checked) return;
  const Member* type = table.find("type");
  file.error(checked.error().code, type ? type->value.span : table.span, checked.error().message,
             checked.error().hint);
}

// A source that other machines can reach says who may send, or says aloud that everyone may.
void Reading::check_exposure(const ChannelConfig& channel, const Node& source, const File& file) {
  const auto partner = site_.partners.find(channel.partner);
  const bool known = partner != site_.partners.end();
  const bool restricts = known && (!partner->second.from.empty() || partner->second.certificate);
  if (channel.open && restricts) {
    file.warning("C128", source.find("open")->value.span,
                 "`open` means nothing where a partner says who may send", "delete one of the two");
  }
  const Member* written = source.find("listen");
  if (!written || !channel.source.has("listen") || !written->value.is(Node::Kind::text)) return;
  const Endpoint& listen = channel.source.endpoint("listen");
  if (channel.enabled) {
    listeners_.push_back({fmt::format("channel `{}`", channel.name), listen, file,
                          written->value.span,
                          channel.source_type == "http" ? channel.source.text_or("path", "") : ""});
  }
  if (is_loopback(listen.host) || channel.open) return;
  if (channel.partner.empty()) {
    file.error("C119", written->value.span,
               fmt::format("anyone who reaches `{}` could send here: the source has no partner",
                           listen.text()),
               "name a `partner`, listen on 127.0.0.1, or say `open = true` if everyone may send");
  } else if (known && !restricts) {
    file.error("C119", source.find("partner")->value.span,
               fmt::format("anyone who reaches `{}` could send here: partners/{}.toml says neither "
                           "`from` where nor with which `certificate`",
                           listen.text(), channel.partner),
               "give it one of them, or say `open = true` if everyone may send");
  }
}

// A partner who must show a certificate can only do so to a source that asks for one.
void Reading::check_certificate(const ChannelConfig& channel, const Node& source,
                                const File& file) {
  const auto partner = site_.partners.find(channel.partner);
  if (partner == site_.partners.end() || !partner->second.certificate) return;
  const Member* tls = source.find("tls");
  if (tls && (!tls->value.is(Node::Kind::table) || tls->value.find("client_ca"))) return;
  file.error(
      "C131", source.find("partner")->value.span,
      fmt::format("partner {} must show a certificate, but this source asks for none: nobody "
                  "could send",
                  in_quotes(channel.partner)),
      fmt::format("give the source `tls` with `client_ca`, or delete `certificate` in "
                  "partners/{}.toml",
                  channel.partner));
}

void Reading::read_ack(ChannelConfig& channel, const Node& table, const Values& values,
                       const File& file) {
  const std::string& ack = values.text("ack");
  if (ack == "stored") return;
  if (ack == "processed") {
    channel.ack.when = AckConfig::When::processed;
    return;
  }
  const Node& written = table.find("ack")->value;
  constexpr std::string_view kDelivered = "delivered:";
  if (!ack.starts_with(kDelivered)) {
    static constexpr std::string_view kForms[] = {"stored", "processed", "delivered:NAME"};
    file.error("C115", written.span,
               fmt::format("`ack` must be \"stored\", \"processed\" or \"delivered:NAME\", not {}",
                           in_quotes(ack)),
               nearest(ack, kForms) ? suggestion(ack, kForms) : "");
    return;
  }
  channel.ack = {AckConfig::When::delivered, ack.substr(kDelivered.size())};
  std::vector<std::string_view> names;
  for (const DestinationConfig& destination : channel.destinations) {
    if (destination.name == channel.ack.destination) return;
    names.push_back(destination.name);
  }
  file.error("C115", inside_text(*file.source(), written, {kDelivered.size(), ack.size()}),
             fmt::format("the channel has no destination {}", in_quotes(channel.ack.destination)),
             suggestion(channel.ack.destination, names));
}

void Reading::check_application_ack(const ChannelConfig& channel, const Node& table,
                                    const File& file) {
  if (!channel.source.has("application_ack")) return;
  const std::string& wanted = channel.source.text("application_ack");
  std::vector<std::string_view> names;
  for (const DestinationConfig& destination : channel.destinations) {
    if (destination.name == wanted) return;
    names.push_back(destination.name);
  }
  file.error("C115", table.find("application_ack")->value.span,
             fmt::format("the channel has no destination {}", in_quotes(wanted)),
             suggestion(wanted, names));
}

// What HTTP calls it: the same as `ack`, which then may not be written too.
void Reading::read_respond(ChannelConfig& channel, const Node& table, const File& file) {
  if (!channel.source.has("respond")) return;
  if (const Member* ack = table.find("ack")) {
    file.error("C115", ack->name_span, "a source of this type says `respond` instead of `ack`",
               "`respond = \"stored\"` or `respond = \"processed\"`");
    return;
  }
  const bool processed = channel.source.text("respond") == "processed";
  channel.ack.when = processed ? AckConfig::When::processed : AckConfig::When::stored;
}

void Reading::read_timezone(ChannelConfig& channel, const Node& table, const File& file) {
  if (!channel.source.has("timezone")) return;
  const std::string& name = channel.source.text("timezone");
  const auto zone = TimeZone::find(name);
  if (zone) {
    channel.timezone = name;
    return;
  }
  file.error("C133", table.find("timezone")->value.span, zone.error().message, zone.error().hint);
}

void Reading::read_charset(ChannelConfig& channel, const Node& table, const File& file) {
  if (!channel.source.has("charset")) return;
  const std::string& name = channel.source.text("charset");
  if (const auto set = CharacterSet::find(name); !set) {
    file.error("C134", table.find("charset")->value.span, set.error().message, set.error().hint);
    return;
  }
  channel.charset = name;
}

void Reading::read_order(ChannelConfig& channel, const Node& root, const File& file) {
  const Member* table = root.find("order");
  const Values values = read_optional(table, order_options(), "[order]", file);
  if (values.text("on_hold") == "hold_key") channel.order.on_hold = OrderConfig::OnHold::hold_key;

  const Member* by = table ? table->value.find("by") : nullptr;
  if (!by) return;
  if (by->value.is(Node::Kind::text) && by->value.text == "channel") return;
  if (by->value.is(Node::Kind::text) && by->value.text == "none") {
    channel.order.by = OrderConfig::By::none;
    return;
  }
  channel.order.by = OrderConfig::By::paths;
  std::vector<const Node*> paths;
  if (by->value.is(Node::Kind::text)) paths.push_back(&by->value);
  for (const Node& item : by->value.items) paths.push_back(&item);
  if (paths.empty() && by->value.is(Node::Kind::array)) {
    file.error("C116", by->value.span, "`by` names no path",
               "write \"channel\", \"none\" or paths such as [\"PID-3.1\"]");
  }
  for (const Node* path : paths) {
    if (!path->is(Node::Kind::text)) continue;  // found already, as of the wrong type
    auto parsed = hl7v2::Path::parse(path->text);
    const Span whole{0, path->text.size()};
    if (!parsed) {
      file.error("C116", inside_text(*file.source(), *path, parsed.error().span.value_or(whole)),
                 parsed.error().message,
                 parsed.error().hint.empty() ? "\"channel\", \"none\" or a path such as \"PID-3.1\""
                                             : parsed.error().hint);
    } else if (parsed->segment_name().empty() || parsed->field == 0) {
      file.error("C116", inside_text(*file.source(), *path, whole),
                 fmt::format("{} does not name a field", in_quotes(path->text)),
                 "name the segment and the field, such as \"PID-3.1\"");
    } else {
      check_segment(*parsed, *path, file);
      channel.order.paths.push_back(*parsed);
    }
  }
}

// A misspelt segment is in no message: all would share one lane. Segments of a site's own begin
// with Z.
void Reading::check_segment(const hl7v2::Path& path, const Node& written, const File& file) {
  const std::string_view name = path.segment_name();
  if (name.front() == 'Z') return;
  // Those that feeds are kept in order by first: of two that are as near the first is suggested.
  std::vector<std::string_view> known{"PID", "PV1", "MRG", "OBR", "OBX", "ORC"};
  for (std::size_t version = hl7v2::kVersions; version-- > 0;) {
    const auto& words = hl7v2::dictionary(static_cast<hl7v2::Version>(version));
    if (words.segment(name)) return;
    for (const auto* segment : words.segments()) known.push_back(segment->name);
  }
  const auto near = nearest(name, known);
  file.warning("C135", inside_text(*file.source(), written, {0, name.size()}),
               fmt::format("no version of HL7 v2 has a segment {}", name),
               near ? fmt::format("did you mean `{}`?", *near)
                    : "name a segment that the messages have, such as PID");
}

void Reading::read_script(ChannelConfig& channel, const Node& root, const File& file) {
  const Values values = read_optional(root.find("script"), script_options(), "[script]", file);
  channel.script_time = values.duration("time");
  channel.script_memory = static_cast<std::size_t>(values.integer("memory"));
  constexpr std::int64_t kSmallest = 1 << 20;
  if (values.integer("memory") < kSmallest) {
    file.error("C107", root.find("script")->value.find("memory")->value.span,
               "`memory` must be \"1MB\" or more");
  }
  if (channel.script_time.count() <= 0) {
    file.error("C107", root.find("script")->value.find("time")->value.span,
               "`time` must be \"1ms\" or more");
  }
}

void Reading::read_destinations(ChannelConfig& channel, const Node& root, const File& file) {
  const Member* list = root.find("destination");
  if (!list) return;
  if (list->value.is(Node::Kind::table)) {
    file.error("C104", list->value.span, "a channel has a list of destinations",
               "write [[destination]], with two brackets");
    return;
  }
  std::map<std::string, std::size_t> line_of;
  for (const Node& table : list->value.items) {
    if (!table.is(Node::Kind::table)) {
      file.error("C104", table.span,
                 fmt::format("a destination must be a table, not {}", name_of(table.kind)),
                 "write [[destination]] on a line of its own and its keys below");
      continue;
    }
    DestinationConfig destination = read_destination(table, file);
    const Member* name = table.find("name");
    if (name && name->value.is(Node::Kind::text)) {
      const std::size_t line = file.source()->position(name->value.span.begin).line;
      if (!is_name(destination.name)) {
        file.error(
            "C110", name->value.span,
            fmt::format("{} cannot be the name of a destination", in_quotes(destination.name)),
            std::string(kNameHint));
      }
      if (const auto [first, added] = line_of.emplace(destination.name, line); !added) {
        file.error("C114", name->value.span,
                   fmt::format("there is a destination {} already, in line {}",
                               in_quotes(destination.name), first->second),
                   "give each its own name");
      }
    }
    channel.destinations.push_back(std::move(destination));
  }
}

DestinationConfig Reading::read_destination(const Node& table, const File& file) {
  DestinationConfig destination;
  destination.written = canonical_text(table);
  const Transport* transport = find_transport(table.find("type"), false, file);

  std::vector<Option> common(destination_options().begin(), destination_options().end());
  for (Option& option : common) option.members = {};  // [destination.retry] is read below
  if (transport) {
    const Schema options = schema({common, transport->destination_options});
    destination.type = transport->type;
    const std::size_t found = findings_.size();
    destination.values = read_table(file, table, options, "[[destination]]", site_.root);
    if (transport->check_destination && findings_.size() == found) {
      check_together(transport->check_destination(destination.values), table, file);
    }
    check_secrets_in(destination.values, table, transport->destination_options, file);
  } else {
    // Without its type only the keys that all destinations have can be judged.
    Node known;
    known.span = table.span;
    for (const Option& option : common) {
      if (const Member* member = table.find(option.name)) known.members.push_back(*member);
    }
    destination.values = read_table(file, known, common, "[[destination]]", site_.root);
  }
  destination.name = destination.values.text_or("name", "");
  if (destination.values.has("renamed_from")) {
    destination.renamed_from = destination.values.texts("renamed_from");
  }
  destination.retry = read_retry(table, file);
  read_rate_limit(destination, table, file);
  return destination;
}

RetryConfig Reading::read_retry(const Node& destination, const File& file) {
  const Member* table = destination.find("retry");
  const Values values = read_optional(table, retry_options(), "[destination.retry]", file);
  RetryConfig retry;
  retry.first = values.duration("first");
  retry.max = values.duration("max");
  retry.give_up_after = values.duration("give_up_after");
  retry.away_after = static_cast<std::uint32_t>(values.integer("away_after"));
  if (const Member* on = table ? table->value.find("on") : nullptr) {
    read_failures(retry, on->value, file);
  }
  if (retry.first.count() <= 0) {
    file.error(
        "C127", table->value.find("first")->value.span,
        "`first` must be longer than nothing, or a failing destination would be tried without "
        "pause");
  }
  if (retry.max < retry.first) {
    const Member* max = table->value.find("max");
    file.error("C127", (max ? max : table->value.find("first"))->value.span,
               fmt::format("`max` ({}) is shorter than `first` ({})", duration_text(retry.max),
                           duration_text(retry.first)));
  }
  return retry;
}

}  // namespace cannula::config
