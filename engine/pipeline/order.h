// Which messages must keep their order: the keys of a message, by the channel's [order].
#pragma once

#include <string_view>

#include "engine/config/site.h"
#include "engine/store/store.h"
#include "parsers/hl7v2/message.h"

namespace cannula::pipeline {

class OrderKeyMaker {
 public:
  // Keys are hashed by the store's secret, so that a patient has another one in another store and
  // nobody can try numbers against what is in the index. `store` must outlive it.
  OrderKeyMaker(const config::OrderConfig& order, const store::Store& store);

  // `message` may be null (not HL7): then, and when no path has a value, the message shares one
  // lane with its like.
  store::OrderKeys of(const hl7v2::Message* message) const;
  // Of a key that a script gave to send().
  store::OrderKeys of_text(std::string_view text) const;
  bool needs_message() const { return order_.by == config::OrderConfig::By::paths; }

 private:
  config::OrderConfig order_;
  const store::Store* store_;
};

}  // namespace cannula::pipeline
