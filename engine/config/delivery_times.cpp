// Of a destination in channel.toml: how fast, when, and what is done about a failure.
#include <charconv>

#include <fmt/format.h>

#include "engine/config/folder.h"
#include "engine/config/reading.h"

namespace cannula::config {
namespace {

bool is_failure(std::string_view name) {
  static constexpr std::string_view kClasses[] = {"refused", "busy", "timeout", "tls", "transport"};
  if (std::find(std::begin(kClasses), std::end(kClasses), name) != std::end(kClasses)) return true;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.size() == 3 && name[0] >= '1' && name[0] <= '5') {
    return name.substr(1) == "xx" || (digit(name[1]) && digit(name[2]));
  }
  if (name.size() == 2)
    return name[0] == 'A' || name[0] == 'C' ? name[1] == 'E' || name[1] == 'R' : false;
  return name.size() == 4 && name[0] >= 'A' && name[0] <= 'Z' &&
         std::all_of(name.begin() + 1, name.end(), digit);
}

std::optional<RateLimit> rate_of(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  RateLimit limit;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + slash, limit.count);
  if (failure != std::errc() || end != text.data() + slash || limit.count == 0 ||
      limit.count > 1'000'000)
    return std::nullopt;
  const std::string_view unit = text.substr(slash + 1);
  if (unit == "s") {
    limit.per = std::chrono::seconds(1);
  } else if (unit == "m") {
    limit.per = std::chrono::minutes(1);
  } else if (unit == "h") {
    limit.per = std::chrono::hours(1);
  } else {
    return std::nullopt;
  }
  return limit;
}

}  // namespace

void Reading::read_rate_limit(DestinationConfig& destination, const Node& table,
                              const File& file) const {
  if (!destination.values.has("rate_limit")) return;
  const std::string& text = destination.values.text("rate_limit");
  destination.rate_limit = rate_of(text);
  if (destination.rate_limit) return;
  file.error("C141", table.find("rate_limit")->value.span,
             fmt::format("`rate_limit` must be a rate such as \"20/s\", not {}", in_quotes(text)),
             "a number from 1 to 1000000 and /s, /m or /h");
}

// After the source is read, whose time zone counts where a destination has none.
void Reading::read_windows(ChannelConfig& channel, const Node& root, const File& file) const {
  const Member* list = root.find("destination");
  if (!list || list->value.is(Node::Kind::table)) return;
  std::size_t next = 0;
  for (const Node& table : list->value.items) {
    if (!table.is(Node::Kind::table) || next == channel.destinations.size()) continue;
    DestinationConfig& destination = channel.destinations[next++];
    const Member* written_zone = table.find("timezone");
    const std::string name = destination.values.text_or("timezone", channel.timezone);
    const auto zone = TimeZone::find(name);
    if (written_zone && !zone) {
      file.error("C133", written_zone->value.span, zone.error().message, zone.error().hint);
      continue;
    }
    if (!destination.values.has("window")) continue;
    const Span window = table.find("window")->value.span;
    if (name.empty()) {
      file.error("C143", window, "the window has no time zone: whose 22:00 is meant?",
                 "write timezone = \"Europe/Vienna\" below it");
      continue;
    }
    if (!zone) continue;  // of the source: a finding there
    auto parsed = DeliveryWindow::parse(destination.values.texts("window"), *zone);
    if (parsed) {
      destination.window = *std::move(parsed);
    } else {
      file.error(parsed.error().code, window, parsed.error().message, parsed.error().hint);
    }
  }
}

void Reading::read_failures(RetryConfig& retry, const Node& on, const File& file) const {
  using Act = RetryConfig::Act;
  static const std::map<std::string_view, Act> kActs = {
      {"retry", Act::retry}, {"dead", Act::dead}, {"hold", Act::hold}};
  if (!on.is(Node::Kind::table)) {
    file.error("C104", on.span, fmt::format("`on` must be a table, not {}", name_of(on.kind)),
               "write on = { refused = \"hold\", timeout = \"retry\" }");
    return;
  }
  for (const Member& member : on.members) {
    if (!is_failure(member.name)) {
      file.error("C142", member.name_span,
                 fmt::format("there is no failure named {}", in_quotes(member.name)),
                 "refused, busy, timeout, tls, transport, a code such as T353, a status such as "
                 "409 or 4xx, or an acknowledgement such as AE");
      continue;
    }
    const auto act =
        member.value.is(Node::Kind::text) ? kActs.find(member.value.text) : kActs.end();
    if (act == kActs.end()) {
      file.error("C142", member.value.span,
                 fmt::format("{} must be \"retry\", \"dead\" or \"hold\"", in_quotes(member.name)));
      continue;
    }
    retry.on[std::string(member.name)] = act->second;
  }
}

// Two would take the same messages, or one would take them from a channel that is still there.
void Reading::check_former_names() {
  std::map<std::string, std::string> taken;
  for (const auto& [name, channel] : site_.channels) taken[name] = name;
  const auto claim = [&](auto& names, const std::string& former, const std::string& now,
                         const std::filesystem::path& path, std::string_view what) {
    const auto [place, added] = names.emplace(former, now);
    if (added) return;
    findings_.push_back(about_file(
        Severity::error, "C144", path,
        fmt::format("{} {} cannot take over {}: there is a {} of that name, or {} takes it over",
                    what, in_quotes(now), in_quotes(former), what, in_quotes(place->second)),
        "delete that name from `renamed_from`"));
  };
  for (const auto& [name, channel] : site_.channels) {
    const auto path = root_ / "channels" / name / "channel.toml";
    for (const std::string& former : channel.renamed_from)
      claim(taken, former, name, path, "channel");
    std::map<std::string, std::string> destinations;
    for (const DestinationConfig& one : channel.destinations) destinations[one.name] = one.name;
    for (const DestinationConfig& one : channel.destinations) {
      for (const std::string& former : one.renamed_from)
        claim(destinations, former, one.name, path, "destination");
    }
  }
}

}  // namespace cannula::config
