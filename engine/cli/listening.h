// Takes messages over MLLP and answers them as it is told to: the other end of a channel under
// test. The work behind `cannula listen`; one thread, any number of connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "channels/transport/options.h"
#include "engine/cli/json_lines.h"
#include "parsers/hl7v2/path.h"

namespace cannula::cli {

struct ListenOrder {
  Endpoint address;
  std::string answer = "AA";           // AA, AE, AR, CA, CE, CR or none
  std::chrono::milliseconds delay{0};  // before each answer
  std::int64_t fail_every = 0;         // every n-th message is answered AE; 0: none
  std::int64_t close_every =
      0;  // at every n-th message the connection is closed instead of answered; 0: none
  std::int64_t drop_every = 0;    // every n-th message gets no answer; 0: none
  std::string text;               // of the answers: MSA-3
  bool commits = false;           // MLLP release 2: a commit acknowledgement before each answer
  std::string save;               // folder that each message is written to, or empty
  std::int64_t count = 0;         // messages after which to end; 0: none
  std::vector<hl7v2::Path> keys;  // values that the log shows
  Values tls;                     // of tls_server_options()
  bool use_tls = false;
  std::FILE* print = nullptr;     // where each message is printed, or null
  std::FILE* announce = nullptr;  // where "listening on ADDRESS" goes, or null
};

struct ListenResult {
  std::string address;
  std::int64_t messages = 0;
  std::int64_t repeated = 0;    // messages whose MSH-10 came before
  std::int64_t unreadable = 0;  // frames without a usable MSH, cut off or too long
  std::int64_t connections = 0;
  std::int64_t bytes = 0;  // of messages
  double seconds = 0;      // from the first message to the last
};

// Runs until SIGINT, SIGTERM or `count`. The error says why it cannot listen. `log` gets a line for
// every message before it is answered:
// {"connection":1,"control_id":"…","first":true,"keys":{"PID-3.1":"…"},"message":"…"}.
Result<ListenResult> listen_for_messages(const ListenOrder& order, JsonLines& log);

}  // namespace cannula::cli
