// One request to a server and what came back, by a libcurl handle.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "channels/http/outgoing.h"

namespace cannula::http {

struct TransferSettings {
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds connect_timeout{};
  std::size_t max_response = 0;
  std::string proxy;       // empty: none, whatever the environment says
  std::string connect_to;  // "name:port:host:port": where the name of the URL is really found
  // Files and what else OpenSSL is told; certificates and names are always verified.
  std::string ca, certificate, key, key_password;
  bool only_tls_1_3 = false;
};

struct Outcome {
  // Of the transport: empty when a whole answer came.
  Error failure;
  unsigned status = 0;
  Headers headers;  // names in small letters, in order
  std::string body;
  bool cut = false;  // the body is longer than max_response
};

class Transfer {
 public:
  Transfer(const TransferSettings& settings, Outgoing request);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void* handle() const;       // for CurlLoop::start
  Outcome outcome(int code);  // once the loop says that it is done

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cannula::http
