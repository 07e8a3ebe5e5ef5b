// One channel's place on a listener: its path, its limits, and the way to its intake. Channels that
// share a listener are served by connections on one executor and have their intakes on others; what
// crosses from one to the other does so here.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "channels/http/target.h"
#include "channels/transport/places.h"
#include "channels/transport/transport.h"

namespace cannula::http {

// What holds before the path of a request is known: of several channels the most generous counts.
struct ListenerLimits {
  Places::Limits places;
  std::size_t max_header = 0;
  std::size_t max_memory = 0;  // bytes of all bodies that are being read or offered
  std::chrono::milliseconds header_timeout{};
  std::chrono::milliseconds idle_timeout{};
  std::chrono::milliseconds write_timeout{};
  std::chrono::milliseconds handshake_timeout{};

  ListenerLimits widened_by(const ListenerLimits& other) const;
};

struct MountSettings {
  PathPattern path;
  std::vector<std::string> methods;
  bool processed = false;  // answered with what the script made of it, else once it is stored
  std::string key_header = "idempotency-key";  // names a request that is no HL7 v2
  std::size_t max_size = 0;
  std::chrono::milliseconds body_timeout{};  // without a byte; and see Connection
  ListenerLimits limits;
};

// Passes reports on until the channel has gone; from any thread.
class DetachableReport final : public Report {
 public:
  explicit DetachableReport(Report& target) : target_(&target) {}
  void log(Level level, std::string_view text) override;
  void count(std::string_view counter, std::int64_t by) override;
  void turned_away(std::string_view counter, const std::string& address, const Error& why) override;
  void detach();

 private:
  std::mutex mutex_;
  Report* target_;
};

class Mount {
 public:
  Mount(MountSettings settings, Ports ports, Intake& intake);

  // Any thread.
  const MountSettings& settings() const { return settings_; }
  DetachableReport& report() { return report_; }
  // Whether it takes requests. What was begun before is finished.
  bool open() const { return open_; }
  // Whether its intake may admit this address; see Intake::address_filter().
  bool admits_address(const std::string& address) const {
    return !address_filter_ || address_filter_(address);
  }
  // Has the intake log and audit that it was not.
  static void note_refused_address(const std::shared_ptr<Mount>& mount, const std::string& address);
  void close() { open_ = false; }

  // An answer on its way: stop() waits for those.
  class Exchange {
   public:
    explicit Exchange(std::shared_ptr<Mount> mount);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

   private:
    std::shared_ptr<Mount> mount_;
  };
  // Calls `quiet` as soon as no exchange is open: perhaps at once, from any thread, once.
  void when_quiet(std::function<void()> quiet);

  // On the mount's own executor: the intake is not touched any more.
  void abandon();

  // What a connection asks, and waits for on its own executor. It may stop waiting by cancelling
  // the timer; then the answer is dropped when it comes.
  struct Question {
    explicit Question(const boost::asio::any_io_executor& executor)
        : answered(executor, std::chrono::steady_clock::time_point::max()) {}
    boost::asio::steady_timer answered;
    std::optional<Result<void>> admission;
    std::optional<Receipt> receipt;
  };
  // Call on the executor of the question's timer, which is cancelled when the answer is there.
  static void ask_admission(const std::shared_ptr<Mount>& mount,
                            const std::shared_ptr<Question>& question, Peer peer);
  static void offer(const std::shared_ptr<Mount>& mount, const std::shared_ptr<Question>& question,
                    Peer peer, Arrival arrival);

 private:
  boost::asio::awaitable<Receipt> take(Peer peer, Arrival arrival);
  static boost::asio::awaitable<void> answer(std::shared_ptr<Mount> mount,
                                             std::weak_ptr<Question> question,
                                             boost::asio::any_io_executor asker, Peer peer,
                                             Arrival arrival);

  const MountSettings settings_;
  const boost::asio::any_io_executor executor_;
  DetachableReport report_;
  const std::function<bool(const std::string&)> address_filter_;
  Intake* intake_;  // null once abandoned
  std::atomic<bool> open_{true};

  std::mutex mutex_;
  std::size_t exchanges_ = 0;
  std::function<void()> quiet_;
};

}  // namespace cannula::http
