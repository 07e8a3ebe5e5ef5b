// The operators' HTTP server keeps its limits and answers the others, whatever one of them sends.
#include "engine/ops/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cannula::ops {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

HttpReply echo(const HttpRequest& request) {
  if (request.target == "/throw") throw std::runtime_error("on purpose");
  return {200, "text/plain", request.method + " " + request.target + " " + request.body};
}

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    char name[] = "/tmp/cannula-ops-XXXXXX";
    folder_ = mkdtemp(name);
    const auto address = server_.listen(Endpoint{"127.0.0.1", 0}, echo);
    if (!address) throw std::runtime_error(address.error().text());
    port_ = static_cast<std::uint16_t>(std::stoi(address->substr(address->rfind(':') + 1)));
  }
  ~HttpServerTest() override { std::filesystem::remove_all(folder_); }

  // A connection of a client that writes what it likes.
  class Client {
   public:
    explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("connect failed");
      }
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // What is left unsent because the server has closed does not matter.
    void write(std::string_view bytes) {
      while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      }
    }
    std::string read_until(std::string_view end) {
      std::string read;
      char part[4096];
      while (read.find(end) == std::string::npos) {
        const ssize_t count = ::recv(socket_, part, sizeof part, 0);
        if (count <= 0) break;
        read.append(part, static_cast<std::size_t>(count));
      }
      return read;
    }
    // Everything until the server closes.
    std::string read_all() { return read_until(std::string_view("\0no such text", 13)); }

   private:
    int socket_;
  };

  std::string exchange(std::string_view bytes) {
    Client client(port_);
    client.write(bytes);
    return client.read_all();
  }
  void expect_answers() { EXPECT_THAT(exchange("GET /x HTTP/1.0\r\n\r\n"), HasSubstr("GET /x ")); }

  std::filesystem::path folder_;
  HttpServer server_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, AnswersOnOneConnectionAsLongAsItIsKept) {
  Client client(port_);
  for (const std::string word : {"one", "two", "three"}) {
    client.write("POST /" + word + " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    EXPECT_THAT(client.read_until("abc"), HasSubstr("POST /" + word + " abc"));
  }
}

TEST_F(HttpServerTest, TheAnswerToHeadHasNoBody) {
  Client client(port_);
  client.write("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.read_until("\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  client.write("GET /y HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.read_until("GET /y "), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, GarbageEndsItsOwnConnectionOnly) {
  for (const std::string_view garbage :
       {std::string_view("\0\0\0\0", 4), std::string_view("MSH|^~\\&|LAB\r\n\r\n"),
        std::string_view("GET\r\n\r\n"), std::string_view("\x16\x03\x01\x02\x00\x01", 6),
        std::string_view("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string_view("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    Client client(port_);
    client.write(garbage);
    expect_answers();
  }
  EXPECT_THAT(exchange("NONSENSE\r\n\r\n"), IsEmpty());
}

TEST_F(HttpServerTest, AHeaderAndABodyBeyondTheLimitsAreNotRead) {
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nX: " + std::string(16 * 1024, 'x') + "\r\n\r\n"),
              IsEmpty());
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n"), IsEmpty());
  const std::string most(1024 * 1024, 'b');
  EXPECT_THAT(exchange("POST / HTTP/1.0\r\nContent-Length: 1048576\r\n\r\n" + most),
              HasSubstr("200 OK"));
  expect_answers();
}

TEST_F(HttpServerTest, ASlowClientKeepsNobodyWaiting) {
  Client slow(port_);
  slow.write("POST / HTTP/1.1\r\nContent-Le");
  expect_answers();
  slow.write("ngth: 2\r\n\r\nok");
  EXPECT_THAT(slow.read_until("ok"), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, ConnectionsThatAskNothingKeepNobodyOut) {
  const auto ask = [](Client& client, int number) {
    const std::string text = "GET /" + std::to_string(number) + " ";
    client.write(text + "HTTP/1.1\r\nHost: x\r\n\r\n");
    return client.read_until(text);
  };
  std::vector<std::unique_ptr<Client>> open;
  for (int i = 0; i < 64; ++i) {
    open.push_back(std::make_unique<Client>(port_));
    EXPECT_THAT(ask(*open.back(), i), HasSubstr("200 OK"));
  }
  EXPECT_THAT(ask(*open[0], 100), HasSubstr("200 OK")) << "the first has asked again";
  expect_answers();
  EXPECT_THAT(open[1]->read_all(), IsEmpty()) << "the one that was quiet for longest is closed";
  EXPECT_THAT(ask(*open[0], 101), HasSubstr("200 OK"));
  EXPECT_THAT(ask(*open[2], 102), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnAnswer) {
  EXPECT_THAT(exchange("GET /throw HTTP/1.0\r\n\r\n"), HasSubstr("500 "));
  expect_answers();
}

TEST_F(HttpServerTest, TheSocketFileIsForItsOwnerAndGoesWithTheServer) {
  // Longer than a socket address may be.
  const auto path = folder_ / std::string(120, 'd') / "control.sock";
  std::filesystem::create_directory(path.parent_path());
  {
    HttpServer server;
    ASSERT_TRUE(server.listen(path, echo));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 07777, 0600u);
    const auto reply = ask(path, {"POST", "/status", "{}"});
    ASSERT_TRUE(reply) << reply.error().text();
    EXPECT_EQ(reply->body, "POST /status {}");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(ask(path, {"POST", "/status", "{}"}).error().code, "U202");
}

TEST_F(HttpServerTest, ASocketFileLeftBehindIsReplaced) {
  const auto path = folder_ / "control.sock";
  {
    HttpServer killed;
    ASSERT_TRUE(killed.listen(path, echo));
    std::filesystem::create_hard_link(path, folder_ / "kept");
  }
  std::filesystem::rename(folder_ / "kept", path);
  HttpServer server;
  ASSERT_TRUE(server.listen(path, echo));
  EXPECT_TRUE(ask(path, {"POST", "/x", ""}));
}

TEST_F(HttpServerTest, AnAddressThatIsTakenIsAnErrorThatNamesIt) {
  const auto again = server_.listen(Endpoint{"127.0.0.1", port_}, echo);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "U203");
  EXPECT_THAT(again.error().message, HasSubstr(std::to_string(port_)));
  EXPECT_FALSE(server_.listen(folder_ / "missing" / "control.sock", echo));
}

}  // namespace
}  // namespace cannula::ops
