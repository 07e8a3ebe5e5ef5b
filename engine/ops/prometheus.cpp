#include "engine/ops/prometheus.h"

#include <fmt/format.h>

#include "engine/pipeline/engine.h"

namespace cannula::ops {
namespace {

using pipeline::ChannelView;
using pipeline::Histogram;

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

class Page {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void sample(std::string_view name, const std::string& labels, double value) {
    text_ += fmt::format("{}{{{}}} {}\n", name, labels, value);
  }
  void plain(std::string_view name, double value) { text_ += fmt::format("{} {}\n", name, value); }
  void histogram(std::string_view name, const std::string& labels, const Histogram& histogram) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
      below += histogram.count(i);
      text_ += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels,
                           static_cast<double>(1ull << i) / 1e6, below);
    }
    below += histogram.count(Histogram::kBuckets);
    text_ += fmt::format(
        "{}_bucket{{{},le=\"+Inf\"}} {}\n{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, labels, below,
        name, labels, static_cast<double>(histogram.sum_microseconds()) / 1e6, name, labels, below);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

template <class Visit>
void each_destination(const pipeline::Engine& engine, Visit visit) {
  engine.each_channel([&](const ChannelView& view) {
    for (const auto& [name, destination] : view.channel.destinations()) {
      visit(label("channel", view.channel.name()) + "," + label("destination", name), *destination);
    }
  });
}

void channel_counters(const pipeline::Engine& engine, Page& page) {
  using Metrics = pipeline::ChannelMetrics;
  struct Family {
    std::string_view name, help;
    pipeline::Counter Metrics::*counter;
  };
  static constexpr Family kFamilies[] = {
      {"cannula_messages_received_total", "Messages accepted and on disk.", &Metrics::received},
      {"cannula_messages_refused_total", "Messages refused by intake and kept as rejected.",
       &Metrics::refused},
      {"cannula_messages_not_taken_total", "Messages whose sender was told to try again.",
       &Metrics::not_taken},
      {"cannula_received_bytes_total", "Bytes of accepted messages.", &Metrics::received_bytes},
      {"cannula_script_limit_hits_total", "Messages whose script ran into a limit.",
       &Metrics::limit_hits},
  };
  for (const Family& family : kFamilies) {
    page.family(family.name, "counter", family.help);
    engine.each_channel([&](const ChannelView& view) {
      page.sample(family.name, label("channel", view.channel.name()),
                  static_cast<double>((view.channel.metrics().*family.counter).load()));
    });
  }
  page.family("cannula_script_outcomes_total", "counter",
              "Messages by what their script concluded.");
  engine.each_channel([&](const ChannelView& view) {
    const Metrics& metrics = view.channel.metrics();
    const std::string channel = label("channel", view.channel.name());
    const std::pair<std::string_view, const pipeline::Counter*> kinds[] = {
        {"finished", &metrics.finished},
        {"filtered", &metrics.filtered},
        {"parked", &metrics.parked},
        {"rejected", &metrics.rejected},
        {"dead", &metrics.dead}};
    for (const auto& [kind, counter] : kinds) {
      page.sample("cannula_script_outcomes_total", channel + "," + label("outcome", kind),
                  static_cast<double>(counter->load()));
    }
  });
}

void channel_times(const pipeline::Engine& engine, Page& page) {
  page.family("cannula_acknowledge_seconds", "histogram",
              "From the whole message read to its acknowledgement handed to the transport.");
  engine.each_channel([&](const ChannelView& view) {
    page.histogram("cannula_acknowledge_seconds", label("channel", view.channel.name()),
                   view.channel.metrics().acknowledge);
  });
  page.family("cannula_script_seconds", "histogram",
              "Work of the script on a message, parse and encode included.");
  engine.each_channel([&](const ChannelView& view) {
    page.histogram("cannula_script_seconds", label("channel", view.channel.name()),
                   view.channel.metrics().work);
  });
  page.family("cannula_channel_paused", "gauge",
              "1 while work is paused because the script runs into its limits.");
  engine.each_channel([&](const ChannelView& view) {
    page.sample("cannula_channel_paused", label("channel", view.channel.name()),
                view.channel.paused() ? 1 : 0);
  });
  page.family("cannula_validation_findings_total", "counter",
              "What [validate] found wrong with messages and does not ignore.");
  engine.each_channel([&](const ChannelView& view) {
    const auto& metrics = view.channel.metrics();
    const std::string channel = label("channel", view.channel.name()) + ",";
    page.sample("cannula_validation_findings_total", channel + label("severity", "error"),
                static_cast<double>(metrics.validation_errors.load()));
    page.sample("cannula_validation_findings_total", channel + label("severity", "warning"),
                static_cast<double>(metrics.validation_warnings.load()));
  });
  page.family("cannula_validation_messages_total", "counter",
              "Messages that [validate] parked or rejected.");
  engine.each_channel([&](const ChannelView& view) {
    const auto& metrics = view.channel.metrics();
    const std::string channel = label("channel", view.channel.name()) + ",";
    page.sample("cannula_validation_messages_total", channel + label("policy", "park"),
                static_cast<double>(metrics.validation_parked.load()));
    page.sample("cannula_validation_messages_total", channel + label("policy", "reject"),
                static_cast<double>(metrics.validation_rejected.load()));
  });
  page.family("cannula_transport_events_total", "counter",
              "What happened on the wire, as the transport names it.");
  engine.each_channel([&](const ChannelView& view) {
    for (const auto& [name, value] : view.channel.metrics().transport.snapshot()) {
      page.sample("cannula_transport_events_total",
                  label("channel", view.channel.name()) + "," + label("event", name),
                  static_cast<double>(value));
    }
  });
}

void destinations(const pipeline::Engine& engine, Page& page) {
  page.family("cannula_deliveries_total", "counter", "Attempts at deliveries by how they ended.");
  each_destination(
      engine, [&](const std::string& labels, const pipeline::Destination& destination) {
        const auto& metrics = destination.metrics();
        const std::pair<std::string_view, std::uint64_t> kinds[] = {
            {"delivered", metrics.delivered}, {"retried", metrics.retried}, {"dead", metrics.dead}};
        for (const auto& [kind, value] : kinds) {
          page.sample("cannula_deliveries_total", labels + "," + label("result", kind),
                      static_cast<double>(value));
        }
      });
  page.family("cannula_delivery_seconds", "histogram", "Time of one attempt at a delivery.");
  each_destination(
      engine, [&](const std::string& labels, const pipeline::Destination& destination) {
        page.histogram("cannula_delivery_seconds", labels, destination.metrics().deliver);
      });
  struct Gauge {
    std::string_view name, help;
    double (*value)(const pipeline::Standing&);
  };
  using pipeline::Standing;
  static constexpr Gauge kGauges[] = {
      {"cannula_destination_away", "1 while a destination does not answer.",
       [](const Standing& s) { return s.breaker == pipeline::Breaker::State::closed ? 0.0 : 1.0; }},
      {"cannula_destination_breaker", "0 closed, 1 half-open (a probe may go), 2 open.",
       [](const Standing& s) {
         return s.breaker == pipeline::Breaker::State::closed      ? 0.0
                : s.breaker == pipeline::Breaker::State::half_open ? 1.0
                                                                   : 2.0;
       }},
      {"cannula_destination_failures_in_a_row", "Attempts without an answer since the last one.",
       [](const Standing& s) { return static_cast<double>(s.failures_in_a_row); }},
      {"cannula_destination_paused", "1 while a person has paused it.",
       [](const Standing& s) { return s.paused ? 1.0 : 0.0; }},
      {"cannula_destination_window_closed", "1 outside its delivery window.",
       [](const Standing& s) { return s.window_closed ? 1.0 : 0.0; }},
      {"cannula_destination_in_memory", "Deliveries of its queue that are in memory.",
       [](const Standing& s) { return static_cast<double>(s.in_memory); }},
  };
  for (const Gauge& gauge : kGauges) {
    page.family(gauge.name, "gauge", gauge.help);
    each_destination(engine,
                     [&](const std::string& labels, const pipeline::Destination& destination) {
                       page.sample(gauge.name, labels, gauge.value(destination.standing()));
                     });
  }
}

void stored(const pipeline::Engine& engine, Page& page) {
  if (auto counts = engine.store().counts()) {
    page.family("cannula_messages", "gauge", "Messages in the store by state.");
    for (const auto& count : *counts) {
      if (!count.destination.empty()) continue;
      page.sample("cannula_messages",
                  label("channel", count.channel) + "," + label("state", count.state),
                  static_cast<double>(count.count));
    }
    page.family("cannula_queued_deliveries", "gauge", "Deliveries in the store by state.");
    for (const auto& count : *counts) {
      if (count.destination.empty()) continue;
      page.sample("cannula_queued_deliveries",
                  label("channel", count.channel) + "," + label("destination", count.destination) +
                      "," + label("state", count.state),
                  static_cast<double>(count.count));
    }
  }
  page.family("cannula_journal_bytes_total", "counter",
              "Bytes written to the journal since the store was made.");
  page.plain("cannula_journal_bytes_total", static_cast<double>(engine.store().end()));
  page.family("cannula_index_behind_bytes", "gauge",
              "Bytes of the journal that the index has still to follow.");
  page.plain("cannula_index_behind_bytes",
             static_cast<double>(engine.store().end() -
                                 std::min(engine.store().end(), engine.store().indexed_up_to())));
  if (auto free = engine.store().free_space()) {
    page.family("cannula_store_free_bytes", "gauge", "Free bytes on the disk of the store.");
    page.plain("cannula_store_free_bytes", static_cast<double>(*free));
  }
  page.family("cannula_disk_low", "gauge", "1 while nothing new is taken for want of disk space.");
  page.plain("cannula_disk_low", engine.disk_low() ? 1 : 0);
  page.family("cannula_script_memory_bytes", "gauge", "Memory of all Lua states together.");
  page.plain("cannula_script_memory_bytes", static_cast<double>(engine.script_memory_used()));
}

}  // namespace

std::string prometheus_page(const pipeline::Engine& engine) {
  Page page;
  channel_counters(engine, page);
  channel_times(engine, page);
  destinations(engine, page);
  stored(engine, page);
  return page.take();
}

}  // namespace cannula::ops
