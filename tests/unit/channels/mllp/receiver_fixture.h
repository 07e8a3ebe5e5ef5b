// A receiver with the test's own intake, and a sender in the test's hands.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "channels/mllp/framing/deframer.h"
#include "channels/mllp/receiver.h"
#include "channels/transport/network.h"
#include "parsers/hl7v2/acknowledgement.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

inline std::string message(const std::string& control_id, const std::string& rest = "PID|1||4711\r",
                           const std::string& ends = "") {
  return "MSH|^~\\&|LAB|HOSP|CANNULA|HOSP|20260101120000||ORU^R01^ORU_R01|" + control_id +
         "|P|2.5.1" + ends + "\r" + rest;
}

inline std::string framed(std::string_view content) {
  return "\x0B" + std::string(content) + "\x1C\r";
}

// A sender in a test's hands.
class Client {
 public:
  explicit Client(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

  asio::awaitable<void> write(std::string bytes) {
    const std::array<asio::const_buffer, 1> piece{asio::buffer(bytes)};
    const auto written = co_await stream_->write(piece, kNever);
    EXPECT_TRUE(written) << written.error().text();
  }

  // The next `count` acknowledgements, as "AA control-id"; fewer when the connection ends.
  asio::awaitable<std::vector<std::string>> answers(std::size_t count) {
    std::vector<std::string> found;
    while (found.size() < count) {
      while (!frames_.empty() && found.size() < count) {
        raw.push_back(frames_.front().content);
        frames_.erase(frames_.begin());
        const auto parsed = hl7v2::Acknowledgement::parse(raw.back());
        found.push_back(parsed
                            ? std::string(hl7v2::name_of(parsed->code)) + " " + parsed->control_id
                            : raw.back());
      }
      if (found.size() == count || !co_await read()) break;
    }
    co_return found;
  }

  // Whether the other side closes without another word.
  asio::awaitable<bool> closed() {
    const bool more = co_await read();
    co_return !more && frames_.empty();
  }

  void close() { stream_->close(); }
  Stream& stream() { return *stream_; }

  std::vector<std::string> raw;  // all acknowledgements so far

 private:
  asio::awaitable<bool> read() {
    std::vector<char> buffer(64 * 1024);
    const auto count = co_await stream_->read_some(asio::buffer(buffer), kNever);
    if (!count || *count == 0) co_return false;
    deframer_.feed({buffer.data(), *count}, frames_);
    co_return true;
  }

  std::unique_ptr<Stream> stream_;
  mllp::Deframer deframer_{1 << 20};
  std::vector<mllp::Frame> frames_;
};

class MllpReceiver : public ExecutorTest {
 protected:
  ~MllpReceiver() override {
    receiver.reset();
    io.restart();
    io.run_for(50ms);
  }

  void start(std::map<std::string, std::string> written = {}, const Values* tls = nullptr) {
    if (!written.contains("connect")) written.emplace("listen", "127.0.0.1:0");
    Values values = values_of(mllp::receiver_options(), written);
    if (tls != nullptr) values.set("tls", std::make_shared<const Values>(*tls));
    receiver = mllp::make_receiver(values, ports(), intake).value();
    const auto started = receiver->start();
    ASSERT_TRUE(started) << started.error().text();
  }

  asio::awaitable<std::unique_ptr<Client>> client(std::shared_ptr<TlsContext> tls = nullptr) {
    const Endpoint endpoint = Endpoint::parse(receiver->address()).value();
    auto stream = co_await connect(io.get_executor(), endpoint, tls, kNever);
    EXPECT_TRUE(stream) << stream.error().text();
    co_return std::make_unique<Client>(*std::move(stream));
  }

  FakeIntake intake;
  std::unique_ptr<Receiver> receiver;
};

}  // namespace cannula::test
