// What FHIR R4 says of its resources and data types: which elements, in which order, how many, of
// which type. For the resources that clinical messages are mapped to (resources()); more are rows
// in model_*.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parsers/fhir/primitive.h"

namespace cannula::fhir {

class Type;

// An element as JSON names it: of value[x] there is one for each type, "valueQuantity"; and of each
// primitive element there is one more, "_birthDate", for its id and extensions
// (http://hl7.org/fhir/R4/json.html#primitive).
struct Element {
  std::string_view name;
  Primitive primitive = Primitive::none;
  const Type* type = nullptr;  // null for primitives
  std::uint16_t order = 0;     // in its type, from 1
  std::uint16_t choice = 0;    // the same number for all that one [x] stands for; 0: no choice
  bool list = false;
  bool required = false;
  bool sibling = false;  // "_birthDate"
};

class Type {
 public:
  std::string_view name() const { return name_; }  // "Patient", "HumanName", "Patient.contact"
  bool is_resource() const { return resource_; }
  // Stands for whatever resource it is: `contained`, Bundle.entry.resource.
  bool is_any_resource() const { return resource_ && name_ == "Resource"; }
  std::span<const Element> elements() const { return elements_; }  // in the order of R4
  const Element* find(std::string_view name) const;

 private:
  friend class ModelReader;
  void index();

  std::string_view name_;
  const Type* base_ = nullptr;
  bool resource_ = false;
  std::vector<Element> elements_;
  std::vector<std::uint16_t> slots_;  // by hash, position in elements_ + 1
};

// Immutable; of static storage.
class Model {
 public:
  static const Model& r4();

  const Type* find(std::string_view name) const;  // of a resource or data type
  std::span<const std::string_view> resources() const { return resources_; }  // by name

 private:
  friend class ModelReader;
  Model() = default;

  std::deque<Type> types_;
  std::deque<std::string> names_;  // that do not stand in the text
  std::vector<std::string_view> resources_;
  std::vector<const Type*> by_name_;
};

}  // namespace cannula::fhir
