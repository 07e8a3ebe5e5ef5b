#include "channels/transport/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using StreamResult = Result<std::unique_ptr<Stream>>;

std::array<asio::const_buffer, 1> one(std::string_view text) {
  return {asio::buffer(text)};
}

class Network : public ExecutorTest {
 protected:
  struct Pair {
    StreamResult server{Error{"none", "", "", std::nullopt}};
    StreamResult client{Error{"none", "", "", std::nullopt}};
  };

  // Both ends of a connection through a listener of its own.
  asio::awaitable<void> connect_pair(Pair& pair, std::shared_ptr<TlsContext> server_tls = nullptr,
                                     std::shared_ptr<TlsContext> client_tls = nullptr,
                                     std::string host = "127.0.0.1") {
    auto listener = Listener::open(io.get_executor(), Endpoint{"127.0.0.1", 0}, report).value();
    auto accepted = std::make_shared<std::optional<StreamResult>>();
    asio::co_spawn(
        io,
        [](Listener& listening, std::shared_ptr<TlsContext> tls,
           std::shared_ptr<std::optional<StreamResult>> out) -> asio::awaitable<void> {
          auto socket = co_await listening.accept();
          out->emplace(co_await accept_stream(*std::move(socket), tls, kNever));
        }(*listener, server_tls, accepted),
        asio::detached);
    const Endpoint target{host, Endpoint::parse(listener->address())->port};
    pair.client = co_await connect(io.get_executor(), target, client_tls, kNever);
    co_await until([&] { return accepted->has_value(); });
    pair.server = std::move(**accepted);
  }

  std::shared_ptr<TlsContext> server_tls(const std::map<std::string, std::string>& written) {
    const Values values = values_of(tls_server_options(), written);
    return make_server_tls(&values, ports()).value();
  }
  std::shared_ptr<TlsContext> client_tls(const std::map<std::string, std::string>& written) {
    const Values values = values_of(tls_client_options(), written);
    return make_client_tls(&values, ports()).value();
  }
  std::string server_error(const std::map<std::string, std::string>& written) {
    const Values values = values_of(tls_server_options(), written);
    return make_server_tls(&values, ports()).error().text();
  }
};

// What came, or the code of the error.
asio::awaitable<std::string> read(Stream& stream) {
  std::array<char, 1000> buffer;
  const auto count = co_await stream.read_some(asio::buffer(buffer), kNever);
  co_return count ? std::string(buffer.data(), *count) : count.error().code;
}

TEST_F(Network, CarriesBytesBothWays) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    Stream& client = **pair.client;
    Stream& server = **pair.server;
    const std::array<asio::const_buffer, 2> pieces{asio::buffer("abc", 3), asio::buffer("def", 3)};
    EXPECT_TRUE(co_await client.write(pieces, kNever));
    EXPECT_EQ(co_await read(server), "abcdef");
    EXPECT_TRUE(co_await server.write(one("back"), 0ms));
    EXPECT_EQ(co_await read(client), "back");
    EXPECT_EQ(server.peer().address, "127.0.0.1");
    EXPECT_FALSE(server.peer().over_tls);
  }());
}

TEST_F(Network, WritesWhatTheSocketDoesNotTakeAtOnce) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    const std::string large(8 << 20, 'x');
    std::size_t received = 0;
    asio::co_spawn(
        io,
        [](Stream& server, std::size_t& total) -> asio::awaitable<void> {
          std::vector<char> buffer(1 << 16);
          while (true) {
            const auto count = co_await server.read_some(asio::buffer(buffer), kNever);
            if (!count || *count == 0) co_return;
            total += *count;
          }
        }(**pair.server, received),
        asio::detached);
    const std::array<asio::const_buffer, 3> pieces{asio::buffer("<", 1), asio::buffer(large),
                                                   asio::buffer(">", 1)};
    EXPECT_TRUE(co_await (*pair.client)->write(pieces, kNever));
    co_await until([&] { return received == large.size() + 2; });
    EXPECT_EQ(received, large.size() + 2);
    (*pair.client)->close();
    co_await pause(20ms);
  }());
}

TEST_F(Network, ReadsTheOrderlyEndAsZero) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    EXPECT_TRUE((*pair.server)->alive());
    (*pair.client)->close();
    EXPECT_EQ(co_await read(**pair.server), "");
    EXPECT_FALSE((*pair.server)->alive());
  }());
}

