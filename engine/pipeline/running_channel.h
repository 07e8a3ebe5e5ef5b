// One channel of an engine as it runs, for the files that make up engine.h.
#pragma once

#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include "engine/pipeline/engine.h"

namespace cannula::pipeline {

// What a transport reports, to the log, the metrics and the trail.
class WireReport : public Report {
 public:
  // `audit`, of a source that listens: told of connections that did not come about. Otherwise null:
  // a peer that we cannot reach is no security event.
  WireReport(std::string name, NamedCounters& counters, audit::Log* audit = nullptr,
             std::string channel = {})
      : name_(std::move(name)), counters_(counters), audit_(audit), channel_(std::move(channel)) {}
  void log(Level level, std::string_view text) override;
  void count(std::string_view counter, std::int64_t by) override;
  void turned_away(std::string_view counter, const std::string& address, const Error& why) override;
  void reached() override;
  void not_reached(const Error& why) override;
  // Nothing while the source gets there, or does not go anywhere. Any thread.
  std::optional<NotReached> standing() const;

 private:
  const std::string name_;
  NamedCounters& counters_;
  audit::Log* const audit_;
  const std::string channel_;
  mutable std::mutex mutex_;
  std::optional<NotReached> not_reached_;
};

struct Engine::Running {
  config::ChannelConfig config;
  std::shared_ptr<Channel> channel;
  std::shared_ptr<ChannelIntake> intake;  // of its source as it was opened last
  std::unique_ptr<WireReport> source_report;
  std::vector<std::unique_ptr<WireReport>> destination_reports;
  std::vector<boost::asio::any_io_executor> destination_executors;
  boost::asio::any_io_executor executor;
  std::unique_ptr<Receiver> receiver;  // made and used on `executor`
  std::string address;
  std::optional<NotReached> not_open;       // why its source is not, and is tried again
  std::vector<Diagnostic> missing_secrets;  // of its destinations
};

// Runs `work` where `executor` runs and waits for it.
template <class Work>
auto run_there(boost::asio::any_io_executor executor, Work work) {
  std::packaged_task<decltype(work())()> task(std::move(work));
  auto result = task.get_future();
  boost::asio::post(executor, [&task] { task(); });
  return result.get();
}

}  // namespace cannula::pipeline
