// Channels that share a listener, each on a thread of its own as in the engine, while one of them
// is reloaded again and again.
#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "channels/http/http.h"
#include "channels/http/receiver.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

using asio::ip::tcp;

class SilentReport final : public Report {
 public:
  void log(Level, std::string_view) override {}
  void count(std::string_view, std::int64_t) override {}
};

// One channel: its thread, its intake, and its receiver, which comes and goes.
class Channel {
 public:
  explicit Channel(Transport& transport) : transport_(transport) {}
  ~Channel() {
    stop();
    context_.stop();
    thread_.join();
  }

  void start(const std::string& listen, const std::string& path) {
    intake_ = std::make_unique<FakeIntake>();
    report_ = std::make_unique<SilentReport>();
    there([&] {
      const Values values =
          values_of(transport_.source_options, {{"listen", listen}, {"path", path}});
      const Ports ports{context_.get_executor(), *report_, {}, {}};
      receiver_ = transport_.make_receiver(values, ports, *intake_).value();
      const auto started = receiver_->start();
      EXPECT_TRUE(started) << started.error().text();
    });
  }

  // As the engine does: stop, then the receiver goes, then what it was given.
  void stop() {
    if (!receiver_) return;
    asio::co_spawn(context_, receiver_->stop(10s), asio::use_future).get();
    there([&] {
      taken_ += intake_->arrivals.size();
      receiver_.reset();
    });
    intake_.reset();
    report_.reset();
  }

  std::string address() {
    std::string text;
    there([&] { text = receiver_->address(); });
    return text;
  }
  std::size_t taken() const { return taken_; }  // after stop()

 private:
  template <class Work>
  void there(Work work) {
    std::packaged_task<void()> task(std::move(work));
    asio::post(context_, [&task] { task(); });
    task.get_future().get();
  }

  Transport& transport_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> busy_{context_.get_executor()};
  std::thread thread_{[this] { context_.run(); }};
  std::unique_ptr<FakeIntake> intake_;
  std::unique_ptr<SilentReport> report_;
  std::unique_ptr<Receiver> receiver_;
  std::size_t taken_ = 0;
};

// Sends to `path` until it is told to stop; counts what was taken and what it was told otherwise.
struct Sending {
  std::size_t taken = 0, away = 0, other = 0;

  void run(const std::string& address, const std::string& path, const std::atomic<bool>& stop) {
    asio::io_context io;
    const Endpoint endpoint = Endpoint::parse(address).value();
    tcp::socket socket(io);
    const std::string request =
        "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    while (!stop) {
      boost::system::error_code failure;
      if (!socket.is_open()) {
        socket.connect({asio::ip::make_address(endpoint.host), endpoint.port}, failure);
      }
      if (!failure) asio::write(socket, asio::buffer(request), failure);
      std::string answer;
      if (!failure) asio::read_until(socket, asio::dynamic_buffer(answer), "}\n", failure);
      if (failure) {
        ++other;
        socket.close(failure);
        continue;
      }
      taken += answer.starts_with("HTTP/1.1 202") ? 1 : 0;
      away += answer.starts_with("HTTP/1.1 503") ? 1 : 0;
      if (answer.find("Connection: close") != std::string::npos) socket.close(failure);
    }
  }
};

TEST(SharedListener, ReloadsOfOneChannelCostTheOtherNothing) {
  Transport transport = http::transport();
  Channel first(transport), second(transport);
  first.start("127.0.0.1:0", "/first");
  second.start("127.0.0.1:0", "/second");
  const std::string address = first.address();
  ASSERT_EQ(second.address(), address);

  std::atomic<bool> stop{false};
  Sending to_first, to_second, also_to_first;
  std::thread a([&] { to_first.run(address, "/first", stop); });
  std::thread b([&] { to_second.run(address, "/second", stop); });
  std::thread c([&] { also_to_first.run(address, "/first", stop); });
  for (int i = 0; i < 100; ++i) {
    first.stop();  // the one that opened the listener
    std::this_thread::sleep_for(1ms);
    first.start("127.0.0.1:0", "/first");
    std::this_thread::sleep_for(3ms);
  }
  stop = true;
  a.join();
  b.join();
  c.join();
  first.stop();
  second.stop();
  EXPECT_GT(to_second.taken, 0u);
  EXPECT_EQ(to_second.away + to_second.other, 0u);
  EXPECT_EQ(second.taken(), to_second.taken);
  EXPECT_GT(to_first.taken, 0u);
  EXPECT_EQ(to_first.other + also_to_first.other, 0u) << "always an answer";
  EXPECT_EQ(first.taken(), to_first.taken + also_to_first.taken) << "what was taken was told";
}

}  // namespace

}  // namespace cannula::test
