#include "channels/http/receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "channels/http/http.h"
#include "channels/transport/network.h"
#include "parsers/hl7v2/acknowledgement.h"
#include "tests/unit/channels/certificates.h"
#include "tests/unit/channels/support.h"

namespace cannula::test {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kMessage =
    "MSH|^~\\&|LAB|HOSP|CANNULA|HOSP|20260101120000||ORU^R01^ORU_R01|77|P|2.5.1\rPID|1||4711\r";

std::string post(const std::string& path, const std::string& body, const std::string& more = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: here\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct Answered {
  unsigned status = 0;  // 0: the connection ended instead
  std::string head;
  std::string body;
};

// A sender in a test's hands.
class Client {
 public:
  explicit Client(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

  asio::awaitable<void> write(std::string bytes) {
    const std::array<asio::const_buffer, 1> piece{asio::buffer(bytes)};
    const auto written = co_await stream_->write(piece, kNever);
    EXPECT_TRUE(written) << written.error().text();
  }

  asio::awaitable<Answered> answer() {
    Answered answered;
    while (input_.find("\r\n\r\n") == std::string::npos) {
      if (!co_await read()) co_return answered;
    }
    answered.head = input_.substr(0, input_.find("\r\n\r\n") + 4);
    input_.erase(0, answered.head.size());
    answered.status = static_cast<unsigned>(std::stoul(answered.head.substr(9, 3)));
    const std::size_t at = answered.head.find("Content-Length: ");
    const std::size_t size =
        at == std::string::npos ? 0 : std::stoul(answered.head.substr(at + 16));
    while (input_.size() < size) {
      if (!co_await read()) break;
    }
    answered.body = input_.substr(0, size);
    input_.erase(0, size);
    co_return answered;
  }

  asio::awaitable<unsigned> status() {
    const Answered answered = co_await answer();
    co_return answered.status;
  }

  // Whether the other side closes without another word.
  asio::awaitable<bool> closed() {
    const bool more = co_await read();
    co_return !more && input_.empty();
  }

  void close() { stream_->close(); }

 private:
  asio::awaitable<bool> read() {
    std::vector<char> buffer(64 * 1024);
    const auto count = co_await stream_->read_some(asio::buffer(buffer), kNever);
    if (!count || *count == 0) co_return false;
    input_.append(buffer.data(), *count);
    co_return true;
  }

  std::unique_ptr<Stream> stream_;
  std::string input_;
};

class HttpReceiver : public ExecutorTest {
 protected:
  ~HttpReceiver() override {
    receivers.clear();
    io.restart();
    io.run_for(50ms);
  }

  Result<void> add(Intake& to, std::map<std::string, std::string> written,
                   const Values* tls = nullptr) {
    written.emplace("listen", "127.0.0.1:0");
    written.emplace("path", "/hooks/lab");
    Values values = values_of(transport.source_options, written);
    if (tls != nullptr) values.set("tls", std::make_shared<const Values>(*tls));
    auto made = transport.make_receiver(values, ports(), to);
    if (!made) return made.error();
    auto started = (*made)->start();
    if (started) receivers.push_back(*std::move(made));
    return started;
  }

  void start(std::map<std::string, std::string> written = {}, const Values* tls = nullptr) {
    const auto started = add(intake, std::move(written), tls);
    ASSERT_TRUE(started) << started.error().text();
  }

  asio::awaitable<std::unique_ptr<Client>> client(std::shared_ptr<TlsContext> tls = nullptr) {
    const Endpoint endpoint = Endpoint::parse(receivers.front()->address()).value();
    auto stream = co_await connect(io.get_executor(), endpoint, tls, kNever);
    EXPECT_TRUE(stream) << stream.error().text();
    co_return std::make_unique<Client>(*std::move(stream));
  }

  // Of one request on a connection of its own.
  Answered ask(std::string request) {
    Answered answered;
    run([this, &request, &answered]() -> asio::awaitable<void> {
      auto sender = co_await client();
      co_await sender->write(request);
      answered = co_await sender->answer();
    }());
    return answered;
  }

  nlohmann::json attributes(std::size_t arrival = 0) {
    return nlohmann::json::parse(intake.arrivals.at(arrival).attributes);
  }

  Transport transport = http::transport();
  FakeIntake intake;
  std::vector<std::unique_ptr<Receiver>> receivers;
};

TEST_F(HttpReceiver, StoresABodyAndAnswersWithItsId) {
  start();
  const Answered answered = ask(post("/hooks/lab", "{\"a\":1}"));
  EXPECT_EQ(answered.status, 202u);
  EXPECT_THAT(answered.head, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answered.head, HasSubstr("\r\nDate: "));
  EXPECT_EQ(nlohmann::json::parse(answered.body)["id"], MessageId{1}.text());
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(*intake.arrivals[0].body, "{\"a\":1}");
  EXPECT_EQ(intake.arrivals[0].event, "POST");
  EXPECT_EQ(intake.arrivals[0].control_id, "");
  EXPECT_EQ(intake.arrivals[0].peer_address, "127.0.0.1");
  EXPECT_FALSE(intake.arrivals[0].defect);
}

TEST_F(HttpReceiver, TellsTheScriptOfTheRequestButNotItsSecrets) {
  start({{"path", "/fhir/*"}});
  ask(post("/fhir/Patient?name=Muster&token=hidden", "{}",
           "Authorization: Bearer hidden\r\nCookie: hidden\r\nX-Api-Key: hidden\r\n"
           "Content-Type: application/fhir+json\r\nX-Two: a\r\nX-Two: b\r\n"
           "Idempotency-Key: k-1\r\n"));
  const auto json = attributes();
  EXPECT_EQ(json["method"], "POST");
  EXPECT_EQ(json["path"], "/fhir/Patient");
  EXPECT_EQ(json["target"], "/fhir/Patient?name=Muster&token=***");
  EXPECT_EQ(json["query"]["name"], "Muster");
  EXPECT_EQ(json["headers"]["content-type"], "application/fhir+json");
  EXPECT_EQ(json["headers"]["x-two"], "a, b");
  EXPECT_THAT(intake.arrivals[0].attributes, Not(HasSubstr("hidden")));
  EXPECT_EQ(intake.arrivals[0].control_id, "k-1");
}

TEST_F(HttpReceiver, KnowsHl7ByItsHeaderAndAcknowledgesItWhereTheSenderSpeaksIt) {
  start();
  const Answered plain = ask(post("/hooks/lab", kMessage));
  EXPECT_EQ(plain.status, 202u);
  EXPECT_EQ(intake.arrivals[0].event, "ORU^R01");
  EXPECT_EQ(intake.arrivals[0].control_id, "77");

  const std::string type = "Content-Type: x-application/hl7-v2+er7; charset=utf-8\r\n";
  const Answered spoken = ask(post("/hooks/lab", kMessage, type));
  EXPECT_EQ(spoken.status, 200u);
  EXPECT_THAT(spoken.head, HasSubstr("Content-Type: x-application/hl7-v2+er7"));
  const auto ack = hl7v2::Acknowledgement::parse(spoken.body).value();
  EXPECT_TRUE(ack.positive());
  EXPECT_EQ(ack.control_id, "77");

  intake.decide = [](const Arrival&) {
    Receipt receipt;
    receipt.disposition = Disposition::refused;
    receipt.reason = Error("P104", "may not send this", "");
    return receipt;
  };
  const Answered refused = ask(post("/hooks/lab", kMessage, type));
  EXPECT_EQ(refused.status, 403u);
  EXPECT_FALSE(hl7v2::Acknowledgement::parse(refused.body).value().positive());
}

TEST_F(HttpReceiver, AnswersPipelinedRequestsInOrderOnOneConnection) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(post("/hooks/lab", "one") + post("/nowhere", "") +
                           post("/hooks/lab", "two") + post("/hooks/lab", "three"));
    for (const unsigned expected : {202u, 404u, 202u, 202u}) {
      const unsigned status = co_await sender->status();
      EXPECT_EQ(status, expected);
    }
  }());
  EXPECT_THAT(intake.bodies(), ElementsAre("one", "two", "three"));
  EXPECT_EQ(intake.peers.size(), 1u) << "asked once a connection";
}

