#include "engine/ops/prometheus.h"

#include <fmt/format.h>

#include "engine/ops/ages.h"
#include "engine/ops/certificates.h"
#include "engine/ops/last_backup.h"
#include "engine/ops/todays_names.h"
#include "engine/ops/transport_events.h"
#include "engine/pipeline/clock.h"
#include "engine/pipeline/engine.h"
#include "engine/store/retention.h"

namespace cannula::ops {
namespace {

using pipeline::Breaker;
using pipeline::ChannelMetrics;
using pipeline::ChannelView;
using pipeline::Destination;
using pipeline::Engine;
using pipeline::Histogram;
using pipeline::Standing;

// Label values: backslash, quote and line feed are escaped (format 0.0.4, "Comments, help text, and
// type information").
std::string label(std::string_view name, std::string_view value) {
  std::string text = fmt::format("{}=\"", name);
  for (char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text + '"';
}

// The samples of one family.
class Samples {
 public:
  Samples(std::string& text, std::string_view family) : text_(text), family_(family) {}

  void add(const std::string& labels, double value) {
    text_ += fmt::format("{}{{{}}} {}\n", family_, labels, value);
  }
  void add(double value) { text_ += fmt::format("{} {}\n", family_, value); }
  void add_infinite() { text_ += fmt::format("{} +Inf\n", family_); }
  void add(const std::string& labels, const Histogram& histogram) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
      below += histogram.count(i);
      text_ += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", family_, labels,
                           static_cast<double>(1ull << i) / 1e6, below);
    }
    below += histogram.count(Histogram::kBuckets);
    text_ += fmt::format(
        "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n", family_,
        labels, below, static_cast<double>(histogram.sum_microseconds()) / 1e6);
  }

 private:
  std::string& text_;
  const std::string_view family_;
};

double number(const pipeline::Counter& counter) {
  return static_cast<double>(counter.load());
}

template <class Visit>
void each_channel(const Engine& engine, Visit visit) {
  engine.each_channel(
      [&](const ChannelView& view) { visit(label("channel", view.channel.name()), view.channel); });
}

template <class Visit>
void each_destination(const Engine& engine, Visit visit) {
  each_channel(engine, [&](const std::string& channel, const pipeline::Channel& of) {
    for (const auto& [name, destination] : of.destinations()) {
      visit(channel + "," + label("destination", name), *destination);
    }
  });
}

template <pipeline::Counter ChannelMetrics::*counter>
void channel_counter(const Engine& engine, Samples& samples) {
  each_channel(engine, [&](const std::string& labels, const pipeline::Channel& channel) {
    samples.add(labels, number(channel.metrics().*counter));
  });
}

template <Histogram ChannelMetrics::*histogram>
void channel_times(const Engine& engine, Samples& samples) {
  each_channel(engine, [&](const std::string& labels, const pipeline::Channel& channel) {
    samples.add(labels, channel.metrics().*histogram);
  });
}

// One sample a channel for each value of the label `name`.
template <std::size_t count>
void channel_kinds(
    const Engine& engine, Samples& samples, std::string_view name,
    const std::pair<std::string_view, pipeline::Counter ChannelMetrics::*> (&kinds)[count]) {
  each_channel(engine, [&](const std::string& labels, const pipeline::Channel& channel) {
    for (const auto& [kind, counter] : kinds) {
      samples.add(labels + "," + label(name, kind), number(channel.metrics().*counter));
    }
  });
}

void outcomes(const Engine& engine, Samples& samples) {
  channel_kinds(engine, samples, "outcome",
                {{"finished", &ChannelMetrics::finished},
                 {"filtered", &ChannelMetrics::filtered},
                 {"parked", &ChannelMetrics::parked},
                 {"rejected", &ChannelMetrics::rejected},
                 {"dead", &ChannelMetrics::dead}});
}

void validation_findings(const Engine& engine, Samples& samples) {
  channel_kinds(engine, samples, "severity",
                {{"error", &ChannelMetrics::validation_errors},
                 {"warning", &ChannelMetrics::validation_warnings}});
}

void validation_messages(const Engine& engine, Samples& samples) {
  channel_kinds(engine, samples, "policy",
                {{"park", &ChannelMetrics::validation_parked},
                 {"reject", &ChannelMetrics::validation_rejected}});
}

