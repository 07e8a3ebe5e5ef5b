// A transport of the test's own: messages come in when the test says so, and deliveries are
// answered as the test says.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <future>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "channels/transport/remembering_sender.h"
#include "engine/pipeline/engine.h"
#include "parsers/hl7v2/header.h"

namespace cannula::pipeline {

struct Sent {
  std::string key;
  std::string payload;
};

// Shared by the test, the receivers and the senders.
class FakeWires {
 public:
  // What the other side says to the n-th attempt (from 1) of this payload.
  std::function<Answer(const Parcel&, int attempt)> answer = [](const Parcel&, int) {
    return Answer{Answer::Kind::delivered, make_bytes("OK"), {}, std::nullopt};
  };
  // While it is silent no attempt is answered; how many there were.
  std::atomic<bool> silent{false};
  std::atomic<int> attempts{0};
  // Asked instead where it is set: the sender remembers then. On its executor.
  std::function<boost::asio::awaitable<Remembered>(const Parcel&, Memory&)> deliver_remembering;
  std::atomic<bool> refuse_to_listen{false};
  std::string refuse_to_listen_on;
  // Their ports are another program's, as long as it is so.
  std::set<std::string> ports_in_use_of;
  std::atomic<bool> ports_in_use{false};
  std::atomic<bool> lacks_secret{false};  // the senders, and the receiver of `secret_to_listen_on`
  std::string secret_to_listen_on;
  static Error missing_secret() { return {"P121", "the test has no secret", "give it one"}; }
  std::function<void(const std::string& name)> when_listening;
  std::function<void(const std::string& name)> when_closing;

  // Offers a message without waiting for anything, as a sender does that connects in the middle of
  // a reload.
  std::future<std::vector<Receipt>> offer_later(const std::string& listen, std::string body) {
    const Opening opening = intakes_.at(listen);
    auto arrivals = std::make_shared<std::vector<Arrival>>();
    arrivals->push_back(arrival_of(std::move(body)));
    auto peer = std::make_shared<Peer>();
    ++*opening.under_way;
    return boost::asio::co_spawn(
        opening.executor,
        [opening, arrivals, peer]() -> boost::asio::awaitable<std::vector<Receipt>> {
          auto receipts = co_await opening.intake->offer(*peer, std::move(*arrivals));
          --*opening.under_way;
          co_return receipts;
        },
        boost::asio::use_future);
  }

  // Offers messages on a channel's intake, on its executor, and waits for the receipts.
  std::vector<Receipt> offer(const std::string& listen, std::vector<std::string> bodies) {
    Opening opening;
    {
      std::scoped_lock lock(mutex_);
      opening = intakes_.at(listen);
    }
    std::vector<Arrival> arrivals;
    for (std::string& body : bodies) arrivals.push_back(arrival_of(std::move(body)));
    Peer peer;
    peer.address = "127.0.0.1";
    return boost::asio::co_spawn(
               opening.executor,
               [&]() -> boost::asio::awaitable<std::vector<Receipt>> {
                 co_return co_await opening.intake->offer(peer, std::move(arrivals));
               },
               boost::asio::use_future)
        .get();
  }

  void note(const Parcel& parcel) {
    {
      std::scoped_lock lock(mutex_);
      delivered_.push_back({parcel.key, *parcel.payload});
    }
    changed_.notify_all();
  }
  int attempt_of(const Parcel& parcel) {
    std::scoped_lock lock(mutex_);
    return ++attempts_[parcel.key];
  }
  // What the other side took, once there are at least `count` of them.
  std::vector<Sent> delivered(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60),
                                  [&] { return delivered_.size() >= count; }))
        << delivered_.size() << " of " << count;
    return delivered_;
  }
  std::size_t delivered_count() {
    std::scoped_lock lock(mutex_);
    return delivered_.size();
  }
  // What a receiver listens with, while it does.
  struct Opening {
    Intake* intake = nullptr;
    boost::asio::any_io_executor executor;
    std::shared_ptr<std::atomic<int>> under_way;  // of offer_later(): it ends with them
  };
  void open(const std::string& listen, Opening opening) {
    std::scoped_lock lock(mutex_);
    intakes_.insert_or_assign(listen, std::move(opening));
  }

 private:
  static Arrival arrival_of(std::string body) {
    Arrival arrival;
    const auto header = hl7v2::Message::parse(make_bytes(body));
    if (header) {
      arrival.event = header->type();
      const auto msh = hl7v2::Header::peek(body);
      arrival.control_id = msh->control_id;
      arrival.sender = msh->sending_application;
    }
    arrival.body = make_bytes(std::move(body));
    return arrival;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Sent> delivered_;
  std::map<std::string, int> attempts_;
  std::map<std::string, Opening> intakes_;
};

