#include "engine/pipeline/secretless.h"

namespace cannula::pipeline {
namespace {

class SecretlessSender final : public Sender {
 public:
  explicit SecretlessSender(MakeSender make) : make_(std::move(make)) {}

  void start(std::function<void()> reachable) override { reachable_ = std::move(reachable); }

  boost::asio::awaitable<Answer> deliver(const Parcel& parcel) override {
    if (!real_) {
      auto made = make_();
      if (!made) {
        Answer answer;
        answer.reason = made.error();
        co_return answer;
      }
      real_ = *std::move(made);
      real_->start(reachable_);
    }
    co_return co_await real_->deliver(parcel);
  }

  std::size_t concurrency() const override { return real_ ? real_->concurrency() : 1; }

  boost::asio::awaitable<void> stop() override {
    if (real_) co_await real_->stop();
  }

 private:
  const MakeSender make_;
  std::function<void()> reachable_;
  std::unique_ptr<Sender> real_;
};

}  // namespace

bool is_missing_secret(const Error& error) {
  return error.code == "P121" || error.code == "P122" || error.code == "P123";
}

std::unique_ptr<Sender> secretless_sender(MakeSender make) {
  return std::make_unique<SecretlessSender>(std::move(make));
}

}  // namespace cannula::pipeline
