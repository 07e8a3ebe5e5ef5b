#include "channels/http/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "channels/http/verdict.h"
#include "channels/transport/network.h"
#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

using testing::HasSubstr;
using testing::Not;

std::string response(const std::string& status, const std::string& body = "",
                     const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A server that does what the test says, on as many connections as come.
class ScriptedServer {
 public:
  // What is written for a request, as it is; empty closes the connection, "…" never answers.
  using Script = std::function<std::string(const std::string& request)>;

  ScriptedServer(asio::io_context& io, Report& report, Script script,
                 std::shared_ptr<TlsContext> tls = nullptr)
      : io_(io), script_(std::move(script)), tls_(std::move(tls)) {
    listener_ =
        Listener::open(io.get_executor(), Endpoint::parse("127.0.0.1:0").value(), report).value();
    asio::co_spawn(io_, accept_all(), asio::detached);
  }

  std::string url(const std::string& path = "", const std::string& host = "127.0.0.1") const {
    const Endpoint bound = Endpoint::parse(listener_->address()).value();
    return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(bound.port) + path;
  }
  void close() { listener_->close(); }

  std::vector<std::string> requests;
  int connections = 0;

 private:
  asio::awaitable<void> accept_all() {
    while (auto socket = co_await listener_->accept()) {
      ++connections;
      asio::co_spawn(io_, serve(*std::move(socket)), asio::detached);
    }
  }

  static std::size_t size_of(const std::string& input) {
    const std::size_t head = input.find("\r\n\r\n");
    if (head == std::string::npos) return std::string::npos;
    const std::size_t at = input.find("Content-Length: ");
    return head + 4 + (at < head ? std::stoul(input.substr(at + 16)) : 0);
  }

  asio::awaitable<void> serve(asio::ip::tcp::socket socket) {
    auto stream = co_await accept_stream(std::move(socket), tls_, kNever);
    if (!stream) co_return;
    std::string input;
    std::vector<char> buffer(64 * 1024);
    while (true) {
      while (size_of(input) == std::string::npos || input.size() < size_of(input)) {
        const auto count = co_await (*stream)->read_some(asio::buffer(buffer), kNever);
        if (!count || *count == 0) co_return;
        input.append(buffer.data(), *count);
      }
      const std::size_t size = size_of(input);
      requests.push_back(input.substr(0, size));
      input.erase(0, size);
      const std::string answer = script_(requests.back());
      if (answer.empty()) co_return (*stream)->close();
      if (answer == "…") {
        const auto end = co_await (*stream)->read_some(asio::buffer(buffer), kNever);
        static_cast<void>(end);
        co_return;
      }
      const std::array<asio::const_buffer, 1> piece{asio::buffer(answer)};
      const auto written = co_await (*stream)->write(piece, kNever);
      if (!written) co_return;
    }
  }

  asio::io_context& io_;
  Script script_;
  std::shared_ptr<TlsContext> tls_;
  std::unique_ptr<Listener> listener_;
};

class HttpSender : public ExecutorTest {
 protected:
  ~HttpSender() override {
    if (server) server->close();
    sender.reset();
    io.restart();
    io.run_for(20ms);
  }

  void serve(ScriptedServer::Script script, std::shared_ptr<TlsContext> tls = nullptr) {
    server = std::make_unique<ScriptedServer>(io, report, std::move(script), std::move(tls));
  }

  Result<void> make(std::map<std::string, std::string> written, const Values* tls = nullptr,
                    bool fhir = false) {
    if (server) written.emplace("url", server->url("/in"));
    const auto options = fhir ? http::fhir_sender_options() : http::sender_options();
    Values values = values_of(options, written);
    if (tls != nullptr) values.set("tls", std::make_shared<const Values>(*tls));
    auto made = fhir ? http::make_fhir_sender(values, ports()) : http::make_sender(values, ports());
    if (!made) return made.error();
    sender = *std::move(made);
    return {};
  }

  Answer deliver(const std::string& payload, const std::string& attributes = "") {
    Answer answer;
    run([&]() -> asio::awaitable<void> {
      Parcel parcel;
      parcel.key = "0000000000001-ehr-1";
      parcel.payload = make_bytes(payload);
      parcel.attributes = attributes;
      answer = co_await sender->deliver(parcel);
    }());
    return answer;
  }

  std::unique_ptr<ScriptedServer> server;
  std::unique_ptr<Sender> sender;
};

TEST_F(HttpSender, DeliversABodyAndGivesTheAnswerBack) {
  serve([](const std::string&) {
    return response("201 Created", "{\"ok\":true}", "ETag: W/\"1\"\r\nLocation: /Patient/9\r\n");
  });
  ASSERT_TRUE(make({}));
  const Answer answer = deliver("{\"a\":1}");
  EXPECT_EQ(answer.kind, Answer::Kind::delivered);
  EXPECT_EQ(*answer.response, "{\"ok\":true}");
  const auto json = nlohmann::json::parse(answer.attributes);
  EXPECT_EQ(json["status"], 201);
  EXPECT_EQ(json["headers"]["location"], "/Patient/9");
  ASSERT_EQ(server->requests.size(), 1u);
  const std::string& request = server->requests[0];
  EXPECT_THAT(request, testing::StartsWith("POST /in HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(request, HasSubstr("Idempotency-Key: 0000000000001-ehr-1\r\n"));
  EXPECT_THAT(request, testing::EndsWith("\r\n\r\n{\"a\":1}"));
}

TEST_F(HttpSender, KeepsConnectionsOpen) {
  serve([](const std::string&) { return response("200 OK"); });
  ASSERT_TRUE(make({}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(deliver("x").kind, Answer::Kind::delivered);
  EXPECT_EQ(server->connections, 1);
}

// libcurl would send it again by itself, and nobody would know that it was sent twice.
TEST_F(HttpSender, AsksOnceAlsoWhereTheServerClosesAUsedConnectionWithoutAnAnswer) {
  serve([count = 0](const std::string&) mutable {
    return ++count == 2 ? std::string() : response("201 Created");
  });
  ASSERT_TRUE(make({}));
  EXPECT_EQ(deliver("first").kind, Answer::Kind::delivered);
  const Answer answer = deliver("second");
  EXPECT_EQ(answer.kind, Answer::Kind::retry);
  EXPECT_EQ(answer.reason.code, "T355");
  EXPECT_THAT(answer.reason.message, HasSubstr("closed the connection"));
  EXPECT_EQ(server->requests.size(), 2u);
  EXPECT_EQ(deliver("second").kind, Answer::Kind::delivered);
  EXPECT_THAT(server->requests.back(), HasSubstr("second"));
}

TEST_F(HttpSender, OpensNoMoreConnectionsThanItMay) {
  serve([](const std::string&) { return response("200 OK"); });
  ASSERT_TRUE(make({{"connections", "3"}}));
  EXPECT_EQ(sender->concurrency(), 3u);
  int delivered = 0;
  run([&]() -> asio::awaitable<void> {
    Parcel parcel;
    parcel.payload = make_bytes("x");
    for (int i = 0; i < 12; ++i) {
      asio::co_spawn(io, sender->deliver(parcel), [&](std::exception_ptr, const Answer& answer) {
        delivered += answer.kind == Answer::Kind::delivered ? 1 : 0;
      });
    }
    co_await until([&] { return delivered == 12; });
  }());
  EXPECT_EQ(delivered, 12);
  EXPECT_LE(server->connections, 3);
}

TEST_F(HttpSender, WhatTheScriptAsksForComesBeforeTheConfiguration) {
  serve([](const std::string&) { return response("200 OK"); });
  Values values = values_of(http::sender_options(), {{"url", server->url("/fhir?tenant=1")},
                                                     {"content_type", "text/plain"},
                                                     {"bearer", "TOKEN"}});
  values.set("headers", std::vector<std::string>{"X-House: ours", "X-Kept: yes"});
  sender = http::make_sender(values, ports()).value();
  deliver("x", R"({"method":"PUT","path":"Patient/1?a=b","content_type":"text/html",)"
               R"("headers":{"x-house":"theirs"}})");
  const std::string& request = server->requests.at(0);
  EXPECT_THAT(request, testing::StartsWith("PUT /fhir/Patient/1?tenant=1&a=b HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("Content-Type: text/html\r\n"));
  EXPECT_THAT(request, HasSubstr("x-house: theirs\r\n"));
  EXPECT_THAT(request, HasSubstr("X-Kept: yes\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("ours")));
  EXPECT_THAT(request, HasSubstr("Authorization: Bearer secret of TOKEN\r\n"));
}

TEST_F(HttpSender, MakesRequestsWithoutABody) {
  serve([](const std::string& request) {
    return request.starts_with("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
                                       : response("200 OK", "found");
  });
  ASSERT_TRUE(make({}));
  for (const std::string method : {"GET", "DELETE", "HEAD", "PATCH", "POST"}) {
    const Answer answer = deliver("", R"({"method":")" + method + R"("})");
    EXPECT_EQ(answer.kind, Answer::Kind::delivered) << method << answer.reason.text();
    EXPECT_THAT(server->requests.back(), testing::StartsWith(method + " /in HTTP/1.1\r\n"));
    EXPECT_THAT(server->requests.back(), Not(HasSubstr("Content-Type")));
  }
}

TEST_F(HttpSender, RefusesWhatHttpCannotCarry) {
  serve([](const std::string&) { return response("200 OK"); });
  ASSERT_TRUE(make({}));
  for (const char* attributes :
       {R"({"headers":{"X":"a\r\nInjected: b"}})", R"({"headers":{"X Y":"a"}})",
        R"({"headers":{"Content-Length":"5"}})", R"({"headers":{"X":5}})",
        R"({"method":"GET / HTTP/1.1"})", R"({"method":"CONNECT"})", R"({"path":"a b"})",
        R"({"path":"../admin"})", R"({"path":"Patient/%2e%2E/%2e./x"})", R"({"path":"a\r\nb"})",
        R"({"path":"x/..%2Fadmin"})", R"({"path":"x/%2e%2e%5cadmin"})", R"({"path":"x/..;v=1/y"})",
        R"({"path":"a#b"})", R"({"content_type":"a\nb"})", "not JSON"}) {
    const Answer answer = deliver("x", attributes);
    EXPECT_EQ(answer.kind, Answer::Kind::refused) << attributes;
    EXPECT_EQ(answer.reason.code, "T352") << attributes;
  }
  EXPECT_TRUE(server->requests.empty());
}

TEST_F(HttpSender, JudgesByTheStatus) {
  std::string status;
  serve([&status](const std::string&) { return response(status, "why"); });
  ASSERT_TRUE(make({}));
  const auto kind_of = [&](const std::string& said) {
    status = said;
    const Answer answer = deliver("x");
    EXPECT_EQ(*answer.response, "why") << said;
    EXPECT_EQ(nlohmann::json::parse(answer.attributes)["status"], std::stoi(said));
    return answer.kind;
  };
  for (const char* said : {"200 OK", "202 Accepted", "206 P", "299 Odd"}) {
    EXPECT_EQ(kind_of(said), Answer::Kind::delivered) << said;
  }
  for (const char* said :
       {"408 R", "425 T", "429 T", "500 I", "502 B", "503 S", "504 G", "599 X"}) {
    EXPECT_EQ(kind_of(said), Answer::Kind::retry) << said;
  }
  for (const char* said : {"400 B", "404 N", "405 M", "409 C", "410 G", "412 P", "422 U"}) {
    EXPECT_EQ(kind_of(said), Answer::Kind::refused) << said;
  }
}

TEST_F(HttpSender, WhatConcernsTheDestinationIsNoVerdictOnTheMessage) {
  std::string status;
  serve([&status](const std::string&) { return response(status, "Erin Example"); });
  ASSERT_TRUE(make({}));
  for (const char* said : {"301 Moved", "302 F", "307 T", "308 P", "401 U", "403 F", "407 P"}) {
    status = said;
    const Answer answer = deliver("x");
    EXPECT_EQ(answer.kind, Answer::Kind::retry) << said;
    EXPECT_EQ(answer.reason.code, "T360") << said;
    EXPECT_TRUE(answer.own_words);
    EXPECT_THAT(answer.reason.text(), HasSubstr(std::string(said, 3)));
    EXPECT_THAT(answer.reason.text(), Not(HasSubstr("Erin")));
  }
}

TEST_F(HttpSender, FollowsNoRedirectAndKeepsNoCookie) {
  serve([this](const std::string&) {
    return response("307 Temporary Redirect", "",
                    "Location: " + server->url("/else") + "\r\nSet-Cookie: a=b\r\n");
  });
  ASSERT_TRUE(make({}));
  const Answer answer = deliver("x");
  EXPECT_EQ(answer.kind, Answer::Kind::retry);
  EXPECT_EQ(answer.reason.code, "T360");
  EXPECT_THAT(answer.reason.hint, HasSubstr("`url`"));
  EXPECT_THAT(answer.attributes, Not(HasSubstr("a=b")));
  deliver("x");
  EXPECT_EQ(server->requests.size(), 2u);
  EXPECT_THAT(server->requests[1], Not(HasSubstr("ookie")));
}

TEST_F(HttpSender, HandsOnWhenTheServerWantsToBeAskedAgain) {
  serve([](const std::string&) {
    return response("503 Service Unavailable", "", "Retry-After: 120\r\n");
  });
  ASSERT_TRUE(make({}));
  EXPECT_EQ(deliver("x").retry_after, std::optional<std::chrono::milliseconds>(120s));
}

TEST(RetryAfter, IsSecondsOrADate) {
  constexpr std::int64_t kNow = 1'793'000'000;  // 2026-10-26T07:33:20Z
  const auto of = [](std::string_view value) { return http::retry_after(value, kNow); };
  EXPECT_EQ(of("7"), 7s);
  EXPECT_EQ(of("0"), 0s);
  EXPECT_EQ(of("-5"), 0s);
  EXPECT_EQ(of("99999999999999999999"), 24h);
  EXPECT_EQ(of("31536000"), 24h);
  EXPECT_EQ(of("Mon, 26 Oct 2026 07:34:20 GMT"), 60s);
  EXPECT_EQ(of("Sun, 13 Sep 2020 12:26:40 GMT"), 0s);
  EXPECT_EQ(of("soon"), std::nullopt);
  EXPECT_EQ(of(""), std::nullopt);
}

TEST_F(HttpSender, TriesAgainWhateverGoesWrongOnTheWay) {
  std::string answer;
  serve([&answer](const std::string&) { return answer; });
  ASSERT_TRUE(make({{"timeout", "300ms"}}));
  for (const auto& [said, code] : std::vector<std::pair<std::string, std::string>>{
           {"", "T355"},
           {"…", "T356"},
           {"not HTTP\r\n\r\n", "T355"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", "T356"}}) {
    answer = said;
    const Answer got = deliver("x");
    EXPECT_EQ(got.kind, Answer::Kind::retry) << said;
    EXPECT_EQ(got.reason.code, code) << said << got.reason.text();
    EXPECT_FALSE(got.response);
  }
}

TEST_F(HttpSender, TriesAgainWhenNobodyListens) {
  ASSERT_TRUE(make({{"url", "http://127.0.0.1:1/"}}));
  const Answer nobody = deliver("x");
  EXPECT_EQ(nobody.kind, Answer::Kind::retry);
  EXPECT_EQ(nobody.reason.code, "T355");
}

TEST_F(HttpSender, CarriesLargeBodiesBothWays) {
  const std::string large(5'000'000, 'y');
  serve([&large](const std::string&) { return response("200 OK", large); });
  ASSERT_TRUE(make({}));
  const Answer answer = deliver(std::string(8'000'000, 'x'));
  EXPECT_EQ(answer.kind, Answer::Kind::delivered) << answer.reason.text();
  EXPECT_EQ(*answer.response, large);
  EXPECT_THAT(server->requests.at(0), testing::EndsWith(std::string(8'000'000, 'x')));
}

TEST_F(HttpSender, ReadsNoMoreOfAnAnswerThanItMay) {
  serve([](const std::string&) { return response("200 OK", std::string(1'000'000, 'y')); });
  ASSERT_TRUE(make({{"max_response", "10KB"}}));
  const Answer answer = deliver("x");
  EXPECT_EQ(answer.kind, Answer::Kind::delivered);
  EXPECT_EQ(answer.response->size(), 10u * 1024);
  EXPECT_EQ(nlohmann::json::parse(answer.attributes)["truncated"], true);
}

TEST_F(HttpSender, StoppingEndsTransfersAtOnce) {
  serve([](const std::string&) { return std::string("…"); });
  ASSERT_TRUE(make({}));
  std::optional<Answer> answer;
  run([&]() -> asio::awaitable<void> {
    Parcel parcel;
    parcel.payload = make_bytes("x");
    asio::co_spawn(io, sender->deliver(parcel),
                   [&](std::exception_ptr, Answer got) { answer = std::move(got); });
    co_await until([&] { return !server->requests.empty(); });
    co_await sender->stop();
    EXPECT_TRUE(answer);
    const Answer late = co_await sender->deliver(parcel);
    EXPECT_EQ(late.reason.code, "T358");
  }());
  EXPECT_EQ(answer->kind, Answer::Kind::retry);
  EXPECT_EQ(answer->reason.code, "T358");
}

TEST_F(HttpSender, TheFhirKindSaysSoInItsHeaders) {
  serve([](const std::string&) { return response("200 OK"); });
  ASSERT_TRUE(make({}, nullptr, true));
  deliver("{}");
  EXPECT_THAT(server->requests.at(0), HasSubstr("Content-Type: application/fhir+json\r\n"));
  EXPECT_THAT(server->requests.at(0), HasSubstr("Accept: application/fhir+json\r\n"));
}

TEST_F(HttpSender, TheKeyGoesOutUnderAnotherNameOrNotAtAll) {
  serve([](const std::string&) { return response("200 OK"); });
  ASSERT_TRUE(make({{"idempotency_header", "X-Request-Id"}}));
  deliver("x");
  EXPECT_THAT(server->requests.at(0), HasSubstr("X-Request-Id: 0000000000001-ehr-1\r\n"));
  ASSERT_TRUE(make({{"idempotency_header", ""}}));
  deliver("x");
  EXPECT_THAT(server->requests.at(1), Not(HasSubstr("0000000000001-ehr-1")));
}

TEST_F(HttpSender, RefusesAddressesThatCannotBeUsed) {
  for (const char* url : {"ehr.example/fhir", "ftp://ehr.example/", "http://user:pw@ehr.example/",
                          "http://", "http://ehr.example/#part", "file:///etc/passwd"}) {
    const auto made = make({{"url", url}});
    ASSERT_FALSE(made) << url;
    EXPECT_EQ(made.error().code, "T351") << url;
    EXPECT_THAT(made.error().text(), Not(HasSubstr("pw@")));
  }
  const auto through_proxy =
      make({{"url", "http://ehr.example/"}, {"proxy", "http://user:pw@proxy.example:3128"}});
  ASSERT_FALSE(through_proxy);
  EXPECT_EQ(through_proxy.error().code, "T351");
  EXPECT_THAT(through_proxy.error().text(), Not(HasSubstr("pw@")));
  const Values tls;
  EXPECT_EQ(make({{"url", "http://ehr.example/"}}, &tls).error().code, "T351");
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"headers", "no colon"}, {"method", "post it"}, {"idempotency_header", "a b"}}) {
    EXPECT_EQ(make({{"url", "http://ehr.example/"}, {key, value}}).error().code, "T352") << key;
  }
}

class HttpSenderTls : public HttpSender {
 protected:
  void serve_tls(const std::vector<std::string>& names, bool ask_client = false) {
    const Authority::Files files = authority.issue("server", names);
    Values tls;
    tls.set("certificate", files.certificate);
    tls.set("key", files.key);
    if (ask_client) tls.set("client_ca", authority.certificate().string());
    serve([](const std::string&) { return response("200 OK"); },
          make_server_tls(&tls, ports()).value());
  }
  Values trusting() const {
    Values tls;
    tls.set("ca", authority.certificate().string());
    return tls;
  }

  Authority authority{folder.path, "authority"};
};

TEST_F(HttpSenderTls, DeliversToAServerItTrusts) {
  serve_tls({"IP:127.0.0.1"});
  const Values tls = trusting();
  ASSERT_TRUE(make({}, &tls));
  const Answer answer = deliver("x");
  EXPECT_EQ(answer.kind, Answer::Kind::delivered) << answer.reason.text();
}

TEST_F(HttpSenderTls, NeverDeliversToAnAuthorityItDoesNotKnow) {
  serve_tls({"IP:127.0.0.1"});
  ASSERT_TRUE(make({}));  // trusts what the system trusts
  const Answer answer = deliver("x");
  EXPECT_EQ(answer.kind, Answer::Kind::retry);
  EXPECT_EQ(answer.reason.code, "T357");
  EXPECT_TRUE(server->requests.empty());
}

TEST_F(HttpSenderTls, NeverDeliversToAnotherName) {
  serve_tls({"DNS:other.example"});
  const Values tls = trusting();
  ASSERT_TRUE(make({}, &tls));
  EXPECT_EQ(deliver("x").reason.code, "T357");
  EXPECT_TRUE(server->requests.empty());
}

TEST_F(HttpSenderTls, ExpectsTheServerNameItIsTold) {
  serve_tls({"DNS:ehr.example"});
  Values tls = trusting();
  tls.set("server_name", std::string("ehr.example"));
  ASSERT_TRUE(make({}, &tls));
  const Answer answer = deliver("x");
  EXPECT_EQ(answer.kind, Answer::Kind::delivered) << answer.reason.text();
  EXPECT_THAT(server->requests.at(0), HasSubstr("Host: 127.0.0.1:"));
}

TEST_F(HttpSenderTls, ShowsItsCertificateWhereItIsAskedFor) {
  serve_tls({"IP:127.0.0.1"}, true);
  Values tls = trusting();
  ASSERT_TRUE(make({}, &tls));
  EXPECT_EQ(deliver("x").kind, Answer::Kind::retry);
  EXPECT_TRUE(server->requests.empty());
  const Authority::Files own = authority.issue("client", {"DNS:cannula.example"});
  tls.set("certificate", own.certificate);
  tls.set("key", own.key);
  ASSERT_TRUE(make({}, &tls));
  const Answer answer = deliver("x");
  EXPECT_EQ(answer.kind, Answer::Kind::delivered) << answer.reason.text();
}

}  // namespace

}  // namespace cannula::test