void channel_paused(const Engine& engine, Samples& samples) {
  each_channel(engine, [&](const std::string& labels, const pipeline::Channel& channel) {
    samples.add(labels, channel.paused() ? 1 : 0);
  });
}

void transport_events(const Engine& engine, Samples& samples) {
  const auto add = [&](const std::string& labels, const pipeline::NamedCounters& counters) {
    for (const auto& [name, value] : counters.snapshot()) {
      samples.add(labels + "," + label("event", name), static_cast<double>(value));
    }
  };
  each_channel(engine, [&](const std::string& labels, const pipeline::Channel& channel) {
    add(labels, channel.metrics().transport);
  });
  each_destination(engine, [&](const std::string& labels, const Destination& destination) {
    add(labels, destination.metrics().transport);
  });
}

void deliveries(const Engine& engine, Samples& samples) {
  each_destination(engine, [&](const std::string& labels, const Destination& destination) {
    const auto& metrics = destination.metrics();
    const std::pair<std::string_view, const pipeline::Counter*> kinds[] = {
        {"delivered", &metrics.delivered},
        {"retried", &metrics.retried},
        {"held", &metrics.held},
        {"dead", &metrics.dead}};
    for (const auto& [kind, counter] : kinds) {
      samples.add(labels + "," + label("result", kind), number(*counter));
    }
  });
}

void delivery_times(const Engine& engine, Samples& samples) {
  each_destination(engine, [&](const std::string& labels, const Destination& destination) {
    samples.add(labels, destination.metrics().deliver);
  });
}

template <double (*value)(const Standing&)>
void standing(const Engine& engine, Samples& samples) {
  each_destination(engine, [&](const std::string& labels, const Destination& destination) {
    samples.add(labels, value(destination.standing()));
  });
}

double held_back(const Standing& standing) {
  return static_cast<double>(standing.held_back.messages);
}
double held_back_keys(const Standing& standing) {
  return static_cast<double>(standing.held_back.keys);
}

// Of the work of a channel, and of each of its destinations.
template <std::size_t pipeline::HeldBack::*count, double (*of_destination)(const Standing&)>
void all_held_back(const Engine& engine, Samples& samples) {
  each_channel(engine, [&](const std::string& labels, const pipeline::Channel& channel) {
    samples.add(labels, static_cast<double>(channel.held_back().*count));
  });
  standing<of_destination>(engine, samples);
}

double is_away(const Standing& standing) {
  return standing.breaker == Breaker::State::closed ? 0 : 1;
}
double breaker(const Standing& standing) {
  return standing.breaker == Breaker::State::closed      ? 0
         : standing.breaker == Breaker::State::half_open ? 1
                                                         : 2;
}
double failures(const Standing& standing) {
  return static_cast<double>(standing.failures_in_a_row);
}
double is_paused(const Standing& standing) {
  return standing.paused ? 1 : 0;
}
double window_closed(const Standing& standing) {
  return standing.window_closed ? 1 : 0;
}
double in_memory(const Standing& standing) {
  return static_cast<double>(standing.in_memory);
}

void stored_messages(const Engine& engine, Samples& samples) {
  const auto counts = engine.store().counts();
  if (!counts) return;
  for (const store::StateCount& one : under_todays_names(*counts, *engine.site())) {
    if (!one.destination.empty()) continue;
    samples.add(label("channel", one.channel) + "," + label("state", one.state),
                static_cast<double>(one.count));
  }
}

void stored_deliveries(const Engine& engine, Samples& samples) {
  const auto counts = engine.store().counts();
  if (!counts) return;
  for (const store::StateCount& one : under_todays_names(*counts, *engine.site())) {
    if (one.destination.empty()) continue;
    samples.add(label("channel", one.channel) + "," + label("destination", one.destination) + "," +
                    label("state", one.state),
                static_cast<double>(one.count));
  }
}

void journal_bytes(const Engine& engine, Samples& samples) {
  samples.add(static_cast<double>(engine.store().end()));
}

void index_behind(const Engine& engine, Samples& samples) {
  const store::Position indexed = engine.store().indexed_up_to();
  samples.add(static_cast<double>(std::max(engine.store().end(), indexed) - indexed));
}