TEST_F(HttpReceiver, TakesARequestCutAtEveryByte) {
  start();
  const std::string bytes = post("/hooks/lab", "hello", "X-More: something\r\n");
  run([this, &bytes]() -> asio::awaitable<void> {
    auto sender = co_await client();
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      co_await sender->write(bytes.substr(0, cut));
      co_await pause(1ms);
      co_await sender->write(bytes.substr(cut));
      const unsigned status = co_await sender->status();
      EXPECT_EQ(status, 202u) << cut;
    }
  }());
  EXPECT_EQ(intake.arrivals.size(), bytes.size() - 1);
  EXPECT_EQ(*intake.arrivals.back().body, "hello");
}

TEST_F(HttpReceiver, SaysContinueToWhoWaitsForIt) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(
        "POST /hooks/lab HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    unsigned status = co_await sender->status();
    EXPECT_EQ(status, 100u);
    co_await sender->write("hello");
    status = co_await sender->status();
    EXPECT_EQ(status, 202u);
  }());
  EXPECT_THAT(intake.bodies(), ElementsAre("hello"));
}

TEST_F(HttpReceiver, RefusesALargeBodyBeforeItIsSentAndKeepsThatItWasThere) {
  start({{"max_size", "10B"}});
  const Answered answered =
      ask("POST /hooks/lab HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
          "Content-Length: 999999999999\r\n\r\n");
  EXPECT_EQ(answered.status, 413u);
  EXPECT_THAT(answered.head, HasSubstr("Connection: close"));
  const auto body = nlohmann::json::parse(answered.body);
  EXPECT_EQ(body["code"], "T305");
  EXPECT_EQ(body["id"], MessageId{1}.text());
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(intake.arrivals[0].defect->code, "T305");
}

