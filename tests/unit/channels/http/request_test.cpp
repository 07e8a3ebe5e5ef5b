#include "channels/http/request.h"

#include <gtest/gtest.h>

namespace cannula::http {
namespace {

using namespace std::string_literals;

constexpr std::size_t kMaxHeader = 16 * 1024;

struct Read {
  unsigned problem = 0;  // the status it is answered with
  bool done = false;
  RequestHead head;
  std::string body;
  std::string rest;
};

// Gives the bytes in pieces of `step`, as a connection does.
Read read(std::string_view bytes, std::size_t step = std::string::npos) {
  RequestParser parser(kMaxHeader);
  Read result;
  std::string input;
  while (!parser.problem() && !parser.done()) {
    const std::string before = input;
    input.erase(0, parser.put(input));
    if (parser.problem() || parser.done()) break;
    if (input.size() < before.size()) continue;
    if (bytes.empty()) break;
    input += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  if (parser.problem()) result.problem = parser.problem()->status;
  result.done = parser.done();
  if (parser.head_done()) result.head = parser.head();
  if (parser.head_done()) result.body = parser.take_body();
  result.rest = input + std::string(bytes);
  return result;
}

constexpr std::string_view kPost =
    "POST /hooks/lab?a=1 HTTP/1.1\r\nHost: here\r\nContent-Type: text/plain\r\nX-Two: a\r\n"
    "x-two: b\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view kChunked =
    "PUT /a HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;note=x\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n";

TEST(RequestParser, ReadsARequestHoweverItIsCut) {
  for (std::size_t step = 1; step <= kPost.size(); ++step) {
    const Read got = read(kPost, step);
    ASSERT_TRUE(got.done) << step;
    EXPECT_EQ(got.head.method, "POST");
    EXPECT_EQ(got.head.target, "/hooks/lab?a=1");
    EXPECT_EQ(got.head.header("x-two"), "a, b");
    EXPECT_EQ(got.head.content_length, 5u);
    EXPECT_EQ(got.body, "hello");
  }
}

TEST(RequestParser, ReadsChunksHoweverTheyAreCut) {
  for (std::size_t step = 1; step <= kChunked.size(); ++step) {
    const Read got = read(kChunked, step);
    ASSERT_TRUE(got.done) << step;
    EXPECT_TRUE(got.head.chunked);
    EXPECT_EQ(got.body, "hello!");
    EXPECT_EQ(got.rest, "");
  }
}

TEST(RequestParser, LeavesTheNextRequestAlone) {
  const Read got = read(std::string(kPost) + std::string(kChunked));
  EXPECT_TRUE(got.done);
  EXPECT_EQ(got.body, "hello");
  EXPECT_EQ(got.rest, kChunked);
}

TEST(RequestParser, PassesOverEmptyLinesBeforeARequest) {
  EXPECT_TRUE(read("\r\n\r\n" + std::string(kPost), 1).done);
}

TEST(RequestParser, KnowsWhetherTheConnectionGoesOn) {
  EXPECT_TRUE(read("GET / HTTP/1.1\r\nHost: a\r\n\r\n").head.keep_alive);
  EXPECT_FALSE(read("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").head.keep_alive);
  EXPECT_FALSE(read("GET / HTTP/1.0\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").head.keep_alive);
}

TEST(RequestParser, RefusesWhatTwoReadersCouldUnderstandDifferently) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& bytes : {
           start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           start + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           start + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
           start + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
           start + "Content-Length: 5, 5\r\n\r\nhello",
           start + "Content-Length: +5\r\n\r\nhello",
           start + "Content-Length: -1\r\n\r\nhello",
           start + "Content-Length: 0x5\r\n\r\nhello",
           start + "Content-Length: 99999999999999999999\r\n\r\nhello",
           start + "Content-Length:\r\n\r\nhello",
           start + "Content-Length : 5\r\n\r\nhello",
           start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           start + "X: a\nContent-Length: 5\r\n\r\nhello",
           std::string("POST / HTTP/1.1\nHost: a\nContent-Length: 5\n\nhello\r\n\r\n"),
           start + "X: a\rb\r\n\r\n",
           start + std::string("X: a\0b\r\n\r\n", 10),
           chunked + "g\r\nhello\r\n0\r\n\r\n",
           chunked + "5\r\nhelloo\r\n0\r\n\r\n",
           chunked + "5\nhello\n0\n\n\r\n\r\n",
           chunked + "-5\r\nhello\r\n0\r\n\r\n",
           chunked + "0x5\r\nhello\r\n0\r\n\r\n",
           chunked + "ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
           chunked + " 5\r\nhello\r\n0\r\n\r\n",
           std::string("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
           std::string("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
           std::string("garbage that is no HTTP at all\r\n\r\n"),
           std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n"s),
       }) {
    for (const std::size_t step : {std::string::npos, std::size_t{1}}) {
      const Read got = read(bytes, step);
      EXPECT_EQ(got.problem, 400u) << bytes;
      EXPECT_FALSE(got.done && got.problem == 0) << bytes;
    }
  }
}

TEST(RequestParser, SaysWhatIsNotOffered) {
  const std::string host = "Host: a\r\n";
  EXPECT_EQ(read("BREW / HTTP/1.1\r\n" + host + "\r\n").problem, 501u);
  EXPECT_EQ(read("CONNECT a:1 HTTP/1.1\r\n" + host + "\r\n").problem, 501u);
  EXPECT_EQ(read("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n").problem, 501u);
  EXPECT_EQ(read("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n").problem,
            501u);
  EXPECT_EQ(read("POST / HTTP/1.1\r\n" + host + "Expect: 200-ok\r\n\r\n").problem, 417u);
  EXPECT_EQ(read("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").problem, 505u);
}

TEST(RequestParser, BoundsTheHeadHoweverItComes) {
  const std::string line = "GET /" + std::string(kMaxHeader, 'a');
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 2000; ++i) many += "X-" + std::to_string(i) + ": some value\r\n";
  for (const std::size_t step : {std::size_t{100}, std::size_t{4096}, std::string::npos}) {
    EXPECT_EQ(read(line, step).problem, 414u) << step;
    EXPECT_EQ(read(many + "\r\n", step).problem, 431u) << step;
  }
}

TEST(RequestParser, BoundsWhatStandsBetweenChunks) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(read(start + "5;" + std::string(100'000, 'x'), 1000).problem, 400u);
  EXPECT_EQ(read(start + "0\r\nX: " + std::string(100'000, 'x'), 1000).problem, 400u);
}

}  // namespace
}  // namespace cannula::http
