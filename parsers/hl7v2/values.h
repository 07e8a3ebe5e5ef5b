// The data types that interfaces work with most, read from a message and written back: NM, SN, HD,
// CWE (and CE), CX, XPN, XCN, XAD, XTN. DTM and TS are in date_time.h.
//
//   const Cx id = read<Cx>(message, place);          // place: PID-3[2]
//   id.assigning_authority.namespace_id              // "HOSP"
//   TRY(write(message, place, id));                  // writes what differs; here nothing
//
// Members are plain text, escapes decoded; empty where nothing stands, `""` where HL7 null does.
// Components that a struct has no member for are never touched: reading and writing back is the
// identity, byte for byte. Numbers of components are those of version 2.9, chapter 2.A; in older
// versions the same components mean the same or are not there.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "parsers/hl7v2/escape.h"
#include "parsers/hl7v2/message.h"

namespace cannula::hl7v2 {

// NM (2.A.46): a sign, digits, a point. Surrounding blanks and a leading + are allowed, `7.` and
// `.5` are seen and read.
struct Number {
  double value = 0;
  std::string text;  // the same number with its digits as written: "7.10", "-0.5"
};
// nullopt when the text is no number; exponents are none.
std::optional<Number> read_number(std::string_view text);

// SN (2.A.71): ">^100", "^100^-^200", "^1^:^128".
struct Sn {
  std::string comparator;  // > < >= <= = <>; "" means =
  std::string first;
  std::string separator;  // - + / . :
  std::string second;
};
// What people write into an ST or NM instead: "<5", ">= 7.1", "100-200", "1:128", "3+". nullopt
// when the text is nothing of the kind.
std::optional<Sn> read_structured_number(std::string_view text);

struct Hd {                       // 2.A.33
  std::string namespace_id;       // 1
  std::string universal_id;       // 2
  std::string universal_id_type;  // 3: ISO, UUID, DNS, URI …
};

struct Cwe {  // 2.A.14; CE (2.A.8) is its first six
  std::string identifier;
  std::string text;
  std::string system;  // table 0396
  std::string alternate_identifier;
  std::string alternate_text;
  std::string alternate_system;
  std::string system_version;
  std::string alternate_system_version;
  std::string original_text;
};

struct Cx {  // 2.A.15
  std::string id;
  std::string check_digit;
  std::string check_digit_scheme;
  Hd assigning_authority;
  std::string identifier_type;  // table 0203
  Hd assigning_facility;
  std::string effective_date;
  std::string expiration_date;
  Cwe assigning_jurisdiction;
  Cwe assigning_agency;
};

struct Fn {  // 2.A.30, from version 2.3 on; before, a surname alone
  std::string surname;
  std::string own_prefix;
  std::string own_surname;
  std::string partner_prefix;
  std::string partner_surname;
};

struct Xpn {  // 2.A.89
  Fn family;
  std::string given;
  std::string middle;
  std::string suffix;
  std::string prefix;
  std::string degree;
  std::string type;            // table 0200
  std::string representation;  // table 0465
  std::string assembly_order;  // 11
  std::string effective_date;
  std::string expiration_date;
  std::string professional_suffix;
  std::string called_by;
};

struct Xcn {  // 2.A.87
  std::string id;
  Fn family;
  std::string given;
  std::string middle;
  std::string suffix;
  std::string prefix;
  std::string degree;
  std::string source_table;
  Hd assigning_authority;
  std::string type;
  std::string check_digit;
  std::string check_digit_scheme;
  std::string identifier_type;
  Hd assigning_facility;
};

struct Sad {  // 2.A.66
  std::string address;
  std::string name;
  std::string number;
};

struct Xad {  // 2.A.86
  Sad street;
  std::string other;
  std::string city;
  std::string state;
  std::string postal_code;
  std::string country;  // ISO 3166, three letters
  std::string type;     // table 0190
  std::string other_geographic;
  std::string county;
  std::string census_tract;
};

struct Xtn {              // 2.A.90
  std::string number;     // withdrawn in 2.6, sent nevertheless
  std::string use;        // table 0201
  std::string equipment;  // table 0202
  std::string address;    // of mail and the like
  std::string country_code;
  std::string area_code;
  std::string local_number;
  std::string extension;
  std::string remark;
  std::string extension_prefix;
  std::string speed_dial;
  std::string unformatted;
};

// Calls visit(name, number, member) for each member of a value, which is a std::string or a value
// itself (its members are the subcomponents). One list for reading, writing and scripts.
template <class Value, class Visit>
void for_each_part(Value& value, Visit&& visit);

// Where a value stands, as encoded text: a repetition of a field, or a component of one, whose
// subcomponents then are its parts.
struct Encoded {
  std::string_view text;
  const Delimiters& delimiters;
  bool in_component = false;
};
// The text that `place` names; it lives as Message::raw() does. `place` names a field (its first
// repetition is meant), a repetition or a component.
Encoded encoded_at(const Message& message, const Place& place);

// Part `number`, from 1, of a text divided by `separator`; empty when there are fewer. A separator
// of zero divides nothing.
std::string_view part_of(std::string_view text, char separator, std::uint32_t number);

template <class Value>
Value read(const Encoded& encoded);
template <class Value>
Value read(const Message& message, const Place& place) {
  return read<Value>(encoded_at(message, place));
}

// Writes the members that differ from what stands there; an empty one clears its component. Fails
// as Message::set does.
template <class Value>
Result<void> write(Message& message, const Place& place, const Value& value);

// As the text of a field, without trailing empty components.
template <class Value>
std::string encode(const Value& value, const Delimiters& delimiters);

// -- How it is done -------------------------------------------------------------------------------

namespace detail {

template <class Value, class Wanted>
concept Is = std::same_as<std::remove_const_t<Value>, Wanted>;

template <Is<Sn> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("comparator", 1, value.comparator);
  visit("first", 2, value.first);
  visit("separator", 3, value.separator);
  visit("second", 4, value.second);
}

template <Is<Hd> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("namespace_id", 1, value.namespace_id);
  visit("universal_id", 2, value.universal_id);
  visit("universal_id_type", 3, value.universal_id_type);
}