TEST_F(Network, NoticesAnEndBehindUnreadBytes) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    EXPECT_TRUE(co_await (*pair.client)->write(one("late"), kNever));
    (*pair.client)->close();
    co_await until([&] { return !(*pair.server)->alive(); });
    EXPECT_FALSE((*pair.server)->alive());
  }());
}

TEST_F(Network, EndsAReadThatTakesTooLong) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    std::array<char, 10> buffer;
    const auto count = co_await (*pair.server)->read_some(asio::buffer(buffer), 50ms);
    EXPECT_EQ(count.error().code, "T104") << count.error().text();
    EXPECT_EQ(co_await read(**pair.client), "") << "a time-out closes the connection";
  }());
}

TEST_F(Network, MovesTheDeadlineWithEveryRead) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    std::array<char, 10> buffer;
    for (int i = 0; i < 8; ++i) {
      EXPECT_TRUE(co_await (*pair.client)->write(one("x"), kNever));
      const auto count = co_await (*pair.server)->read_some(asio::buffer(buffer), 2000ms);
      EXPECT_TRUE(count) << "round " << i;
      co_await pause(300ms);
    }
  }());
}

TEST_F(Network, EndsAWriteThatNobodyReads) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    const std::string large(64 << 20, 'x');
    const auto written = co_await (*pair.client)->write(one(large), 100ms);
    EXPECT_EQ(written.error().code, "T104");
  }());
}

TEST_F(Network, ClosingEndsAReadUnderWay) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    std::string outcome;
    asio::co_spawn(
        io,
        [](Stream& stream, std::string& out) -> asio::awaitable<void> {
          out = co_await read(stream);
        }(**pair.server, outcome),
        asio::detached);
    co_await pause(10ms);
    (*pair.server)->close();
    (*pair.server)->close();
    co_await until([&] { return !outcome.empty(); });
    EXPECT_EQ(outcome, "T108");
  }());
}

TEST_F(Network, CanWaitForMoreWithoutGivingTheConnectionUp) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    EXPECT_FALSE(co_await (*pair.server)->wait_readable(20ms));
    EXPECT_TRUE(co_await (*pair.client)->write(one("x"), kNever));
    EXPECT_TRUE(co_await (*pair.server)->wait_readable(kNever));
    EXPECT_EQ(co_await read(**pair.server), "x");
  }());
}

TEST_F(Network, ShutdownLetsTheLastWordsArriveThoughBytesWereLeftUnread) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair);
    EXPECT_TRUE(co_await (*pair.client)->write(one("unread"), kNever));
    co_await pause(10ms);
    EXPECT_TRUE(co_await (*pair.server)->write(one("last words"), kNever));
    asio::co_spawn(
        io,
        [](std::unique_ptr<Stream> server) -> asio::awaitable<void> {
          co_await server->shutdown(kNever);
        }(*std::move(pair.server)),
        asio::detached);
    co_await pause(10ms);
    EXPECT_EQ(co_await read(**pair.client), "last words");
    EXPECT_EQ(co_await read(**pair.client), "");
  }());
}

TEST_F(Network, SaysWhyItCannotListen) {
  auto first = Listener::open(io.get_executor(), Endpoint{"127.0.0.1", 0}, report).value();
  const auto second =
      Listener::open(io.get_executor(), Endpoint::parse(first->address()).value(), report);
  EXPECT_EQ(second.error().code, "T101");
  EXPECT_THAT(second.error().text(), HasSubstr(first->address()));
  EXPECT_EQ(Listener::open(io.get_executor(), {"192.0.2.1", 0}, report).error().code, "T101");
}

TEST_F(Network, SaysWhyItCannotConnect) {
  run([this]() -> asio::awaitable<void> {
    auto listener = Listener::open(io.get_executor(), Endpoint{"127.0.0.1", 0}, report).value();
    const auto endpoint = Endpoint::parse(listener->address()).value();
    listener.reset();
    auto refused = co_await connect(io.get_executor(), endpoint, nullptr, kNever);
    EXPECT_EQ(refused.error().code, "T103");
    EXPECT_THAT(refused.error().message, HasSubstr(endpoint.text()));
    const Endpoint nowhere{"no-such-host.invalid", 1};
    auto unknown = co_await connect(io.get_executor(), nowhere, nullptr, kNever);
    EXPECT_EQ(unknown.error().code, "T102");
  }());
}

TEST_F(Network, FindsAHostByName) {
  run([this]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair, nullptr, nullptr, "localhost");
    EXPECT_TRUE(pair.client);
  }());
}

