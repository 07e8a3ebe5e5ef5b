// A receiver that speaks TLS: who may send, and certificates that are renewed.
#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/mllp/receiver_fixture.h"

namespace cannula::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(MllpReceiver, SpeaksTlsWithClientCertificates) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const auto lab = authority.issue("lab", {"DNS:reference-lab.example"});
  const Values server_values =
      values_of(tls_server_options(), {{"certificate", server.certificate},
                                       {"key", server.key},
                                       {"client_ca", authority.certificate()}});
  const Values client_values = values_of(
      tls_client_options(),
      {{"ca", authority.certificate()}, {"certificate", lab.certificate}, {"key", lab.key}});
  const auto tls = make_client_tls(&client_values, ports()).value();
  start({}, &server_values);
  run([&]() -> asio::awaitable<void> {
    auto sender = co_await client(tls);
    co_await sender->write(framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
    auto plain = co_await client();
    co_await plain->write(framed(message("2")));
    const auto refused = co_await plain->answers(1);
    EXPECT_THAT(refused, testing::Not(testing::Contains(HasSubstr("AA"))));
  }());
  ASSERT_EQ(intake.peers.size(), 1u);
  EXPECT_TRUE(intake.peers[0].over_tls);
  EXPECT_THAT(intake.peers[0].certificate_names, ElementsAre("reference-lab.example"));
  EXPECT_EQ(report.lines_with("[T106]"), 1u);
}

TEST_F(MllpReceiver, SaysOfManyBadHandshakesOnlyTheFirst) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const Values server_values =
      values_of(tls_server_options(), {{"certificate", server.certificate}, {"key", server.key}});
  start({}, &server_values);
  run([this]() -> asio::awaitable<void> {
    for (int i = 0; i < 20; ++i) {
      auto plain = co_await client();
      co_await plain->write(framed(message("1")));
      co_await plain->answers(1);
    }
  }());
  EXPECT_EQ(report.counted("connections_failed_total"), 20);
  EXPECT_EQ(report.lines_with("[T106]"), 1u);
}

// They need no certificate for that.
TEST_F(MllpReceiver, ThoseThatBeginNoHandshakeDoNotShutOutThoseThatWork) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const Values server_values =
      values_of(tls_server_options(), {{"certificate", server.certificate}, {"key", server.key}});
  const Values client_values = values_of(tls_client_options(), {{"ca", authority.certificate()}});
  const auto tls = make_client_tls(&client_values, ports()).value();
  start({{"max_connections", "4"}}, &server_values);
  run([&]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> sitting;
    for (int i = 0; i < 20; ++i) sitting.push_back(co_await client());
    auto sender = co_await client(tls);
    co_await sender->write(framed(message("1")));
    const auto answers = co_await sender->answers(1);
    EXPECT_THAT(answers, ElementsAre("AA 1"));
    const bool closed = co_await sitting[0]->closed();
    EXPECT_TRUE(closed);
  }());
  EXPECT_EQ(report.counted("connections_refused_total"), 0);
  EXPECT_EQ(report.counted("connections_evicted_total"), 17);
}

TEST_F(MllpReceiver, UsesRenewedCertificatesForNewConnectionsAndKeepsTheOldOnes) {
  Authority authority(folder.path, "authority");
  const auto server = authority.issue("server", {"IP:127.0.0.1"});
  const Values server_values =
      values_of(tls_server_options(), {{"certificate", server.certificate}, {"key", server.key}});
  const Values client_values = values_of(tls_client_options(), {{"ca", authority.certificate()}});
  const auto tls = make_client_tls(&client_values, ports()).value();
  start({}, &server_values);
  run([&]() -> asio::awaitable<void> {
    auto old = co_await client(tls);
    const Endpoint endpoint = Endpoint::parse(receiver->address()).value();
    authority.issue("server", {"DNS:other.example"});
    auto other = co_await connect(io.get_executor(), endpoint, tls, kNever);
    EXPECT_FALSE(other) << "the certificate in the file names another host now";
    folder.write("server.pem", "not a certificate");
    auto still = co_await connect(io.get_executor(), endpoint, tls, kNever);
    EXPECT_FALSE(still);
    authority.issue("server", {"IP:127.0.0.1"});
    auto renewed = co_await client(tls);
    for (Client* one : {old.get(), renewed.get()}) {
      co_await one->write(framed(message("1")));
      const auto answers = co_await one->answers(1);
      EXPECT_THAT(answers, ElementsAre("AA 1"));
    }
  }());
  EXPECT_EQ(report.lines_with("new connections use what is in them now"), 2u);
  EXPECT_EQ(report.lines_with("cannot be used"), 1u);
}

}  // namespace
}  // namespace cannula::test