template <Is<Cwe> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("identifier", 1, value.identifier);
  visit("text", 2, value.text);
  visit("system", 3, value.system);
  visit("alternate_identifier", 4, value.alternate_identifier);
  visit("alternate_text", 5, value.alternate_text);
  visit("alternate_system", 6, value.alternate_system);
  visit("system_version", 7, value.system_version);
  visit("alternate_system_version", 8, value.alternate_system_version);
  visit("original_text", 9, value.original_text);
}

template <Is<Cx> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("id", 1, value.id);
  visit("check_digit", 2, value.check_digit);
  visit("check_digit_scheme", 3, value.check_digit_scheme);
  visit("assigning_authority", 4, value.assigning_authority);
  visit("identifier_type", 5, value.identifier_type);
  visit("assigning_facility", 6, value.assigning_facility);
  visit("effective_date", 7, value.effective_date);
  visit("expiration_date", 8, value.expiration_date);
  visit("assigning_jurisdiction", 9, value.assigning_jurisdiction);
  visit("assigning_agency", 10, value.assigning_agency);
}

template <Is<Fn> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("surname", 1, value.surname);
  visit("own_prefix", 2, value.own_prefix);
  visit("own_surname", 3, value.own_surname);
  visit("partner_prefix", 4, value.partner_prefix);
  visit("partner_surname", 5, value.partner_surname);
}

template <Is<Xpn> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("family", 1, value.family);
  visit("given", 2, value.given);
  visit("middle", 3, value.middle);
  visit("suffix", 4, value.suffix);
  visit("prefix", 5, value.prefix);
  visit("degree", 6, value.degree);
  visit("type", 7, value.type);
  visit("representation", 8, value.representation);
  visit("assembly_order", 11, value.assembly_order);
  visit("effective_date", 12, value.effective_date);
  visit("expiration_date", 13, value.expiration_date);
  visit("professional_suffix", 14, value.professional_suffix);
  visit("called_by", 15, value.called_by);
}

template <Is<Xcn> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("id", 1, value.id);
  visit("family", 2, value.family);
  visit("given", 3, value.given);
  visit("middle", 4, value.middle);
  visit("suffix", 5, value.suffix);
  visit("prefix", 6, value.prefix);
  visit("degree", 7, value.degree);
  visit("source_table", 8, value.source_table);
  visit("assigning_authority", 9, value.assigning_authority);
  visit("type", 10, value.type);
  visit("check_digit", 11, value.check_digit);
  visit("check_digit_scheme", 12, value.check_digit_scheme);
  visit("identifier_type", 13, value.identifier_type);
  visit("assigning_facility", 14, value.assigning_facility);
}

template <Is<Sad> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("address", 1, value.address);
  visit("name", 2, value.name);
  visit("number", 3, value.number);
}

