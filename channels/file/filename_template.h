// The name of a delivered file, from a template such as "{date}/{channel}-{key}.hl7".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "channels/transport/transport.h"
#include "parsers/text/result.h"

namespace cannula::file {

// Placeholders: {id} of the message, {key} of the delivery, {channel}, {event}, {date} (UTC day of
// acceptance, as 20260131). All are the same at every attempt, so a delivery tried again writes the
// same file. Without {key} a message that is worked again writes the files of its earlier run anew;
// Parcel::among tells its deliveries apart, before the last dot: "0K2H8ZQ4R7T1C-2.hl7".
class FilenameTemplate {
 public:
  // Fails (F201) on an unknown placeholder, a name that leaves the folder, or one without {key} and
  // {id}.
  static Result<FilenameTemplate> parse(std::string_view text);

  // A relative path; folders only where the template itself has them: in values, everything but
  // letters, digits and . _ - becomes _, and so does a dot at the start. Fails (F203) when a part
  // is longer than a file system takes.
  Result<std::string> name_of(const Parcel& parcel) const;

 private:
  enum class Kind { text, id, key, channel, event, date };
  struct Part {
    Kind kind = Kind::text;
    std::string text;
  };
  std::vector<Part> parts_;
  bool by_delivery_ = false;  // it has {key}
};

}  // namespace cannula::file