void free_bytes(const Engine& engine, Samples& samples) {
  if (const auto free = engine.store().free_space()) samples.add(static_cast<double>(*free));
}

void journal_stuck(const Engine& engine, Samples& samples) {
  samples.add(engine.store().trouble() ? 1 : 0);
}

void index_stuck(const Engine& engine, Samples& samples) {
  samples.add(engine.store().index_trouble() ? 1 : 0);
}

void reload_failed(const Engine& engine, Samples& samples) {
  samples.add(engine.failed_reload() ? 1 : 0);
}

void files_refused(const Engine& engine, Samples& samples) {
  samples.add(engine.refused_files() ? 1 : 0);
}

void not_taking(const Engine& engine, Samples& samples) {
  engine.each_channel([&](const ChannelView& view) {
    samples.add(label("channel", view.channel.name()),
                view.not_open || view.channel.not_taking() ? 1 : 0);
  });
}

void source_not_reached(const Engine& engine, Samples& samples) {
  engine.each_channel([&](const ChannelView& view) {
    samples.add(label("channel", view.channel.name()), view.not_reached ? 1 : 0);
  });
}

void certificates_end(const Engine& engine, Samples& samples) {
  const double now = static_cast<double>(pipeline::now_microseconds()) / 1e6;
  for (const CertificateInUse& one : certificates_in_use(*engine.site())) {
    if (!one.end) continue;
    std::string labels = label("channel", one.channel);
    if (!one.destination.empty()) labels += "," + label("destination", one.destination);
    labels += "," + label("file", one.file);
    samples.add(labels, static_cast<double>(*one.end) - now);
  }
}

void disk_low(const Engine& engine, Samples& samples) {
  samples.add(engine.disk_low() ? 1 : 0);
}

template <std::uint64_t store::PruneReport::Channel::*count>
void forgotten(const Engine& engine, Samples& samples) {
  if (!engine.retention()) return;
  for (const auto& [name, channel] : engine.retention()->totals().channels) {
    samples.add(label("channel", name), static_cast<double>(channel.*count));
  }
}

void freed_bytes(const Engine& engine, Samples& samples) {
  if (!engine.retention()) return;
  samples.add(static_cast<double>(engine.retention()->totals().bytes_freed));
}

void retention_failures(const Engine& engine, Samples& samples) {
  if (!engine.retention()) return;
  samples.add(static_cast<double>(engine.retention()->totals().failed));
}

void owed_bytes(const Engine& engine, Samples& samples) {
  if (const auto owed = engine.store().owed()) samples.add(static_cast<double>(owed->bytes));
}

void oldest_message(const Engine& engine, Samples& samples) {
  const auto oldest = engine.store().messages({.limit = 1});
  if (!oldest) return;
  const store::Timestamp now = pipeline::now_microseconds();
  samples.add(oldest->empty() ? 0 : static_cast<double>(now - oldest->front().received_at) / 1e6);
}

void backup_age(const Engine& engine, Samples& samples) {
  const auto last = last_backup(engine.site()->store.directory);
  if (!last) return samples.add_infinite();
  const store::Timestamp age = pipeline::now_microseconds() - *last;
  samples.add(static_cast<double>(std::max<store::Timestamp>(age, 0)) / 1e6);
}

void last_received_at(const Engine& engine, Samples& samples) {
  engine.each_channel([&](const ChannelView& view) {
    const auto last = last_received(engine.store(), view.channel.names());
    samples.add(label("channel", view.channel.name()), static_cast<double>(last.value_or(0)) / 1e6);
  });
}

void oldest_waits(const Engine& engine, Samples& samples) {
  const store::Timestamp now = pipeline::now_microseconds();
  engine.each_channel([&](const ChannelView& view) {
    for (const auto& [name, destination] : view.channel.destinations()) {
      const auto since = oldest_waiting(engine.store(), view.channel.names(),
                                        config::names_of(destination->config()));
      samples.add(label("channel", view.channel.name()) + "," + label("destination", name),
                  since ? static_cast<double>(now - *since) / 1e6 : 0);
    }
  });
}

void script_memory(const Engine& engine, Samples& samples) {
  samples.add(static_cast<double>(engine.script_memory_used()));
}

