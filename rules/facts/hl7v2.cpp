// The facts of an HL7 v2 message: the patient of PID, and the observations of all OBX segments,
// each with its order (OBR) and specimens (SPM). Segments are walked in the order they stand, not
// by the structure of the message, so that a message that departs from it loses nothing.
#include <algorithm>

#include "parsers/hl7v2/date_time.h"
#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/message.h"
#include "parsers/text/time_zone.h"
#include "rules/facts/facts.h"
#include "rules/facts/moment.h"
#include "rules/facts/quantity_text.h"

namespace cannula::facts {
namespace {

using hl7v2::Message;
using hl7v2::Place;
using hl7v2::SegmentId;

Observation::Status status_of(std::string_view code) {
  using Status = Observation::Status;
  if (code.empty()) return Status::unknown;
  switch (code.front()) {
    case 'F':  // final
    case 'U':  // changed to final, not sent again
    case 'V':  // verified
      return Status::final;
    case 'C':  // corrected
    case 'A':  // amended
    case 'B':  // appended
      return Status::corrected;
    case 'P':  // preliminary
    case 'R':  // entered, not verified
      return Status::preliminary;
    case 'S':
      return Status::partial;
    case 'X':  // cannot be obtained
    case 'N':  // not asked
      return Status::cancelled;
    case 'W':  // posted as wrong
    case 'D':  // deletes the observation
      return Status::wrong;
    case 'I':  // specimen in laboratory
    case 'O':  // a detail of the order, no result
      return Status::pending;
    default:
      return Status::unknown;
  }
}

// What stands before the next delimiter, which is taken off with it.
std::string_view cut(std::string_view& rest, char delimiter) {
  const std::size_t end =
      delimiter == 0 ? rest.size() : std::min(rest.find(delimiter), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// The segments of one order: OBR, and what stands up to the next.
struct Order {
  std::optional<SegmentId> request;
  std::vector<SegmentId> observations;
  std::vector<SegmentId> specimens;
};

class Reader {
 public:
  Reader(const Message& message, std::string_view zone) : message_(message) {
    if (!zone.empty()) {
      if (auto found = TimeZone::find(zone)) zone_ = *found;
    }
    message_offset_ = hl7v2::default_offset(message);
  }

  Case read();

 private:
  // Plain text of a leaf, without the blanks around it; empty for HL7 null.
  std::string text(std::string_view raw) const;
  std::string text(const Place& place) const { return text(message_.raw(place)); }
  std::optional<Moment> moment(const Place& place) const;
  void codes(const Place& field, std::string_view table, std::vector<Code>& into) const;
  void patient(SegmentId segment, bool first, Patient& into) const;
  void order(const Order& order, Case& into) const;
  std::vector<Code> conditions(const Order& order) const;
  Observation observation(SegmentId segment, std::size_t ordinal) const;
  void value(SegmentId segment, Observation& into) const;
  void structured_number(SegmentId segment, Observation& into) const;
  std::string all_repetitions(SegmentId segment) const;
  static void number_or_text(std::string text, Observation& into);

  const Message& message_;
  TimeZone zone_ = TimeZone::utc();
  std::optional<std::chrono::minutes> message_offset_;
};

std::string Reader::text(std::string_view raw) const {
  while (raw.starts_with(' ')) raw.remove_prefix(1);
  while (raw.ends_with(' ')) raw.remove_suffix(1);
  if (raw == "\"\"") return {};
  const char escape = message_.delimiters().escape;
  if (escape == 0 || raw.find(escape) == std::string_view::npos) return std::string(raw);
  return hl7v2::unescape(raw, message_.delimiters());
}

std::optional<Moment> Reader::moment(const Place& place) const {
  return read_moment(text(place), [this](std::int64_t wall_clock) {
    return message_offset_ ? *message_offset_ : zone_.offset_at_local(wall_clock);
  });
}

// All repetitions of a coded field, each with its alternate: code, text, system, and the same
// again; `table` is the system where the field has one by the standard and the message names none.
void Reader::codes(const Place& field, std::string_view table, std::vector<Code>& into) const {
  const hl7v2::Delimiters& delimiters = message_.delimiters();
  std::string_view rest = message_.raw(Place{field.segment, field.field, Place::kWholeField});
  while (!rest.empty()) {
    std::string_view repetition = cut(rest, delimiters.repetition);
    for (const bool alternate : {false, true}) {
      Code found;
      found.code = text(cut(repetition, delimiters.component));
      found.text = text(cut(repetition, delimiters.component));
      found.system = code_system(text(cut(repetition, delimiters.component)));
      if (found.system.empty() && !found.code.empty() && !alternate) found.system = table;
      if (!found.code.empty() || !found.text.empty()) into.push_back(std::move(found));
    }
  }
}

// A message may carry several patients; only what is the same of all of them is known.
void Reader::patient(SegmentId segment, bool first, Patient& into) const {
  Patient found;
  found.born = moment({segment, 7, 1, 1});
  const std::string sex = text({segment, 8, 1, 1});
  using Sex = Patient::Sex;
  // HL7 table 0001: O other, A ambiguous, N not applicable.
  if (sex == "F") found.sex = Sex::female;
  if (sex == "M") found.sex = Sex::male;
  if (sex == "O" || sex == "A") found.sex = Sex::other;
  if (first) {
    into = found;
    return;
  }
  if (found.sex != into.sex) into.sex = Sex::unknown;
  if (!found.born || !into.born || found.born->microseconds != into.born->microseconds ||
      found.born->precision != into.born->precision) {
    into.born.reset();
  }
}

std::vector<Code> Reader::conditions(const Order& order) const {
  std::vector<Code> found;
  for (const SegmentId specimen : order.specimens) {
    codes({specimen, 24}, "HL70493", found);  // condition
    codes({specimen, 21}, "HL70490", found);  // reject reason: RH is hemolysis
  }
  // Before SPM (version 2.5) the third component of OBR-15 was free text about the specimen.
  if (order.request) {
    std::string free_text = text({*order.request, 15, 1, 3});
    if (!free_text.empty()) found.push_back({"", "", std::move(free_text)});
  }
  return found;
}

void Reader::order(const Order& order, Case& into) const {
  const std::vector<Code> order_conditions = conditions(order);
  std::optional<Moment> order_time;
  if (order.request) order_time = moment({*order.request, 7, 1, 1});
  if (!order_time && !order.specimens.empty()) {
    order_time = moment({order.specimens.front(), 17, 1, 1});
  }
  for (const SegmentId segment : order.observations) {
    Observation found = observation(segment, into.observations.size() + 1);
    if (!found.time) found.time = order_time;
    found.specimen_conditions = order_conditions;
    into.observations.push_back(std::move(found));
  }
}

Observation Reader::observation(SegmentId segment, std::size_t ordinal) const {
  Observation found;
  found.ordinal = ordinal;
  found.place = "OBX[" + std::to_string(ordinal) + "]";
  codes({segment, 3}, "", found.codes);
  value(segment, found);
  found.unit = text({segment, 6, 1, 1});
  found.reference_range = text({segment, 7, 1});
  const hl7v2::Delimiters& delimiters = message_.delimiters();
  std::string_view flags = message_.raw(Place{segment, 8, Place::kWholeField});
  while (!flags.empty()) {
    std::string_view flag = cut(flags, delimiters.repetition);
    std::string code = text(cut(flag, delimiters.component));
    if (!code.empty()) found.flags.push_back(std::move(code));
  }
  found.status = status_of(text({segment, 11, 1, 1}));
  found.time = moment({segment, 14, 1, 1});
  return found;
}

void Reader::number_or_text(std::string text, Observation& into) {
  if (auto number = read_number(text)) {
    into.value = std::move(number->number);
    into.comparator = number->comparator;
  } else {
    into.text = std::move(text);
  }
}

// SN: comparator, number, separator, number. A range, a ratio and a category ("2+") are no single
// number and stay text.
void Reader::structured_number(SegmentId segment, Observation& into) const {
  const std::string comparator = text({segment, 5, 1, 1});
  const std::string first = text({segment, 5, 1, 2});
  const std::string rest = text({segment, 5, 1, 3}) + text({segment, 5, 1, 4});
  number_or_text(comparator + first + rest, into);
}

std::string Reader::all_repetitions(SegmentId segment) const {
  std::string all;
  const std::uint32_t repetitions = message_.repetitions({segment, 5});
  for (std::uint32_t repetition = 1; repetition <= repetitions; ++repetition) {
    if (repetition > 1) all += '\n';
    all += text({segment, 5, repetition});
  }
  return all;
}

// OBX-5 by OBX-2. What has no type is read as it looks, and so is a type that the value does not
// keep to.
void Reader::value(SegmentId segment, Observation& into) const {
  const std::string type = text({segment, 2, 1, 1});
  // Documents and references to them are no findings, and large.
  if (type == "ED" || type == "RP") return;
  if (type == "SN") return structured_number(segment, into);
  const bool divided = message_.components({segment, 5, 1}) > 1;
  if (type == "CE" || type == "CWE" || type == "CF" || type == "CNE" || type == "IS" ||
      type == "ID" || (type.empty() && divided)) {
    codes({segment, 5}, "", into.coded_values);
    if (!into.coded_values.empty()) {
      const Code& first = into.coded_values.front();
      into.text = first.text.empty() ? first.code : first.text;
    }
    return;
  }
  number_or_text(all_repetitions(segment), into);
}

Case Reader::read() {
  Case found;
  found.message_time = moment({0, 7, 1, 1});
  std::vector<Order> orders(1);
  bool first_patient = true;
  for (std::size_t position = 0; position < message_.segment_count(); ++position) {
    const SegmentId segment = message_.segment_at(position);
    const std::string_view name = message_.name_of(segment);
    if (name == "PID") {
      patient(segment, first_patient, found.patient);
      first_patient = false;
    } else if (name == "OBR") {
      orders.emplace_back().request = segment;
    } else if (name == "OBX") {
      orders.back().observations.push_back(segment);
    } else if (name == "SPM") {
      orders.back().specimens.push_back(segment);
    }
  }
  std::size_t observations = 0;
  for (const Order& each : orders) observations += each.observations.size();
  found.observations.reserve(observations);
  for (const Order& each : orders) order(each, found);
  return found;
}

}  // namespace

Case from_hl7v2(const Message& message, std::string_view zone) {
  return Reader(message, zone).read();
}

}  // namespace cannula::facts
