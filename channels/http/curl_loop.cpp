#include "channels/http/curl_loop.h"

#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <curl/curl.h>

namespace cannula::http {

namespace asio = boost::asio;
using boost::system::error_code;
using Wait = asio::posix::stream_descriptor::wait_type;

namespace {

// A socket of libcurl's. The descriptor is only borrowed: libcurl closes it.
struct Watch {
  explicit Watch(const asio::any_io_executor& executor) : descriptor(executor) {}
  asio::posix::stream_descriptor descriptor;
  curl_socket_t socket = CURL_SOCKET_BAD;
  bool wants_read = false, wants_write = false;
  bool reading = false, writing = false;  // a wait is under way
  bool open = true;
};

}  // namespace

// Handlers hold it weakly: what fires after the loop has gone does nothing.
struct CurlLoop::State : std::enable_shared_from_this<State> {
  explicit State(const asio::any_io_executor& where) : executor(where), timer(where) {}

  static int socket_changed(CURL*, curl_socket_t socket, int what, void* self, void*) {
    static_cast<State*>(self)->watch(socket, what);
    return 0;
  }
  static int timer_changed(CURLM*, long milliseconds, void* self) {
    static_cast<State*>(self)->set_timer(milliseconds);
    return 0;
  }

  void watch(curl_socket_t socket, int what);
  void wait(const std::shared_ptr<Watch>& watch, Wait direction);
  void arm(const std::shared_ptr<Watch>& watch);
  void set_timer(long milliseconds);
  void act(curl_socket_t socket, int events);
  void forget(const std::shared_ptr<Watch>& watch);

  asio::any_io_executor executor;
  asio::steady_timer timer;
  CURLM* multi = nullptr;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches;
  std::unordered_map<CURL*, std::function<void(int)>> transfers;
};

void CurlLoop::State::forget(const std::shared_ptr<Watch>& watch) {
  watch->open = false;
  watch->descriptor.release();
}

void CurlLoop::State::watch(curl_socket_t socket, int what) {
  auto& known = watches[socket];
  if (what == CURL_POLL_REMOVE) {
    if (known) forget(known);
    watches.erase(socket);
    return;
  }
  if (!known) {
    known = std::make_shared<Watch>(executor);
    known->socket = socket;
    error_code failure;
    known->descriptor.assign(socket, failure);
    // Then libcurl's own time-outs end the transfer.
    if (failure) known->open = false;
  }
  known->wants_read = (what & CURL_POLL_IN) != 0;
  known->wants_write = (what & CURL_POLL_OUT) != 0;
  arm(known);
}

void CurlLoop::State::arm(const std::shared_ptr<Watch>& watch) {
  if (!watch->open) return;
  if (watch->wants_read && !std::exchange(watch->reading, true)) wait(watch, Wait::wait_read);
  if (watch->open && watch->wants_write && !std::exchange(watch->writing, true)) {
    wait(watch, Wait::wait_write);
  }
}

void CurlLoop::State::wait(const std::shared_ptr<Watch>& watch, Wait direction) {
  watch->descriptor.async_wait(
      direction, [weak = weak_from_this(), watch, direction](const error_code& failure) {
        (direction == Wait::wait_read ? watch->reading : watch->writing) = false;
        const auto self = weak.lock();
        if (!self || !watch->open) return;
        const int event = direction == Wait::wait_read ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
        self->act(watch->socket, failure ? CURL_CSELECT_ERR : event);
        if (!failure) self->arm(watch);
      });
}

void CurlLoop::State::set_timer(long milliseconds) {
  if (milliseconds < 0) {
    timer.cancel();
    return;
  }
  timer.expires_after(std::chrono::milliseconds(milliseconds));
  timer.async_wait([weak = weak_from_this()](const error_code& stopped) {
    const auto self = weak.lock();
    if (self && !stopped) self->act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlLoop::State::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi, socket, events, &running);
  std::vector<std::pair<std::function<void(int)>, int>> ended;
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const handle = message->easy_handle;
    const int code = message->data.result;
    curl_multi_remove_handle(multi, handle);
    const auto found = transfers.find(handle);
    if (found == transfers.end()) continue;
    ended.emplace_back(std::move(found->second), code);
    transfers.erase(found);
  }
  for (auto& [done, code] : ended) done(code);
}

CurlLoop::CurlLoop(const asio::any_io_executor& executor, std::size_t connections)
    : state_(std::make_shared<State>(executor)) {
  static const CURLcode made = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(made);
  CURLM* const multi = state_->multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &State::socket_changed);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, state_.get());
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &State::timer_changed);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, state_.get());
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(connections));
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

CurlLoop::~CurlLoop() {
  for (auto& [handle, done] : state_->transfers) curl_multi_remove_handle(state_->multi, handle);
  state_->transfers.clear();
  curl_multi_cleanup(state_->multi);
  for (auto& [socket, watch] : state_->watches) state_->forget(watch);
  state_->watches.clear();
  state_->timer.cancel();
}

void CurlLoop::start(Handle handle, std::function<void(int)> done) {
  state_->transfers[handle] = std::move(done);
  // Begins at the next turn of the executor, by the timer that libcurl asks for.
  curl_multi_add_handle(state_->multi, handle);
}

}  // namespace cannula::http
