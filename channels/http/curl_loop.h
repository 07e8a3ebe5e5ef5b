// libcurl's transfers on an Asio executor: its sockets and timers are waited for there, without a
// thread of its own. libcurl itself stays in .cpp files.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

namespace cannula::http {

// All calls on the executor; it must be served, or its threads have ended, when this is destroyed.
class CurlLoop {
 public:
  using Handle = void*;  // CURL*

  // Keeps at most `connections` open, idle ones included.
  CurlLoop(const boost::asio::any_io_executor& executor, std::size_t connections);
  ~CurlLoop();  // ends transfers; their `done` is not called
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // Performs the transfer. `done` is called once, later, with the CURLcode; then the handle is the
  // caller's again.
  void start(Handle handle, std::function<void(int)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace cannula::http
