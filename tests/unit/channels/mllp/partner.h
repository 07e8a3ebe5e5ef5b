// A receiver in a test's hands, and a sender that delivers to it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "channels/mllp/framing/deframer.h"
#include "channels/mllp/sender.h"
#include "channels/transport/network.h"
#include "parsers/hl7v2/header.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

// A receiver that does to each frame what the test says.
class Partner {
 public:
  // The bytes to answer with; nothing to close instead.
  using Behaviour = std::function<std::optional<std::string>(const std::string& control_id)>;

  Partner(asio::io_context& io, Report& report, Behaviour behaviour, std::uint16_t port = 0)
      : io_(io),
        behaviour_(std::move(behaviour)),
        listener_(Listener::open(io.get_executor(), Endpoint{"127.0.0.1", port}, report).value()) {
    asio::co_spawn(io, accept_all(this, listener_), asio::detached);
  }
  ~Partner() { stop(); }

  void stop() {
    listener_->close();
    for (Stream* stream : open) stream->close();
  }
  std::string address() const { return listener_->address(); }

  std::vector<std::string> received;  // contents of the frames
  std::size_t connections = 0;
  std::set<Stream*> open;

 private:
  static asio::awaitable<void> accept_all(Partner* self, std::shared_ptr<Listener> listener) {
    while (auto socket = co_await listener->accept()) {
      ++self->connections;
      asio::co_spawn(self->io_, self->serve(*std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve(asio::ip::tcp::socket socket) {
    auto stream = (co_await accept_stream(std::move(socket), nullptr, kNever)).value();
    open.insert(stream.get());
    mllp::Deframer deframer(16 << 20);
    std::vector<char> buffer(64 * 1024);
    for (bool go_on = true; go_on;) {
      const auto count = co_await stream->read_some(asio::buffer(buffer), kNever);
      if (!count || *count == 0) break;
      std::vector<mllp::Frame> frames;
      deframer.feed({buffer.data(), *count}, frames);
      for (const mllp::Frame& frame : frames) {
        received.push_back(frame.content);
        const auto header = hl7v2::Header::peek(frame.content);
        const auto answer = behaviour_(header ? std::string(header->control_id) : "");
        if (!answer) {
          go_on = false;
          break;
        }
        const std::array<asio::const_buffer, 1> piece{asio::buffer(*answer)};
        co_await stream->write(piece, kNever);
      }
    }
    open.erase(stream.get());
  }

  asio::io_context& io_;
  Behaviour behaviour_;
  std::shared_ptr<Listener> listener_;
};

class MllpSenderTest : public ExecutorTest {
 public:
  ~MllpSenderTest() override {
    sender.reset();
    if (partner) partner->stop();
    settle();
    partner.reset();
    settle();
  }
  void settle() {
    io.restart();
    io.run_for(30ms);
  }

  void start(Partner::Behaviour behaviour, std::map<std::string, std::string> written = {}) {
    partner = std::make_unique<Partner>(io, report, std::move(behaviour));
    connect_to(partner->address(), std::move(written));
  }
  void connect_to(const std::string& address, std::map<std::string, std::string> written = {},
                  const Values* tls = nullptr) {
    written.emplace("address", address);
    Values values = values_of(mllp::sender_options(), written);
    if (tls != nullptr) values.set("tls", std::make_shared<const Values>(*tls));
    sender = mllp::make_sender(values, ports()).value();
  }

  asio::awaitable<Answer> deliver(std::string payload) {
    Parcel parcel;
    parcel.payload = make_bytes(std::move(payload));
    co_return co_await sender->deliver(parcel);
  }

  std::unique_ptr<Partner> partner;
  std::unique_ptr<Sender> sender;
};

}  // namespace cannula::test