TEST_F(Network, WaitsForDescriptorsInsteadOfSpinning) {
  auto listener = Listener::open(io.get_executor(), Endpoint{"127.0.0.1", 0}, report).value();
  const auto port = Endpoint::parse(listener->address())->port;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  asio::ip::tcp::socket client(io);
  client.connect(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), port));
  // No descriptor beyond those that are open now.
  const rlimit none{static_cast<rlim_t>(client.native_handle()) + 1, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  bool accepted = false;
  run([&]() -> asio::awaitable<void> {
    asio::co_spawn(
        io,
        [](Listener& listening, bool& done) -> asio::awaitable<void> {
          done = (co_await listening.accept()).has_value();
        }(*listener, accepted),
        asio::detached);
    co_await pause(700ms);
    EXPECT_FALSE(accepted);
    EXPECT_GE(report.counted("accept_shortages_total"), 1);
    EXPECT_LE(report.counted("accept_shortages_total"), 5);
    EXPECT_EQ(report.lines_with("[T109]"), 1u);
    setrlimit(RLIMIT_NOFILE, &before);
    co_await until([&] { return accepted; });
    EXPECT_TRUE(accepted);
  }());
  setrlimit(RLIMIT_NOFILE, &before);
}

class TlsNetwork : public Network {
 protected:
  std::shared_ptr<TlsContext> serve(const Authority::Files& files) {
    return server_tls({{"certificate", files.certificate}, {"key", files.key}});
  }
  std::shared_ptr<TlsContext> serve_known(const Authority::Files& files, const Authority& known) {
    return server_tls({{"certificate", files.certificate},
                       {"key", files.key},
                       {"client_ca", known.certificate()}});
  }
  std::shared_ptr<TlsContext> trust(const Authority& trusted) {
    return client_tls({{"ca", trusted.certificate()}});
  }
  std::shared_ptr<TlsContext> identify(const Authority::Files& files, const Authority& trusted) {
    return client_tls(
        {{"ca", trusted.certificate()}, {"certificate", files.certificate}, {"key", files.key}});
  }

  Authority authority{folder.path, "authority"};
  Authority other{folder.path, "other"};
  Authority::Files server = authority.issue("server", {"DNS:localhost", "IP:127.0.0.1"});
};

TEST_F(TlsNetwork, PassesTheNamesOfAVerifiedClient) {
  const auto client = authority.issue("client", {"DNS:reference-lab.example", "URI:urn:lab:1",
                                                 "email:lab@example.org", "IP:10.0.0.1"});
  run([&]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair, serve_known(server, authority), identify(client, authority));
    EXPECT_TRUE(pair.client && pair.server);
    if (!pair.client || !pair.server) co_return;
    EXPECT_TRUE((*pair.server)->peer().over_tls);
    EXPECT_EQ((*pair.server)->peer().address, "127.0.0.1");
    EXPECT_THAT((*pair.server)->peer().certificate_names,
                ElementsAre("reference-lab.example", "urn:lab:1", "lab@example.org", "10.0.0.1"));
  }());
}

TEST_F(TlsNetwork, CarriesBytesAndEndsInOrder) {
  run([&]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair, serve(server), trust(authority));
    EXPECT_TRUE(co_await (*pair.client)->write(one("sealed"), kNever));
    EXPECT_TRUE(co_await (*pair.server)->wait_readable(kNever));
    EXPECT_EQ(co_await read(**pair.server), "sealed");
    EXPECT_TRUE((*pair.client)->alive());
    const std::string large(1 << 20, 'y');
    asio::co_spawn(
        io,
        [](Stream& stream, const std::string& text) -> asio::awaitable<void> {
          EXPECT_TRUE(co_await stream.write(one(text), kNever));
          co_await stream.shutdown(kNever);
        }(**pair.server, large),
        asio::detached);
    std::size_t received = 0;
    for (std::string part = "x"; !part.empty();) {
      part = co_await read(**pair.client);
      received += part.size();
    }
    EXPECT_EQ(received, large.size());
    co_await (*pair.client)->shutdown(1000ms);
  }());
}

TEST_F(TlsNetwork, EndsAReadThatTakesTooLong) {
  run([&]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair, serve(server), trust(authority));
    std::array<char, 10> buffer;
    const auto count = co_await (*pair.server)->read_some(asio::buffer(buffer), 50ms);
    EXPECT_EQ(count.error().code, "T104");
  }());
}

