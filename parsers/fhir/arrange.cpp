#include "parsers/fhir/arrange.h"

#include <algorithm>

namespace cannula::fhir {

using tree::Document;
using tree::Kind;
using tree::kNone;
using tree::Node;
using tree::NodeId;

namespace {

std::string suggestion(std::string_view name, std::span<const std::string_view> candidates) {
  const auto found = nearest(name, candidates);
  return found ? "did you mean '" + *found + "'?" : "";
}

std::string suggestion(std::string_view name, const Type& type) {
  std::vector<std::string_view> names;
  for (const Element& element : type.elements()) names.push_back(element.name);
  return suggestion(name, names);
}

class Arranger {
 public:
  explicit Arranger(Document& document) : document_(document) {
    ordered_.reserve(64);
    children_.reserve(64);
    way_.reserve(16);
  }

  bool arrange_object(NodeId object, const Type& type, bool resource);
  Error& error() { return error_; }
  void begin(std::string_view name) { way_.push_back({name, 0}); }

 private:
  struct Ordered {
    std::uint16_t order;
    NodeId id;
    const Element* element;
  };
  struct Step {
    std::string_view name;
    std::size_t position;  // from 1; 0: not of a list
  };
  static constexpr std::size_t kDeepest = 100;

  bool place(NodeId child, const Type& type, bool resource);
  NodeId fix(NodeId child, const Element& element);
  NodeId fix_list(NodeId child, const Element& element);
  bool fix_one(NodeId child, const Element& element);  // false also when it is left out
  bool fix_complex(NodeId child, const Element& element);
  bool fix_primitive(NodeId child, const Element& element);
  bool check_choices(std::size_t begin, const Type& type);

  bool fail(std::string_view code, const std::string& what, std::string hint = "");
  std::string way() const;

