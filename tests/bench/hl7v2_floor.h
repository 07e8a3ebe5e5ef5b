// The work that is measured of HL7 v2, and its floor: a loop that does no more than divide the
// bytes with memchr into the same segments and fields, read the same ten and write the same bytes.
#pragma once

#include <array>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {

struct WorkedField {
  const char* path;
  std::string_view segment;
  int nth;
  int mark;       // number of the field separator in front of it
  int component;  // 0: the whole field
};
inline constexpr std::array<WorkedField, 10> kWorkedFields = {{
    {"MSH-9.1", "MSH", 1, 8, 1},
    {"MSH-10", "MSH", 1, 9, 0},
    {"PID-3.1", "PID", 1, 3, 1},
    {"PID-5.1", "PID", 1, 5, 1},
    {"PID-5.2", "PID", 1, 5, 2},
    {"OBR-4.1", "OBR", 1, 4, 1},
    {"OBX[1]-3.1", "OBX", 1, 3, 1},
    {"OBX[1]-5", "OBX", 1, 5, 0},
    {"OBX[2]-3.1", "OBX", 2, 3, 1},
    {"OBX[2]-5", "OBX", 2, 5, 0},
}};
inline constexpr WorkedField kEditedField = {"MSH-5", "MSH", 1, 4, 0};
inline constexpr std::string_view kNewText = "GENERAL";

// Ours: the whole structure, ten reads, one field edited, encoded.
class Work {
 public:
  Work() {
    for (const WorkedField& field : kWorkedFields) reads_.push_back(*Path::parse(field.path));
  }

  std::size_t run(const Bytes& bytes, std::string& out) const {
    auto message = *Message::parse(bytes);
    std::size_t read = 0;
    for (const Path& path : reads_) read += message.get(path).value_or("").size();
    const auto written = message.set(edit_, kNewText);
    out.clear();
    message.encode_to(out);
    return read + out.size() + (written ? 0 : 1);
  }

 private:
  std::vector<Path> reads_;
  const Path edit_ = *Path::parse(kEditedField.path);
};

class Floor {
 public:
  // Segments end with CR. The tables keep their room from message to message.
  std::size_t run(std::string_view bytes, std::string& out) {
    divide(bytes, bytes[3]);
    std::size_t read = 0;
    for (const WorkedField& wanted : kWorkedFields) {
      std::string_view text = field(wanted.segment, wanted.nth, wanted.mark);
      if (wanted.component > 0) text = component(text, bytes[4], wanted.component);
      const std::string value(text);
      read += value.size();
    }
    const std::string_view edited = field(kEditedField.segment, 1, kEditedField.mark);
    out.assign(bytes.data(), static_cast<std::size_t>(edited.data() - bytes.data()));
    out += kNewText;
    out.append(
        edited.data() + edited.size(),
        static_cast<std::size_t>(bytes.data() + bytes.size() - edited.data()) - edited.size());
    return read + out.size();
  }

 private:
  void divide(std::string_view bytes, char separator) {
    segments_.clear();
    first_field_.clear();
    fields_.clear();
    for (const char *at = bytes.data(), *end = at + bytes.size(); at < end;) {
      const auto* stop =
          static_cast<const char*>(std::memchr(at, '\r', static_cast<std::size_t>(end - at)));
      if (stop == nullptr) stop = end;
      segments_.emplace_back(at, stop - at);
      first_field_.push_back(static_cast<std::uint32_t>(fields_.size()));
      for (const char* field = at; field <= stop;) {
        const auto* bar = static_cast<const char*>(
            std::memchr(field, separator, static_cast<std::size_t>(stop - field)));
        if (bar == nullptr) bar = stop;
        fields_.emplace_back(field, bar - field);
        field = bar + 1;
      }
      at = stop + 1;
    }
  }

  std::string_view field(std::string_view segment, int nth, int mark) const {
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].substr(0, 3) != segment || --nth > 0) continue;
      const std::size_t wanted = first_field_[i] + static_cast<std::size_t>(mark);
      const std::size_t end = i + 1 < segments_.size() ? first_field_[i + 1] : fields_.size();
      return wanted < end ? fields_[wanted] : std::string_view();
    }
    return {};
  }

  static std::string_view component(std::string_view text, char delimiter, int number) {
    for (; number > 1; --number) {
      const std::size_t end = text.find(delimiter);
      if (end == std::string_view::npos) return {};
      text.remove_prefix(end + 1);
    }
    return text.substr(0, text.find(delimiter));
  }

  std::vector<std::string_view> segments_;
  std::vector<std::uint32_t> first_field_;
  std::vector<std::string_view> fields_;
};

// Of this thread alone: what else the machine does must not count.
inline double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace cannula::hl7v2
