// [retention]: how long what came to its end is kept.
#include <fmt/format.h>

#include "engine/config/folder.h"
#include "engine/config/keys.h"
#include "engine/config/reading.h"

namespace cannula::config {
namespace {

using std::chrono::milliseconds;
using Period = RetentionConfig::Period;

// Less would take messages away while their senders still wait for an answer about them.
constexpr milliseconds kShortest = std::chrono::minutes(1);

struct Named {
  std::string_view name;
  Period RetentionConfig::*period;
};
constexpr Named kPeriods[] = {
    {"done", &RetentionConfig::done},           {"filtered", &RetentionConfig::filtered},
    {"rejected", &RetentionConfig::rejected},   {"dead", &RetentionConfig::dead},
    {"discarded", &RetentionConfig::discarded}, {"bodies", &RetentionConfig::bodies}};

std::string text_of(const Period& period) {
  return period ? duration_text(*period) : "never";
}

}  // namespace

void Reading::read_periods(RetentionConfig& retention, const Member& table,
                           const File& file) const {
  for (const Named& one : kPeriods) {
    const Member* written = table.value.find(one.name);
    if (!written || !written->value.is(Node::Kind::text)) continue;
    const std::string& text = written->value.text;
    const auto period = parse_duration(text);
    if (text == "never") {
      retention.*one.period = std::nullopt;
    } else if (!period) {
      file.error("C146", written->value.span, fmt::format("{} is no period", in_quotes(text)),
                 "a duration such as \"30d\" or \"1y\", or \"never\" to keep it for ever");
    } else if (*period < kShortest) {
      file.error("C146", written->value.span,
                 fmt::format("`{}` is shorter than a minute", one.name),
                 "the shortest is \"1m\"; senders may still ask about what is newer");
    } else {
      retention.*one.period = *period;
    }
  }
}

// Said where `bodies` or `done` is written.
void Reading::check_periods(const RetentionConfig& retention, const Member& table,
                            const File& file) const {
  const Member* at = table.value.find("bodies");
  if (!at) at = table.value.find("done");
  if (!at || !retention.bodies || !retention.done || *retention.bodies < *retention.done) return;
  file.warning("C146", at->value.span,
               fmt::format("bodies are to be kept for {}, and messages that are done for {} only",
                           text_of(retention.bodies), text_of(retention.done)),
               "make `bodies` shorter than `done`, or leave it out: bodies go with their message");
}

void Reading::read_site_retention(const Node& root, const File& file) {
  const Member* table = root.find("retention");
  const Values values = read_optional(table, site_retention_options(), "[retention]", file);
  site_.retention_every = values.duration("every");
  site_.retention_within = values.duration("within");
  if (!table || !table->value.is(Node::Kind::table)) return;
  read_periods(site_.retention, *table, file);
  check_periods(site_.retention, *table, file);
}

void Reading::read_retention(ChannelConfig& channel, const Node& root, const File& file) {
  channel.retention = site_.retention;
  const Member* table = root.find("retention");
  if (table) {
    read_optional(table, retention_options(), "[retention]", file);
    if (!table->value.is(Node::Kind::table)) return;
    read_periods(channel.retention, *table, file);
    check_periods(channel.retention, *table, file);
  }
  const Member* source = root.find("source");
  if (!channel.retention.bodies || !source) return;
  const Values* dedupe = channel.source.table("dedupe");  // of http; mllp has `duplicates`
  if (dedupe == nullptr && !channel.source.has("duplicates")) return;
  const milliseconds window =
      dedupe ? dedupe->duration("window") : channel.source.duration("duplicates");
  const Member* written = source->value.find(dedupe ? "dedupe" : "duplicates");
  if (window <= *channel.retention.bodies || !written) return;
  file.warning("C146", written->value.span,
               fmt::format("duplicates are looked for {} back, and bodies are kept for {} only",
                           duration_text(window), text_of(channel.retention.bodies)),
               "after a restart what is older cannot be told; make one of them fit the other");
}

}  // namespace cannula::config
