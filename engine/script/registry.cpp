#include "engine/script/registry.h"

#include <array>

namespace cannula::script {

std::span<const Library> libraries() {
  static const std::array all = {
      outcome_library(), message_object(),    segment_object(),       node_object(),
      group_object(),    document_object(),   document_node_object(), request_object(),
      json_library(),    fhir_library(),      transaction_object(),   hl7_library(),
      response_object(), reply_library(),     lookup_library(),       row_object(),
      rules_library(),   verdict_object(),    log_library(),          state_library(),
      time_library(),    print_library(),     base_library(),         string_library(),
      table_library(),   coroutine_library(),
  };
  return all;
}

}  // namespace cannula::script