struct Family {
  std::string_view name, type, labels, help;
  void (*samples)(const Engine&, Samples&);
};

constexpr Family kFamilies[] = {
    {"cannula_messages_received_total", "counter", "channel", "Messages accepted and on disk.",
     channel_counter<&ChannelMetrics::received>},
    {"cannula_messages_refused_total", "counter", "channel",
     "Messages refused by intake and kept as rejected.", channel_counter<&ChannelMetrics::refused>},
    {"cannula_messages_not_taken_total", "counter", "channel",
     "Messages whose sender was told to try again.", channel_counter<&ChannelMetrics::not_taken>},
    {"cannula_received_bytes_total", "counter", "channel", "Bytes of accepted messages.",
     channel_counter<&ChannelMetrics::received_bytes>},
    {"cannula_script_limit_hits_total", "counter", "channel",
     "Messages whose script ran into a limit.", channel_counter<&ChannelMetrics::limit_hits>},
    {"cannula_script_outcomes_total", "counter", "channel, outcome",
     "Messages by what their script concluded.", outcomes},
    {"cannula_acknowledge_seconds", "histogram", "channel",
     "From the whole message read to its acknowledgement handed to the transport.",
     channel_times<&ChannelMetrics::acknowledge>},
    {"cannula_script_seconds", "histogram", "channel",
     "Work of the script on a message, parse and encode included.",
     channel_times<&ChannelMetrics::work>},
    {"cannula_channel_paused", "gauge", "channel",
     "1 while work is paused: by a person, because the channel is disabled, because the script "
     "runs "
     "into its limits, or because a message cannot be read.",
     channel_paused},
    {"cannula_channel_not_taking", "gauge", "channel",
     "1 while nothing is taken from its senders: paused, no room on the disk, a secret that is not "
     "there, or a port that another program has.",
     not_taking},
    {"cannula_source_not_reached", "gauge", "channel",
     "1 while a source that connects to its sender, or looks into a folder, cannot get there.",
     source_not_reached},
    {"cannula_certificate_expiry_seconds", "gauge", "channel, destination, file",
     "Until the first certificate in the file ends, negative once it has; of a destination where "
     "it has that label, else of the source. Without a sample where the file cannot be read.",
     certificates_end},
    {"cannula_held_back_messages", "gauge", "channel, destination",
     "Messages, or deliveries to the destination, that wait because an earlier one of their order "
     "key is parked, dead or held.",
     all_held_back<&pipeline::HeldBack::messages, held_back>},
    {"cannula_held_back_keys", "gauge", "channel, destination",
     "Order keys that have such behind them.",
     all_held_back<&pipeline::HeldBack::keys, held_back_keys>},
    {"cannula_validation_findings_total", "counter", "channel, severity",
     "What [validate] found wrong with messages and does not ignore.", validation_findings},
    {"cannula_validation_messages_total", "counter", "channel, policy",
     "Messages that [validate] parked or rejected.", validation_messages},
    {"cannula_transport_events_total", "counter", "channel, destination, event",
     "What happened on the wire, as the transport names it; of a destination where it has that "
     "label, else of the source.",
     transport_events},
    {"cannula_deliveries_total", "counter", "channel, destination, result",
     "Attempts at deliveries by how they ended.", deliveries},
    {"cannula_delivery_seconds", "histogram", "channel, destination",
     "Time of one attempt at a delivery.", delivery_times},
    {"cannula_destination_away", "gauge", "channel, destination",
     "1 while a destination does not answer.", standing<is_away>},
    {"cannula_destination_breaker", "gauge", "channel, destination",
     "0 closed, 1 half-open (a probe may go), 2 open.", standing<breaker>},
    {"cannula_destination_failures_in_a_row", "gauge", "channel, destination",
     "Attempts without an answer since the last one.", standing<failures>},
    {"cannula_destination_paused", "gauge", "channel, destination",
     "1 while a person has paused it, or its channel is disabled.", standing<is_paused>},
    {"cannula_destination_window_closed", "gauge", "channel, destination",
     "1 outside its delivery window.", standing<window_closed>},
    {"cannula_destination_in_memory", "gauge", "channel, destination",
     "Deliveries of its queue that are in memory.", standing<in_memory>},
    {"cannula_messages", "gauge", "channel, state", "Messages in the store by state.",
     stored_messages},
    {"cannula_queued_deliveries", "gauge", "channel, destination, state",
     "Deliveries in the store by state.", stored_deliveries},
    {"cannula_journal_bytes_total", "counter", "",
     "Bytes written to the journal since the store was made.", journal_bytes},
    {"cannula_index_behind_bytes", "gauge", "",
     "Bytes of the journal that the index has still to follow.", index_behind},
    {"cannula_store_free_bytes", "gauge", "", "Free bytes on the disk of the store.", free_bytes},
    {"cannula_disk_low", "gauge", "", "1 while nothing new is taken for want of disk space.",
     disk_low},
    {"cannula_journal_stuck", "gauge", "",
     "1 while the journal cannot be written, and nothing is taken.", journal_stuck},
    {"cannula_index_stuck", "gauge", "",
     "1 while the index cannot be written, and counts, lists and searches stand still.",
     index_stuck},
    {"cannula_reload_failed", "gauge", "",
     "1 when the last reload found mistakes, and an older configuration is in use.", reload_failed},
    {"cannula_files_refused", "gauge", "",
     "1 while tables, rules or profiles as they were saved last have mistakes, or rules a test "
     "that "
     "fails, and what they said before is in use.",
     files_refused},
    {"cannula_forgotten_messages_total", "counter", "channel", "Messages that retention forgot.",
     forgotten<&store::PruneReport::Channel::messages>},
    {"cannula_removed_bodies_total", "counter", "channel",
     "Messages whose bodies alone retention removed.",
     forgotten<&store::PruneReport::Channel::bodies>},
    {"cannula_retention_freed_bytes_total", "counter", "",
     "Bytes of the journal's files that retention gave back.", freed_bytes},
    {"cannula_retention_failures_total", "counter", "",
     "Runs of retention that an error ended; the log has it.", retention_failures},
    {"cannula_retention_owed_bytes", "gauge", "",
     "Bytes, about, of what was forgotten and is on the disk still.", owed_bytes},
    {"cannula_oldest_message_seconds", "gauge", "", "Age of the oldest message in the store.",
     oldest_message},
    {"cannula_backup_age_seconds", "gauge", "",
     "Since the last backup of this store that was made began; +Inf before the first.", backup_age},
    {"cannula_last_received_timestamp_seconds", "gauge", "channel",
     "When the channel's last message came, in seconds since 1970; 0 when the store has none.",
     last_received_at},
    {"cannula_oldest_waiting_seconds", "gauge", "channel, destination",
     "Since when the message came that waits longest for this destination; 0 when none waits.",
     oldest_waits},
    {"cannula_script_memory_bytes", "gauge", "", "Memory of all Lua states together.",
     script_memory},
};

}  // namespace

