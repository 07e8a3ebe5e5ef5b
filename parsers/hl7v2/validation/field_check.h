// The fields of one segment against its definition. Internal to the room.
#pragma once

#include "parsers/hl7v2/dictionary/dictionary.h"
#include "parsers/hl7v2/validation/findings.h"

namespace cannula::hl7v2 {

class FieldCheck {
 public:
  FieldCheck(const Message& message, Version version, Findings& findings)
      : message_(message), version_(version), words_(dictionary(version)), findings_(findings) {}

  void check_segment(SegmentId segment, const SegmentDefinition& definition);

 private:
  void check_field(const Place& field, const PartDefinition& part);
  // One repetition of a field, or one of its components or subcomponents.
  void check_value(const Place& place, const PartDefinition& part);
  std::uint32_t filled_parts(const Place& place) const;
  void check_parts(const Place& place, const PartDefinition& part, const TypeDefinition& type);
  void check_leaf(const Place& place, const PartDefinition& part, std::string_view type);
  // False when it reported something.
  bool check_code(const Place& place, const PartDefinition& part, std::string_view code);
  void check_value_type(SegmentId obx);
  // What a value of the part is made of: of OBX-5, what OBX-2 says.
  std::string_view type_of(const Place& place, const PartDefinition& part) const;

  const Message& message_;
  const Version version_;
  const Dictionary& words_;
  Findings& findings_;
};

}  // namespace cannula::hl7v2
