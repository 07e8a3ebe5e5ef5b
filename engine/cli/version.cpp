#include "engine/cli/version.h"

#include <boost/version.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/cli/verb.h"

namespace cannula::cli {

constinit const std::string_view kVersion = CANNULA_VERSION;

Verb version_verb() {
  return {.name = "version",
          .summary = "Print the version and what the program was built with.",
          .example = "cannula version",
          .declare = {},
          .run = [](const Context& context) {
            const std::string compiler = "g++ " __VERSION__;
            if (context.json) {
              const nlohmann::json json{{"version", kVersion}, {"compiler", compiler}};
              print(context.out, json.dump() + "\n");
            } else {
              print(context.out, fmt::format("cannula {}\nbuilt with {}\n", kVersion, compiler));
            }
            return int(kFine);
          }};
}

}  // namespace cannula::cli