std::string prometheus_page(const Engine& engine) {
  std::string text;
  for (const Family& family : kFamilies) {
    text += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", family.name, family.type, family.help);
    Samples samples(text, family.name);
    family.samples(engine, samples);
  }
  return text;
}

std::string metrics_reference_page() {
  std::string page =
      "# Metrics\n\n"
      "<!-- Generated by `cannula reference metrics`; do not edit. -->\n\n"
      "`GET /metrics` on the admin listener (`admin.listen` of site.toml) answers in Prometheus' "
      "text format 0.0.4. Counters\n"
      "begin at 0 when the engine starts, `cannula_journal_bytes_total` when the store was made. "
      "Histograms have buckets at\n"
      "powers of two of a microsecond up to 67 seconds.\n\n"
      "| name | type | labels | meaning |\n|---|---|---|---|\n";
  for (const Family& family : kFamilies) {
    page += fmt::format("| `{}` | {} | {} | {} |\n", family.name, family.type, family.labels,
                        family.help);
  }
  page +=
      "\n## Events\n\nThe label `event` of `cannula_transport_events_total`:\n\n"
      "| event | meaning |\n|---|---|\n";
  for (const TransportEvent& event : kTransportEvents) {
    page += fmt::format("| `{}` | {} |\n", event.name, event.meaning);
  }
  return page;
}

}  // namespace cannula::ops
