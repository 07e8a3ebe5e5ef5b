// A small HTTP/1.1 server for operators: the control socket in the state folder, and the admin
// listener. Not a channel.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "channels/transport/options.h"
#include "parsers/text/result.h"

namespace cannula::ops {

struct HttpRequest {
  std::string method;
  std::string target;
  std::string body;
  // Who asks, as the kernel says (SO_PEERCRED); only on a socket file.
  std::optional<std::uint32_t> uid{};
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// Called on the server's thread, one at a time; may block.
using HttpHandler = std::function<HttpReply(const HttpRequest&)>;

// One thread for all its listeners. At most 64 connections at once (with one more, the one that
// has asked nothing for longest is closed), 8 KB of header, 1 MB of body (256 MB on a socket file),
// 30 seconds a request.
class HttpServer {
 public:
  HttpServer();
  ~HttpServer();  // closes everything

  // A socket file that only this user may open; the path may be longer than the 107 bytes of a
  // socket address.
  Result<void> listen(const std::filesystem::path& socket, HttpHandler handler);
  // Answers with the address really bound.
  Result<std::string> listen(const Endpoint& endpoint, HttpHandler handler);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Asks the server on a socket file. U202 when nobody listens there.
Result<HttpReply> ask(const std::filesystem::path& socket, const HttpRequest& request);

}  // namespace cannula::ops
