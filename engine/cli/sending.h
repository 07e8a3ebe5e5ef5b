// Sends messages over MLLP as fast as they are acknowledged, or at a rate, and counts what comes
// back. The work behind `cannula send`; one thread, any number of connections.
#pragma once

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "channels/transport/options.h"
#include "channels/transport/tls.h"
#include "engine/cli/json_lines.h"
#include "engine/cli/latency.h"
#include "engine/cli/message_source.h"

namespace cannula::cli {

struct SendOrder {
  Endpoint address;
  std::int64_t count = 1;        // messages in all
  std::int64_t connections = 1;  // used at once
  std::int64_t window = 1;       // messages under way on a connection
  std::int64_t rate = 0;         // messages a second over all connections, at most; 0: no limit
  std::chrono::milliseconds timeout{30'000};  // for an answer
  std::chrono::milliseconds retry{0};  // how long lost connections are tried anew; 0: not at all
  std::string expect;                  // the MSA-1 that counts as success; empty: AA or CA
  Values tls;                          // of tls_client_options()
  bool use_tls = false;
  std::FILE* print = nullptr;     // where each answer is printed, or null
  std::FILE* progress = nullptr;  // where a line is kept up to date, or null
};

struct SendResult {
  std::int64_t sent = 0;         // attempts written to a connection
  std::int64_t as_expected = 0;  // messages
  std::int64_t unexpected = 0;   // messages answered otherwise
  std::int64_t unasked = 0;      // of those as expected: messages that want no answer (NE)
  std::int64_t unanswered =
      0;                    // messages whose last attempt got no answer, or that were never sent
  std::int64_t strays = 0;  // answers to nothing that was under way
  std::int64_t connections_lost = 0;
  std::map<std::string, std::int64_t> by_code;
  Latencies latencies;
  double seconds = 0;
  std::vector<std::string> remarks;  // the first few failures, in words
  std::string last_answer;           // "AA" and its text, of the last message
};

// Runs to the end of the order, or until SIGINT or SIGTERM. The error is of a kind that no message
// could change: wrong TLS files. `log` gets a line for every attempt that has ended:
// {"control_id":"…","code":"AA"}, with code "" when the connection was gone before the answer.
Result<SendResult> send_messages(const SendOrder& order, const MessageSource& messages,
                                 JsonLines& log);

}  // namespace cannula::cli