class FakeReceiver : public Receiver {
 public:
  FakeReceiver(FakeWires& wires, std::string name, Intake& intake,
               boost::asio::any_io_executor executor)
      : wires_(wires), name_(std::move(name)), intake_(intake), executor_(std::move(executor)) {}
  Result<void> start() override {
    if (wires_.lacks_secret && wires_.secret_to_listen_on == name_)
      return FakeWires::missing_secret();
    if (wires_.ports_in_use && wires_.ports_in_use_of.contains(name_))
      return Error{"T101", "cannot listen: address in use", "another program listens there"};
    if (wires_.refuse_to_listen || wires_.refuse_to_listen_on == name_)
      return Error{"T999", "the test refuses to listen"};
    wires_.open(name_, {&intake_, executor_, under_way_});
    if (const auto tell = wires_.when_listening) tell(name_);
    return {};
  }
  boost::asio::awaitable<void> stop(std::chrono::milliseconds grace) override {
    if (const auto tell = wires_.when_closing) tell(name_);
    const auto until = std::chrono::steady_clock::now() + grace;
    boost::asio::steady_timer timer(executor_);
    while (*under_way_ > 0 && std::chrono::steady_clock::now() < until) {
      timer.expires_after(std::chrono::milliseconds(1));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
  }
  std::string address() const override { return "fake:" + name_; }

 private:
  FakeWires& wires_;
  const std::string name_;
  Intake& intake_;
  boost::asio::any_io_executor executor_;
  const std::shared_ptr<std::atomic<int>> under_way_ = std::make_shared<std::atomic<int>>(0);
};

class FakeSender : public RememberingSender {
 public:
  FakeSender(FakeWires& wires, boost::asio::any_io_executor executor)
      : wires_(wires), executor_(executor) {}
  boost::asio::awaitable<Answer> deliver(const Parcel& parcel) override {
    co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    ++wires_.attempts;
    boost::asio::steady_timer timer(executor_);
    while (wires_.silent && !stopped_) {
      timer.expires_after(std::chrono::milliseconds(1));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    if (wires_.silent) {
      co_return Answer{Answer::Kind::retry, {}, Error{"T358", "stopped"}, std::nullopt};
    }
    Answer answer = wires_.answer(parcel, wires_.attempt_of(parcel));
    if (answer.kind == Answer::Kind::delivered) wires_.note(parcel);
    co_return answer;
  }
  std::size_t concurrency() const override { return 4; }
  bool remembers() const override { return static_cast<bool>(wires_.deliver_remembering); }
  boost::asio::awaitable<Remembered> deliver_remembering(const Parcel& parcel,
                                                         Memory& memory) override {
    Remembered ended = co_await wires_.deliver_remembering(parcel, memory);
    if (ended.answer.kind == Answer::Kind::delivered) wires_.note(parcel);
    co_return ended;
  }
  boost::asio::awaitable<void> stop() override {
    stopped_ = true;
    co_return;
  }

 private:
  FakeWires& wires_;
  boost::asio::any_io_executor executor_;
  bool stopped_ = false;
};

inline const Option kFakeOptions[] = {{"listen", OptionType::text, "The name of the intake."}};

inline Transport fake_transport(FakeWires& wires) {
  Transport transport;
  transport.type = "fake";
  transport.description = "A transport of the test's own.";
  transport.source_options = kFakeOptions;
  transport.destination_options = kFakeOptions;
  transport.make_receiver = [&wires](const Values& values, Ports ports,
                                     Intake& intake) -> Result<std::unique_ptr<Receiver>> {
    return std::unique_ptr<Receiver>(
        std::make_unique<FakeReceiver>(wires, values.text("listen"), intake, ports.executor));
  };
  transport.make_sender = [&wires](const Values& values,
                                   Ports ports) -> Result<std::unique_ptr<Sender>> {
    if (wires.lacks_secret && values.has("listen")) return FakeWires::missing_secret();
    return std::unique_ptr<Sender>(std::make_unique<FakeSender>(wires, ports.executor));
  };
  return transport;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cannula-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A message of an invented patient: `patient` in PID-3.1, `number` in MSH-10.
inline std::string oru(int number, const std::string& patient, const std::string& more = "") {
  return "MSH|^~\\&|LAB|GEN|EHR|GEN|20260101120000+0000||ORU^R01^ORU_R01|N" +
         std::to_string(number) + "|P|2.5.1\rPID|1||" + patient +
         "^^^GEN^MR||Invented^Ina\rOBX|1|NM|K^Potassium||" + std::to_string(number) + "|mmol/L" +
         more + "\r";
}

}  // namespace cannula::pipeline