TEST_F(TlsNetwork, TakesAClientWithoutCertificateOnlyWhereNoneIsAskedFor) {
  run([&]() -> asio::awaitable<void> {
    Pair open;
    co_await connect_pair(open, serve(server), trust(authority));
    EXPECT_TRUE(open.server && open.client);
    if (open.server) {
      EXPECT_THAT((*open.server)->peer().certificate_names, IsEmpty());
    }

    Pair closed;
    co_await connect_pair(closed, serve_known(server, authority), trust(authority));
    EXPECT_FALSE(closed.server);
    if (!closed.server) {
      EXPECT_EQ(closed.server.error().code, "T106");
    }
    // With TLS 1.3 the client hears of it at its first read.
    if (closed.client) {
      EXPECT_EQ(co_await read(**closed.client), "T105");
    }
  }());
}

TEST_F(TlsNetwork, RefusesAClientOfAnotherAuthority) {
  const auto client = other.issue("client", {"DNS:reference-lab.example"});
  run([&]() -> asio::awaitable<void> {
    Pair pair;
    co_await connect_pair(pair, serve_known(server, authority), identify(client, authority));
    EXPECT_EQ(pair.server.error().code, "T106");
  }());
}

TEST_F(TlsNetwork, RefusesAServerOfAnotherAuthority) {
  run([&]() -> asio::awaitable<void> {
    for (const auto& tls : std::vector<std::shared_ptr<TlsContext>>{trust(other), client_tls({})}) {
      Pair pair;
      co_await connect_pair(pair, serve(server), tls);
      EXPECT_EQ(pair.client.error().code, "T106");
    }
  }());
}

TEST_F(TlsNetwork, AlwaysVerifiesTheNameOfTheServer) {
  const auto elsewhere = serve(authority.issue("elsewhere", {"DNS:ehr.example"}));
  const auto named = client_tls({{"ca", authority.certificate()}, {"server_name", "ehr.example"}});
  run([&]() -> asio::awaitable<void> {
    for (const std::string host : {"127.0.0.1", "localhost"}) {
      Pair pair;
      co_await connect_pair(pair, elsewhere, trust(authority), host);
      EXPECT_FALSE(pair.client) << host;
      if (pair.client) continue;
      EXPECT_EQ(pair.client.error().code, "T106");
      EXPECT_THAT(pair.client.error().message, HasSubstr("mismatch"));
    }
    Pair pair;
    co_await connect_pair(pair, elsewhere, named);
    EXPECT_TRUE(pair.client);
  }());
}

TEST_F(TlsNetwork, LetsNobodyHoldAHandshakeOpen) {
  run([&]() -> asio::awaitable<void> {
    auto listener = Listener::open(io.get_executor(), Endpoint{"127.0.0.1", 0}, report).value();
    asio::ip::tcp::socket silent(io);
    const auto port = Endpoint::parse(listener->address())->port;
    silent.connect(asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), port));
    auto socket = co_await listener->accept();
    auto stream = co_await accept_stream(*std::move(socket), serve(server), 50ms);
    EXPECT_EQ(stream.error().code, "T104");
  }());
}

TEST_F(TlsNetwork, SaysWhatIsWrongWithTlsFiles) {
  const auto first = authority.issue("first", {"DNS:a.example"});
  const auto second = authority.issue("second", {"DNS:b.example"});
  const auto locked = authority.issue("locked", {"DNS:c.example"}, "another password");
  const auto opened = authority.issue("opened", {"DNS:d.example"}, "secret of KEY");
  folder.write("junk.pem", "nothing");

  EXPECT_THAT(server_error({{"certificate", "missing.pem"}, {"key", first.key}}),
              HasSubstr("No such file"));
  EXPECT_THAT(server_error({{"certificate", "junk.pem"}, {"key", first.key}}),
              HasSubstr("is not a certificate"));
  EXPECT_THAT(server_error({{"certificate", first.certificate}, {"key", second.key}}),
              HasSubstr("key"));
  EXPECT_THAT(server_error({{"certificate", locked.certificate}, {"key", locked.key}}),
              HasSubstr("tls.key_password"));
  EXPECT_THAT(
      server_error(
          {{"certificate", first.certificate}, {"key", first.key}, {"client_ca", "junk.pem"}}),
      HasSubstr("no certificate authority"));
  EXPECT_TRUE(
      server_tls({{"certificate", "opened.pem"}, {"key", "opened.key"}, {"key_password", "KEY"}}))
      << "paths start from the site, and the password opens the key";
  EXPECT_EQ(make_server_tls(nullptr, ports()).value(), nullptr);
}

}  // namespace

}  // namespace cannula::test
