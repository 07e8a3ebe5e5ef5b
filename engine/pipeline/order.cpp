#include "engine/pipeline/order.h"

namespace cannula::pipeline {
namespace {

constexpr std::uint64_t kWholeChannel = 1;
constexpr std::uint64_t kWithoutKey = 2;

}  // namespace

OrderKeyMaker::OrderKeyMaker(const config::OrderConfig& order, const store::Store& store)
    : order_(order), store_(&store) {}

store::OrderKeys OrderKeyMaker::of(const hl7v2::Message* message) const {
  switch (order_.by) {
    case config::OrderConfig::By::none:
      return {};
    case config::OrderConfig::By::channel:
      return {kWholeChannel};
    case config::OrderConfig::By::paths:
      break;
  }
  store::OrderKeys keys;
  if (message) {
    for (const hl7v2::Path& path : order_.paths) {
      const auto value = message->get(path);
      if (value && !value->empty()) keys.push_back(of_text(*value).front());
    }
  }
  if (keys.empty()) keys.push_back(kWithoutKey);
  return keys;
}

store::OrderKeys OrderKeyMaker::of_text(std::string_view text) const {
  return {store_->order_key(text)};
}

}  // namespace cannula::pipeline