template <Is<Xad> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("street", 1, value.street);
  visit("other", 2, value.other);
  visit("city", 3, value.city);
  visit("state", 4, value.state);
  visit("postal_code", 5, value.postal_code);
  visit("country", 6, value.country);
  visit("type", 7, value.type);
  visit("other_geographic", 8, value.other_geographic);
  visit("county", 9, value.county);
  visit("census_tract", 10, value.census_tract);
}

template <Is<Xtn> Value, class Visit>
void visit_parts(Value& value, Visit& visit) {
  visit("number", 1, value.number);
  visit("use", 2, value.use);
  visit("equipment", 3, value.equipment);
  visit("address", 4, value.address);
  visit("country_code", 5, value.country_code);
  visit("area_code", 6, value.area_code);
  visit("local_number", 7, value.local_number);
  visit("extension", 8, value.extension);
  visit("remark", 9, value.remark);
  visit("extension_prefix", 10, value.extension_prefix);
  visit("speed_dial", 11, value.speed_dial);
  visit("unformatted", 12, value.unformatted);
}

template <class Member>
constexpr bool kIsText = std::same_as<std::remove_cvref_t<Member>, std::string>;

// Takes parts off the front of a text, in ascending order.
class PartReader {
 public:
  PartReader(std::string_view text, char separator) : rest_(text), separator_(separator) {}
  std::string_view take(std::uint32_t number);

 private:
  std::string_view rest_;
  char separator_;
  std::uint32_t next_ = 1;
};

// A leaf below `place`, which is a field, repetition or component; `number` counts in it.
Place part_place(Place place, std::uint32_t number, std::uint32_t subpart);
Result<void> write_leaf(Message& message, const Place& place, std::string_view text);
void append_part(std::string& out, std::uint32_t& written, std::uint32_t number, char separator,
                 std::string_view encoded);

template <class Value>
void read_parts(Value& value, std::string_view text, char separator, char below,
                const Delimiters& delimiters) {
  PartReader parts(text, separator);
  for_each_part(value, [&](std::string_view, std::uint32_t number, auto& member) {
    const std::string_view part = parts.take(number);
    if (part.empty()) return;
    if constexpr (kIsText<decltype(member)>) {
      unescape_to(member, part, delimiters);
    } else {
      read_parts(member, part, below, '\0', delimiters);
    }
  });
}

template <class Value>
Result<void> write_parts(Message& message, const Place& place, std::uint32_t above,
                         const Value& value) {
  std::optional<Error> failure;
  for_each_part(value, [&](std::string_view, std::uint32_t number, const auto& member) {
    if (failure) return;
    // A subcomponent has no parts: the first member of what would stand there is all of it.
    if (above != 0 && place.component != 0 && number != 1) return;
    Result<void> written;
    if constexpr (kIsText<decltype(member)>) {
      const Place part =
          above == 0 ? part_place(place, number, 0) : part_place(place, above, number);
      written = write_leaf(message, part, member);
    } else if (above == 0) {
      written = write_parts(message, place, number, member);
    }
    if (!written) failure = std::move(written).error();
  });
  if (failure) return *failure;
  return {};
}

template <class Value>
std::string encode_parts(const Value& value, char separator, char below,
                         const Delimiters& delimiters) {
  std::string out;
  std::uint32_t written = 1;
  for_each_part(value, [&](std::string_view, std::uint32_t number, const auto& member) {
    if constexpr (kIsText<decltype(member)>) {
      if (!member.empty()) {
        append_part(out, written, number, separator, escape(member, delimiters));
      }
    } else {
      append_part(out, written, number, separator, encode_parts(member, below, '\0', delimiters));
    }
  });
  return out;
}

}  // namespace detail

template <class Value, class Visit>
void for_each_part(Value& value, Visit&& visit) {
  detail::visit_parts(value, visit);
}

template <class Value>
Value read(const Encoded& encoded) {
  const Delimiters& delimiters = encoded.delimiters;
  Value value;
  detail::read_parts(value, encoded.text,
                     encoded.in_component ? delimiters.subcomponent : delimiters.component,
                     encoded.in_component ? '\0' : delimiters.subcomponent, delimiters);
  return value;
}

template <class Value>
Result<void> write(Message& message, const Place& place, const Value& value) {
  return detail::write_parts(message, place, 0, value);
}

template <class Value>
std::string encode(const Value& value, const Delimiters& delimiters) {
  return detail::encode_parts(value, delimiters.component, delimiters.subcomponent, delimiters);
}

}  // namespace cannula::hl7v2
