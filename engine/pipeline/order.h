// Which messages must keep their order: the keys of a message, by the channel's [order].
#pragma once

#include <string_view>

#include "engine/config/site.h"
#include "engine/store/record.h"
#include "parsers/hl7v2/message.h"

namespace cannula::pipeline {

class OrderKeyMaker {
 public:
  // `identity` is the store's: keys are hashed with it, so that the same patient has another key in
  // another store.
  OrderKeyMaker(const config::OrderConfig& order, std::string_view identity);

  // `message` may be null (not HL7): then, and when no path has a value, the message shares one
  // lane with its like.
  store::OrderKeys of(const hl7v2::Message* message) const;
  // Of a key that a script gave to send().
  store::OrderKeys of_text(std::string_view text) const;
  bool needs_message() const { return order_.by == config::OrderConfig::By::paths; }

 private:
  config::OrderConfig order_;
  std::uint64_t seed_;
};

}  // namespace cannula::pipeline
