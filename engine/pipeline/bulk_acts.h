// Sending again, or ending, all that a query finds: in the order of the messages, at a rate, each
// on a thread of its own, until it is through or a person cancels it.
//
// It works on what the query found when it began: what dies anew meanwhile is not sent in a circle.
// It is not continued over a restart; what it did not come to is as it was.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/pipeline/acts.h"
#include "engine/store/store.h"

namespace cannula::pipeline {

struct BulkOrder {
  enum class Act { resend, discard } act = Act::resend;
  store::LetterQuery of;
  std::uint32_t rate = 0;  // so many a second; 0: as fast as the store takes them
  std::string actor;
  std::string reason;
};

struct BulkProgress {
  std::uint32_t number = 0;  // counts from 1 since the engine started
  BulkOrder order;
  enum class State { running, done, cancelled, failed } state = State::running;
  std::size_t total = 0;
  std::size_t done = 0;
  std::size_t passed_over = 0;  // had gone on or ended by the time
  std::size_t under_way = 0;    // as BulkDone::under_way
  store::Timestamp began = 0;
  store::Timestamp ended = 0;  // 0: it runs
  std::string cancelled_by;
  std::optional<Error> failure;
};

std::string_view name_of(BulkOrder::Act act);  // "replay", "discard"
std::string_view name_of(BulkProgress::State state);
// "replay 3: dead of lab to ehr, T353", and for the log with how far it is: "…: 500 of 1200, 2 passed
// over, cancelled". No patient data.
std::string subject_of(const BulkProgress& progress);
std::string describe(const BulkProgress& progress);

// Thread-safe.
class BulkActs {
 public:
  // How it reaches the store; called on its threads, and each may block. All but `find` and `act`
  // may be empty.
  struct Hands {
    std::function<Result<std::vector<store::Letter>>(const store::LetterQuery&)> find;
    std::function<Result<BulkDone>(const BulkOrder&, std::span<const store::Letter>)> act;
    // False: scripts that are to run again wait.
    std::function<bool(const BulkOrder&)> has_room{};
    // Before the first is done; an error, and nothing is.
    std::function<Result<void>(const BulkProgress&)> began{};
    std::function<void(const BulkProgress&)> ended{};
  };
  explicit BulkActs(Hands hands) : hands_(std::move(hands)) {}
  ~BulkActs();

  // Answers as soon as it has been found what it is about. P320 when too many are running.
  Result<BulkProgress> begin(BulkOrder order);
  // Answers when it has stopped; what is done stays done. P321 when there is no such number.
  Result<BulkProgress> cancel(std::uint32_t number, const std::string& by);
  // Until it has ended. P321.
  Result<BulkProgress> wait(std::uint32_t number);
  // What runs, and the last that ended; the newest first.
  std::vector<BulkProgress> all() const;
  // Cancels all and waits for them. Nothing begins afterwards.
  void stop();

 private:
  struct Running;
  void run(const std::shared_ptr<Running>& running);
  bool pause(Running& running, std::chrono::steady_clock::time_point until);
  std::shared_ptr<Running> found(std::uint32_t number) const;
  void join_ended();

  const Hands hands_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Running>> acts_;
  std::uint32_t last_number_ = 0;
  bool stopped_ = false;
};

}  // namespace cannula::pipeline