TEST_F(HttpReceiver, StopsReadingChunksThatAreTooMany) {
  start({{"max_size", "10B"}});
  const Answered answered =
      ask("POST /hooks/lab HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
          "8\r\n12345678\r\n8\r\n12345678\r\n8\r\n12345678\r\n");
  EXPECT_EQ(answered.status, 413u);
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_THAT(*intake.arrivals[0].body, testing::StartsWith("1234567812345678"));
  EXPECT_EQ(intake.arrivals[0].defect->code, "T305");
}

TEST_F(HttpReceiver, KeepsABodyThatWasCutOffAsRejected) {
  start();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write("POST /hooks/lab HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhalf");
    sender->close();
    co_await until([this] { return !intake.arrivals.empty(); });
  }());
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(*intake.arrivals[0].body, "half");
  EXPECT_EQ(intake.arrivals[0].defect->code, "T304");
}

TEST_F(HttpReceiver, DoesNotWaitForSlowSenders) {
  start({{"header_timeout", "50ms"}, {"body_timeout", "50ms"}});
  EXPECT_EQ(ask("POST /hooks/lab HTTP/1.1\r\nHo").status, 408u);
  EXPECT_THAT(intake.arrivals, IsEmpty());
  EXPECT_EQ(ask("POST /hooks/lab HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf").status,
            408u);
  ASSERT_EQ(intake.arrivals.size(), 1u);
  EXPECT_EQ(intake.arrivals[0].defect->code, "T304");
  EXPECT_EQ(ask("").status, 0u) << "who says nothing is told nothing";
}

