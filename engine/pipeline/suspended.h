// Waiting in a coroutine for what another thread will say.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cannula::pipeline {

// Suspends the awaiting coroutine until `start(resume)` calls resume, from whatever thread. No
// coroutine itself, and its callers name their lambda before they await it: g++ 12 destroys
// temporaries of a co_await expression twice (PR 99576).
template <class Start>
boost::asio::awaitable<void> suspended_until(Start start) {
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      [start = std::move(start)](auto handler) mutable {
        auto executor = boost::asio::get_associated_executor(handler);
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        start([executor, shared] {
          boost::asio::post(executor, [shared] { std::move (*shared)(); });
        });
      },
      boost::asio::use_awaitable);
}

}  // namespace cannula::pipeline