  Document& document_;
  std::vector<Ordered> ordered_;  // of the objects under way, one behind the other
  std::vector<NodeId> children_;
  std::vector<Step> way_;
  std::string space_;
  bool failed_ = false;
  Error error_;
};

std::string Arranger::way() const {
  std::string text;
  for (const Step& step : way_) {
    if (!text.empty()) text += '.';
    text += step.name;
    if (step.position != 0) text += "[" + std::to_string(step.position) + "]";
  }
  return text;
}

bool Arranger::fail(std::string_view code, const std::string& what, std::string hint) {
  if (!failed_) error_ = Error(std::string(code), way() + ": " + what, std::move(hint));
  failed_ = true;
  return false;
}

bool Arranger::arrange_object(NodeId object, const Type& type, bool resource) {
  if (way_.size() > kDeepest) return fail("E108", "is nested too deep");
  const std::size_t begin = ordered_.size();
  const std::size_t first_child = children_.size();
  document_.take_children(object, children_);
  for (std::size_t at = first_child; at < children_.size(); ++at) {
    if (!place(children_[at], type, resource)) return false;
  }
  children_.resize(first_child);
  const auto by_order = [](const Ordered& left, const Ordered& right) {
    return left.order < right.order;
  };
  const auto own = ordered_.begin() + static_cast<std::ptrdiff_t>(begin);
  if (!std::is_sorted(own, ordered_.end(), by_order)) std::sort(own, ordered_.end(), by_order);
  if (!check_choices(begin, type)) return false;
  if (resource && (own == ordered_.end() || own->order != 0)) {
    document_.add_fixed(object, "resourceType", document_.make_fixed(type.name()));
  }
  for (std::size_t at = begin; at < ordered_.size(); ++at) {
    document_.put_back(object, ordered_[at].id);
  }
  ordered_.resize(begin);
  return true;
}

// Finds the child's element, gives it its form and its place in the order.
bool Arranger::place(NodeId child, const Type& type, bool resource) {
  const std::string_view name = document_.node(child).name();
  const Element* element = type.find(name);
  if (element == nullptr) {
    if (resource && name == "resourceType") {
      const std::string found = document_.node(child).text();
      if (found != type.name()) {
        return fail("E103", "resourceType is '" + found + "' in a " + std::string(type.name()));
      }
      ordered_.push_back({0, child, nullptr});
      return true;
    }
    return fail(
        "E102",
        std::string(type.name()) + " has no element '" + std::string(name.substr(0, 60)) + "'",
        suggestion(name, type));
  }
  way_.push_back({name, 0});
  const NodeId fixed = fix(child, *element);
  if (failed_) return false;
  way_.pop_back();
  if (fixed != kNone) ordered_.push_back({element->order, fixed, element});
  return true;
}

bool Arranger::check_choices(std::size_t begin, const Type& type) {
  std::uint16_t choice = 0;
  std::string_view chosen;
  for (std::size_t at = begin; at < ordered_.size(); ++at) {
    const Element* element = ordered_[at].element;
    if (element == nullptr || element->sibling) continue;
    if (at > begin && ordered_[at - 1].order == ordered_[at].order) {
      return fail("E105", "'" + std::string(element->name) + "' stands twice");
    }
    if (element->choice != 0 && element->choice == choice) {
      return fail("E105", "has both '" + std::string(chosen) + "' and '" +
                              std::string(element->name) + "', of which a " +
                              std::string(type.name()) + " has one");
    }
    choice = element->choice;
    chosen = element->name;
  }
  return true;
}

NodeId Arranger::fix(NodeId child, const Element& element) {
  const Kind kind = document_.node(child).kind();
  if (kind == Kind::null) return kNone;
  if (kind == Kind::array) {
    if (element.list) return fix_list(child, element);
    fail("E106", "takes one value, and a list was given",
         "write the value itself, without the braces around it");
    return kNone;
  }
  if (!fix_one(child, element)) return kNone;
  return element.list ? document_.wrap(child) : child;
}

NodeId Arranger::fix_list(NodeId child, const Element& element) {
  const std::size_t first = children_.size();
  document_.take_children(child, children_);
  const std::size_t last = children_.size();
  // The nulls of a list of primitives and of its siblings hold places against each other.
  const bool keeps_nulls = element.primitive != Primitive::none || element.sibling;
  bool any = false;
  for (std::size_t at = first; at < last; ++at) {
    way_.back().position = at - first + 1;
    const NodeId item = children_[at];
    if (keeps_nulls && document_.node(item).kind() == Kind::null) {
      document_.put_back(child, item);
    } else if (fix_one(item, element)) {
      document_.put_back(child, item);
      any = true;
    }
    if (failed_) return kNone;
  }
  children_.resize(first);
  way_.back().position = 0;
  return any ? child : kNone;
}

bool Arranger::fix_one(NodeId child, const Element& element) {
  if (element.primitive != Primitive::none) return fix_primitive(child, element);
  return fix_complex(child, element);
}

bool Arranger::fix_complex(NodeId child, const Element& element) {
  const Node node = document_.node(child);
  if (node.kind() == Kind::null) return false;
  if (node.kind() != Kind::object) {
    std::string hint;
    if (element.type->name() == "CodeableConcept") hint = "write { text = … } or fhir.concept(…)";
    if (element.type->name() == "Reference") hint = "write { reference = \"Patient/12\" }";
    return fail("E103",
                "takes a " + std::string(element.type->name()) + ", and " +
                    std::string(name_of(node.kind())) + " was given",
                hint);
  }
  if (node.size() == 0) return false;
  if (element.type->is_any_resource()) {
    const auto type = type_of_resource(node);
    if (!type) return fail(type.error().code, type.error().message, type.error().hint);
    return arrange_object(child, **type, true);
  }
  return arrange_object(child, *element.type, false) && document_.node(child).size() != 0;
}

bool Arranger::fix_primitive(NodeId child, const Element& element) {
  const Node node = document_.node(child);
  const Primitive type = element.primitive;
  const Kind kind = node.kind();
  const std::string_view text = node.text(space_);
  if (kind == Kind::null || (kind == Kind::string && text.empty())) return false;
  const bool boolean = type == Primitive::boolean;
  if (node.is_container() || boolean != (kind == Kind::boolean)) {
    if (kind == Kind::object && node.size() == 0) return false;
    return fail("E103",
                "takes a " + std::string(name_of(type)) + ", and " + std::string(name_of(kind)) +
                    " was given",
                boolean ? "write true or false without quotes" : "");
  }
  if (const auto form = wrong_form(type, text)) {
    return fail("E104", "'" + std::string(text.substr(0, 60)) + "' is not " + std::string(*form));
  }
  if (is_numeric(type)) {
    if (kind == Kind::string) document_.to_number(child);
  } else if (kind == Kind::number) {
    document_.to_string(child);
  }
  return true;
}

}  // namespace

Result<void> arrange(Document& document, NodeId object, const Type& type) {
  Arranger arranger(document);
  arranger.begin(type.name());
  if (!arranger.arrange_object(object, type, type.is_resource())) {
    return std::move(arranger.error());
  }
  return {};
}

Result<const Type*> type_of_resource(Node resource) {
  const std::string name = resource.member("resourceType").text();
  if (name.empty()) {
    return Error{"E103", "a resource was expected, and there is no resourceType",
                 "make it with fhir.Patient{…} or the like"};
  }
  const Type* type = Model::r4().find(name);
  if (type == nullptr || !type->is_resource()) {
    return Error{"E101", "FHIR R4 as modelled here has no resource '" + name.substr(0, 60) + "'",
                 suggestion(name, Model::r4().resources())};
  }
  return type;
}

}  // namespace cannula::fhir