TEST_F(HttpReceiver, ABodyThatDripsDoesNotHoldItsConnectionForEver) {
  start({{"body_timeout", "300ms"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write("POST /hooks/lab HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n");
    for (int i = 0; i < 500 && intake.arrivals.empty(); ++i) {
      co_await sender->write("x");
      co_await pause(20ms);
    }
    EXPECT_FALSE(intake.arrivals.empty()) << "given up while it still drips";
    const unsigned status = co_await sender->status();
    EXPECT_EQ(status, 408u);
  }());
}

// What came fast at first must not pay for hours of one byte now and then.
TEST_F(HttpReceiver, ABodyThatDripsAfterAGoodBeginningIsGivenUpToo) {
  start({{"body_timeout", "300ms"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write("POST /hooks/lab HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" +
                           std::string(500'000, 'x'));
    for (int i = 0; i < 200 && intake.arrivals.empty(); ++i) {
      co_await sender->write("x");
      co_await pause(20ms);
    }
    EXPECT_FALSE(intake.arrivals.empty()) << "given up while it still drips";
  }());
}

TEST_F(HttpReceiver, TellsOfSoManyNamesAndNoMore) {
  start({{"max_header", "64KB"}});
  std::string query;
  std::string headers = "X-Same: first\r\n";
  for (int i = 0; i < 1000; ++i) {
    query += "q" + std::to_string(i) + "=1&q7=again&";
    headers += "X-" + std::to_string(i) + ": 1\r\n";
  }
  EXPECT_EQ(ask("POST /hooks/lab?" + query + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n" +
                "X-Same: zero\r\n" + headers + "\r\nx")
                .status,
            202u);
  const nlohmann::json told = attributes();
  EXPECT_EQ(told["query"].size(), 256u);
  EXPECT_EQ(told["query"]["q7"], "again") << "the first of its name";
  EXPECT_EQ(told["headers"].size(), 256u);
  EXPECT_EQ(told["headers"]["x-same"], "zero, first");
  EXPECT_THAT(told["target"].get<std::string>(), HasSubstr("q999=1"));
}

TEST_F(HttpReceiver, ClosesAConnectionThatRestsTooLong) {
  start({{"idle_timeout", "50ms"}});
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(post("/hooks/lab", "one"));
    const unsigned status = co_await sender->status();
    EXPECT_EQ(status, 202u);
    const bool closed = co_await sender->closed();
    EXPECT_TRUE(closed);
  }());
}

TEST_F(HttpReceiver, SaysWhatIsWrongWithARequest) {
  start({{"path", "/hooks/lab"}});
  const auto one = [this](const std::string& request) { return ask(request).status; };
  EXPECT_EQ(one(post("/hooks/other", "x")), 404u);
  EXPECT_EQ(one(post("/hooks/lab/../x", "x")), 400u);
  EXPECT_EQ(one("no HTTP at all\r\n\r\n"), 400u);
  EXPECT_EQ(one("\x16\x03\x01 a TLS handshake\r\n\r\n"), 400u);
  EXPECT_EQ(one("POST /hooks/lab HTTP/1.1\r\nHost: a\r\n\r\n"), 411u);
  EXPECT_EQ(one(post("/hooks/lab", "x", "Content-Encoding: gzip\r\n")), 415u);
  EXPECT_EQ(one(post("/hooks/lab", "x", "X: " + std::string(20'000, 'x') + "\r\n")), 431u);
  EXPECT_EQ(one(post("/" + std::string(20'000, 'x'), "x")), 414u);
  EXPECT_EQ(one(post("/hooks/lab", "", "Transfer-Encoding: chunked\r\n")), 400u);
  EXPECT_EQ(one("BREW /hooks/lab HTTP/1.1\r\nHost: a\r\n\r\n"), 501u);
  EXPECT_THAT(intake.arrivals, IsEmpty());

  const Answered method = ask("GET /hooks/lab HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(method.status, 405u);
  EXPECT_THAT(method.head, HasSubstr("Allow: POST\r\n"));
  const auto body = nlohmann::json::parse(method.body);
  EXPECT_EQ(body["code"], "T303");
  EXPECT_THAT(body["hint"].get<std::string>(), HasSubstr("methods"));
}

TEST_F(HttpReceiver, AnswersOptionsAndHeadWithWhatItTakes) {
  start();
  for (const char* method : {"OPTIONS", "HEAD"}) {
    const Answered answered = ask(std::string(method) + " /hooks/lab HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answered.status, 204u);
    EXPECT_THAT(answered.head, HasSubstr("Allow: POST\r\n"));
  }
  EXPECT_EQ(ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status, 204u);
  const Answered lost = ask("HEAD /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(lost.status, 404u);
  EXPECT_EQ(lost.body, "") << "an answer to HEAD has no body";
}

TEST_F(HttpReceiver, AnswersWhatTheIntakeDecides) {
  start();
  std::string code = "P104";
  Disposition disposition = Disposition::refused;
  intake.decide = [&](const Arrival&) {
    Receipt receipt;
    receipt.disposition = disposition;
    receipt.reason = Error(code, "for this reason", "do that");
    return receipt;
  };
  EXPECT_EQ(ask(post("/hooks/lab", "x")).status, 403u);
  code = "L300";
  EXPECT_EQ(ask(post("/hooks/lab", "x")).status, 422u);
  disposition = Disposition::failed;
  const Answered failed = ask(post("/hooks/lab", "x"));
  EXPECT_EQ(failed.status, 503u);
  EXPECT_THAT(failed.head, HasSubstr("Retry-After: "));
  EXPECT_THAT(failed.body, HasSubstr("for this reason"));
}

TEST_F(HttpReceiver, GivesTheScriptsReplyWhereTheSenderWaitsForIt) {
  start({{"respond", "processed"}, {"methods", "GET"}});
  intake.decide = [](const Arrival&) {
    Receipt receipt;
    receipt.disposition = Disposition::refused;
    receipt.id = MessageId{5};
    Reply reply;
    reply.status = 429;
    reply.headers = {{"Retry-After", "7"},
                     {"X-Bad", "a\r\nInjected: b"},
                     {"Content-Length", "99"},
                     {"Content-Type", "text/plain"}};
    reply.body = make_bytes("later");
    receipt.reply = reply;
    return receipt;
  };
  const Answered answered = ask("GET /hooks/lab HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answered.status, 429u);
  EXPECT_EQ(answered.body, "later");
  EXPECT_THAT(answered.head, HasSubstr("Retry-After: 7\r\n"));
  EXPECT_THAT(answered.head, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_THAT(answered.head, Not(HasSubstr("Injected")));
}

TEST_F(HttpReceiver, AnswersTwoHundredWhenProcessedWithoutAReply) {
  start({{"respond", "processed"}});
  EXPECT_EQ(ask(post("/hooks/lab", "x")).status, 200u);
}

TEST_F(HttpReceiver, TurnsAwayWhoMayNotConnect) {
  start();
  intake.refuse_peers = true;
  const Answered answered = ask(post("/hooks/lab", "x"));
  EXPECT_EQ(answered.status, 403u);
  EXPECT_THAT(intake.arrivals, IsEmpty());
}

TEST_F(HttpReceiver, ChannelsShareAListenerAndAreToldApartByPath) {
  FakeIntake fhir, patients;
  start({{"path", "/hooks/lab"}});
  ASSERT_TRUE(add(fhir, {{"path", "/fhir/*"}}));
  ASSERT_TRUE(add(patients, {{"path", "/fhir/Patient"}}));
  EXPECT_EQ(receivers[0]->address(), receivers[1]->address());
  EXPECT_EQ(ask(post("/hooks/lab", "1")).status, 202u);
  EXPECT_EQ(ask(post("/fhir/Observation/1", "2")).status, 202u);
  EXPECT_EQ(ask(post("/fhir/Patient", "3")).status, 202u);
  EXPECT_EQ(ask(post("/fhir/Patient/9", "4")).status, 202u);
  EXPECT_EQ(ask(post("/else", "5")).status, 404u);
  EXPECT_THAT(intake.bodies(), ElementsAre("1"));
  EXPECT_THAT(fhir.bodies(), ElementsAre("2", "4"));
  EXPECT_THAT(patients.bodies(), ElementsAre("3"));

  const auto same = add(fhir, {{"path", "/fhir/*"}});
  ASSERT_FALSE(same);
  EXPECT_EQ(same.error().code, "T313");
}

TEST_F(HttpReceiver, AChannelThatIsReloadedIsAwayForAMomentAndOthersRunOn) {
  FakeIntake other;
  start({{"path", "/hooks/lab"}});
  ASSERT_TRUE(add(other, {{"path", "/hooks/other"}}));
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(post("/hooks/lab", "before"));
    unsigned status = co_await sender->status();
    EXPECT_EQ(status, 202u);
    co_await receivers[0]->stop(1s);  // the one whose executor the listener lives on
    co_await sender->write(post("/hooks/other", "meanwhile") + post("/hooks/lab", "", "A: b\r\n"));
    status = co_await sender->status();
    EXPECT_EQ(status, 202u);
    const Answered away = co_await sender->answer();
    EXPECT_EQ(away.status, 503u);
    EXPECT_THAT(away.head, HasSubstr("Retry-After: 1"));
  }());
  receivers.erase(receivers.begin());
  FakeIntake again;
  ASSERT_TRUE(add(again, {{"path", "/hooks/lab"}}));
  EXPECT_EQ(ask(post("/hooks/lab", "after")).status, 202u);
  EXPECT_THAT(intake.bodies(), ElementsAre("before"));
  EXPECT_THAT(other.bodies(), ElementsAre("meanwhile"));
  EXPECT_THAT(again.bodies(), ElementsAre("after"));
}

TEST_F(HttpReceiver, FinishesWhatIsBeingOfferedWhenItStops) {
  start();
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  const std::string address = receivers[0]->address();
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    auto idle = co_await client();
    co_await sender->write(post("/hooks/lab", "held"));
    co_await until([this] { return !intake.arrivals.empty(); });
    bool stopped = false;
    asio::co_spawn(io, receivers[0]->stop(kNever),
                   [&stopped](std::exception_ptr) { stopped = true; });
    const bool closed = co_await idle->closed();
    EXPECT_TRUE(closed);
    EXPECT_FALSE(stopped);
    intake.held->cancel();
    const Answered answered = co_await sender->answer();
    EXPECT_EQ(answered.status, 202u);
    EXPECT_THAT(answered.head, HasSubstr("Connection: close"));
    co_await until([&stopped] { return stopped; });
    EXPECT_TRUE(stopped);
  }());
  receivers.clear();
  start({{"listen", address}});  // the port is free again
}

TEST_F(HttpReceiver, StopsAfterItsGraceThoughAnOfferHangs) {
  start();
  intake.held.emplace(io, asio::steady_timer::time_point::max());
  run([this]() -> asio::awaitable<void> {
    auto sender = co_await client();
    co_await sender->write(post("/hooks/lab", "held"));
    co_await until([this] { return !intake.arrivals.empty(); });
    co_await receivers[0]->stop(20ms);
    const bool closed = co_await sender->closed();
    EXPECT_TRUE(closed);
    receivers.clear();
    intake.held->cancel();
  }());
}

TEST_F(HttpReceiver, ThoseThatOnlySitThereDoNotShutOutThoseThatWork) {
  start({{"max_connections", "8"}});
  run([this]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> sitting;
    for (int i = 0; i < 40; ++i) {
      sitting.push_back(co_await client());
      co_await sitting.back()->write("POST /hooks/lab HTTP/1.1\r\nX: ");
      co_await pause(1ms);
    }
    auto sender = co_await client();
    co_await sender->write(post("/hooks/lab", "work"));
    const unsigned status = co_await sender->status();
    EXPECT_EQ(status, 202u);
    const bool closed = co_await sitting[0]->closed();
    EXPECT_TRUE(closed);
  }());
  EXPECT_EQ(report.lines_with("T309"), 1u);
}

TEST_F(HttpReceiver, ThoseWhoseBodyDoesNotComeDoNotShutOutThoseThatWork) {
  start({{"max_connections", "3"}});
  run([this]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> sitting;
    for (int i = 0; i < 3; ++i) {
      sitting.push_back(co_await client());
      co_await sitting.back()->write(
          "POST /hooks/lab HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    }
    co_await pause(2200ms);
    auto sender = co_await client();
    co_await sender->write(post("/hooks/lab", "work"));
    const unsigned status = co_await sender->status();
    EXPECT_EQ(status, 202u);
  }());
}

TEST_F(HttpReceiver, LimitsTheConnectionsOfOneAddress) {
  start({{"max_connections_per_address", "2"}});
  run([this]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> open;
    for (int i = 0; i < 3; ++i) {
      open.push_back(co_await client());
      co_await open.back()->write(post("/hooks/lab", "one"));
      const unsigned status = co_await open.back()->status();
      EXPECT_EQ(status, 202u);
    }
    const bool closed = co_await open.front()->closed();
    EXPECT_TRUE(closed) << "the one of this address that has waited longest";
    for (Client* one : {open[1].get(), open[2].get()}) {
      co_await one->write(post("/hooks/lab", "two"));
      const unsigned status = co_await one->status();
      EXPECT_EQ(status, 202u);
    }
  }());
  EXPECT_EQ(report.lines_with("T316"), 1u);
  EXPECT_EQ(report.counted("connections_evicted_total"), 1);
}

TEST_F(HttpReceiver, ClosesWhomNoChannelAdmitsAsItComes) {
  FakeIntake other;
  intake.filters_addresses = intake.refuse_peers = true;
  start();
  EXPECT_EQ(ask(post("/hooks/lab", "x")).status, 0u);
  EXPECT_EQ(intake.peers.size(), 1u) << "so that it is logged and audited";
  EXPECT_EQ(report.counted("connections_total"), 0);
  ASSERT_TRUE(add(other, {{"path", "/fhir/*"}}));
  EXPECT_EQ(ask(post("/hooks/lab", "x")).status, 403u) << "another channel may admit it";
  EXPECT_EQ(ask(post("/fhir/Patient", "x")).status, 202u);
}

// Else one channel's senders, or whoever never ends a body, starve those of the others.
TEST_F(HttpReceiver, GivesUpTheBodyBegunFirstWhenAllHoldTooMuch) {
  start({{"max_memory", "200KB"}, {"max_size", "150KB"}});
  run([this]() -> asio::awaitable<void> {
    std::string part = post("/hooks/lab", std::string(140'000, 'x'));
    part.resize(part.size() - 10'000);
    auto first = co_await client();
    co_await first->write(part);
    co_await until([this] { return report.counted("bytes_received_total") > 130'000; });
    auto second = co_await client();
    co_await second->write(part);
    const unsigned given_up = co_await first->status();
    EXPECT_EQ(given_up, 503u);
    for (int i = 0; i < 3; ++i) {
      auto small = co_await client();
      co_await small->write(post("/hooks/lab", std::string(60'000, 'x')));
      const unsigned status = co_await small->status();
      EXPECT_EQ(status, 202u);
    }
    co_await second->write(std::string(10'000, 'x'));
    const unsigned whole = co_await second->status();
    EXPECT_EQ(whole, 202u);
  }());
  EXPECT_EQ(intake.arrivals.size(), 4u);
  EXPECT_EQ(report.counted("requests_given_up_total"), 1);
  EXPECT_EQ(report.lines_with("T310"), 1u);
}

// The limit is of what is there at a time; and one that is larger than 64 KB may be the first.
TEST_F(HttpReceiver, GivesUpABodyItselfWhereAllOthersAreSmall) {
  start({{"max_memory", "100KB"}, {"max_size", "90KB"}});
  run([this]() -> asio::awaitable<void> {
    const std::string begun =
        "POST /hooks/lab HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n";
    auto small = co_await client();
    co_await small->write(begun + std::string(60'000, 'x'));
    co_await until([this] { return report.counted("bytes_received_total") > 60'000; });
    auto large = co_await client();
    co_await large->write(begun + std::string(79'000, 'x'));
    unsigned status = co_await large->status();
    EXPECT_EQ(status, 503u);
    co_await small->write(std::string(20'000, 'x'));
    status = co_await small->status();
    EXPECT_EQ(status, 202u);
    auto after = co_await client();
    co_await after->write(begun + std::string(80'000, 'x'));
    status = co_await after->status();
    EXPECT_EQ(status, 202u);
  }());
}

TEST_F(HttpReceiver, ChannelsOnOneListenerMustAgreeAboutTls) {
  Authority authority(folder.path, "authority");
  const Authority::Files files = authority.issue("server", {"DNS:localhost"});
  Values tls;
  tls.set("certificate", files.certificate);
  tls.set("key", files.key);
  start({}, &tls);
  const auto plain = add(intake, {{"path", "/other"}});
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code, "T312");
  EXPECT_TRUE(add(intake, {{"path", "/other"}}, &tls));
}

class HttpsReceiver : public HttpReceiver {
 protected:
  // Who shows no certificate of the authority is not let in.
  void start_tls(std::map<std::string, std::string> written = {}) {
    const Authority::Files server = authority.issue("server", {"DNS:localhost", "IP:127.0.0.1"});
    Values tls;
    tls.set("certificate", server.certificate);
    tls.set("key", server.key);
    tls.set("client_ca", authority.certificate().string());
    start(std::move(written), &tls);
  }

  std::shared_ptr<TlsContext> client_tls() {
    const Authority::Files own = authority.issue("client", {"DNS:lab.example"});
    Values tls;
    tls.set("ca", authority.certificate().string());
    tls.set("certificate", own.certificate);
    tls.set("key", own.key);
    return make_client_tls(&tls, ports()).value();
  }

  Authority authority{folder.path, "authority"};
};

TEST_F(HttpsReceiver, TakesRequestsOverTlsAndKnowsTheClientsCertificate) {
  start_tls();
  const auto context = client_tls();
  run([this, &context]() -> asio::awaitable<void> {
    auto sender = co_await client(context);
    co_await sender->write(post("/hooks/lab", "one"));
    const unsigned status = co_await sender->status();
    EXPECT_EQ(status, 202u);
  }());
  ASSERT_EQ(intake.peers.size(), 1u);
  EXPECT_TRUE(intake.peers[0].over_tls);
  EXPECT_THAT(intake.peers[0].certificate_names, ElementsAre("lab.example"));
}

// They need no certificate for that.
TEST_F(HttpsReceiver, ThoseThatBeginNoHandshakeDoNotShutOutThoseThatWork) {
  start_tls({{"max_connections", "4"}});
  const auto context = client_tls();
  run([this, &context]() -> asio::awaitable<void> {
    std::vector<std::unique_ptr<Client>> sitting;
    for (int i = 0; i < 20; ++i) sitting.push_back(co_await client());
    auto sender = co_await client(context);
    co_await sender->write(post("/hooks/lab", "work"));
    const unsigned status = co_await sender->status();
    EXPECT_EQ(status, 202u);
    const bool closed = co_await sitting[0]->closed();
    EXPECT_TRUE(closed);
  }());
  EXPECT_EQ(report.counted("connections_refused_total"), 0);
  EXPECT_EQ(report.counted("connections_evicted_total"), 17);
}

TEST_F(HttpsReceiver, StopsAtOnceThoughAHandshakeHangs) {
  start_tls();
  run([this]() -> asio::awaitable<void> {
    auto sitting = co_await client();
    co_await until([this] { return report.counted("connections_total") == 1; });
    const auto begun = std::chrono::steady_clock::now();
    co_await receivers[0]->stop(kNever);
    const bool closed = co_await sitting->closed();
    EXPECT_TRUE(closed);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  }());
}

TEST_F(HttpsReceiver, AnswersABodyThatIsGivenUpForOthers) {
  start_tls({{"max_memory", "200KB"}, {"max_size", "150KB"}});
  const auto context = client_tls();
  run([this, &context]() -> asio::awaitable<void> {
    std::string part = post("/hooks/lab", std::string(140'000, 'x'));
    part.resize(part.size() - 10'000);
    auto first = co_await client(context);
    co_await first->write(part);
    co_await until([this] { return report.counted("bytes_received_total") > 130'000; });
    auto second = co_await client(context);
    co_await second->write(part);
    unsigned status = co_await first->status();
    EXPECT_EQ(status, 503u);
    co_await second->write(std::string(10'000, 'x'));
    status = co_await second->status();
    EXPECT_EQ(status, 202u);
  }());
}

TEST_F(HttpReceiver, RefusesSettingsThatMeanNothing) {
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"path", "hooks"}, {"methods", "post"}}) {
    const auto refused = add(intake, {{key, value}});
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, "T314");
  }
}

TEST(HttpSource, SaysWhatARequestCannotBeKnownBy) {
  for (const std::string key :
       {"cookie", "header:", "header:a b", "header:Cookie", "header:X-Api-Key"}) {
    Values dedupe;
    dedupe.set("key", key);
    Values values =
        values_of(http::receiver_options(), {{"listen", "127.0.0.1:0"}, {"path", "/x"}});
    values.set("dedupe", std::make_shared<const Values>(dedupe));
    const auto refused = http::check_source(values);
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, "T314");
  }
}

TEST_F(HttpReceiver, AnyBytesEndInAnAnswerOrAClosedConnection) {
  start({{"header_timeout", "100ms"}, {"body_timeout", "100ms"}, {"max_size", "1KB"}});
  unsigned seed = 20260101;
  const auto random = [&seed] { return seed = seed * 1664525u + 1013904223u; };
  const std::string whole = post("/hooks/lab", "hello", "Transfer-Encoding: chunked\r\n");
  for (int round = 0; round < 60; ++round) {
    std::string bytes = round % 3 == 0 ? std::string() : whole;
    for (int i = 0; i < 40; ++i) {
      const char byte = static_cast<char>(random() >> 24);
      if (bytes.empty() || random() % 3 == 0) {
        bytes.insert(bytes.begin() + (random() >> 8) % (bytes.size() + 1), byte);
      } else {
        bytes[(random() >> 8) % bytes.size()] = byte;
      }
    }
    ask(bytes + "\r\n\r\n");
  }
  EXPECT_EQ(ask(post("/hooks/lab", "still here")).status, 202u);
}

}  // namespace

}  // namespace cannula::test
