#include "parsers/fhir/model.h"

#include <algorithm>
#include <stdexcept>

#include "parsers/fhir/model_text.h"

namespace cannula::fhir {
namespace {

// http://hl7.org/fhir/R4/datatypes.html#open
constexpr std::string_view kOpenTypes[] = {"base64Binary",
                                           "boolean",
                                           "canonical",
                                           "code",
                                           "date",
                                           "dateTime",
                                           "decimal",
                                           "id",
                                           "instant",
                                           "integer",
                                           "markdown",
                                           "oid",
                                           "positiveInt",
                                           "string",
                                           "time",
                                           "unsignedInt",
                                           "uri",
                                           "url",
                                           "uuid",
                                           "Address",
                                           "Age",
                                           "Annotation",
                                           "Attachment",
                                           "CodeableConcept",
                                           "Coding",
                                           "ContactPoint",
                                           "Count",
                                           "Distance",
                                           "Duration",
                                           "HumanName",
                                           "Identifier",
                                           "Money",
                                           "Period",
                                           "Quantity",
                                           "Range",
                                           "Ratio",
                                           "Reference",
                                           "SampledData",
                                           "Signature",
                                           "Timing",
                                           "ContactDetail",
                                           "Contributor",
                                           "DataRequirement",
                                           "Expression",
                                           "ParameterDefinition",
                                           "RelatedArtifact",
                                           "TriggerDefinition",
                                           "UsageContext",
                                           "Dosage",
                                           "Meta"};

std::uint32_t hash_of(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619u;
  return hash ^ (hash >> 15);
}

// The next word of a line; empty at its end.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

// Reads the texts in two rounds: first the types by name, then their elements, which refer to
// types.
class ModelReader {
 public:
  explicit ModelReader(Model& model) : model_(model) {}

  void read(std::span<const std::string_view> texts) {
    for (const std::string_view text : texts) read_lines(text);
    for (Type& type : model_.types_) finish(type);
    for (Type& type : model_.types_) type.index();
    std::sort(model_.resources_.begin(), model_.resources_.end());
    for (const Type& type : model_.types_) model_.by_name_.push_back(&type);
    std::sort(model_.by_name_.begin(), model_.by_name_.end(),
              [](const Type* left, const Type* right) { return left->name_ < right->name_; });
  }

 private:
  struct Line {
    std::string_view name;
    std::string_view cardinality;
    std::string_view types;
    Type* own = nullptr;  // of the deeper lines
  };
  struct Content {
    Type* type;
    std::string_view base;
    std::vector<Line> lines;
    bool finished = false;
  };

  void read_lines(std::string_view text) {
    std::vector<Content*> open;  // by depth
    while (!text.empty()) {
      std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (line.empty()) continue;
      const std::size_t depth = std::min(line.find_first_not_of(' '), line.size()) / 2;
      const std::string_view first = take_word(line);
      if (depth == 0) {
        Content& content = add_type(take_word(line), first == "resource");
        take_word(line);  // ':'
        content.base = take_word(line);
        open = {&content};
        continue;
      }
      open.resize(depth);
      std::vector<Line>& lines = open.back()->lines;
      lines.push_back({first, take_word(line), {}, nullptr});
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      lines.back().types = line;
      if (next_is_deeper(text, depth)) {
        Content& parent = *open.back();
        Content& content =
            add_type(keep(std::string(parent.type->name_) + "." + std::string(first)), false);
        content.base = line;
        parent.lines.back().own = content.type;
        open.push_back(&content);
      }
    }
  }

  static bool next_is_deeper(std::string_view text, std::size_t depth) {
    const std::size_t blanks = text.find_first_not_of(' ');
    return blanks != std::string_view::npos && blanks / 2 > depth;
  }

  Content& add_type(std::string_view name, bool resource) {
    Type& type = model_.types_.emplace_back();
    type.name_ = name;
    type.resource_ = resource;
    if (resource && name != "Resource" && name != "DomainResource") {
      model_.resources_.push_back(name);
    }
    return contents_.emplace_back(Content{&type, {}, {}});
  }

  Content& content_of(std::string_view name) {
    for (Content& content : contents_) {
      if (content.type->name_ == name) return content;
    }
    // A mistake in our own tables, found by the first test that runs.
    throw std::logic_error("the FHIR model names an unknown type: " + std::string(name));
  }

  void finish(Type& type) {
    Content& content = content_of(type.name_);
    if (content.finished) return;
    content.finished = true;
    if (!content.base.empty()) {
      Type& base = *content_of(content.base).type;
      finish(base);
      type.base_ = &base;
      type.elements_ = base.elements_;
      for (const Element& element : base.elements_)
        last_choice_ = std::max(last_choice_, element.choice);
    }
    for (const Line& line : content.lines) add_elements(type, line);
  }

  void add_elements(Type& type, const Line& line) {
    Element element;
    element.required = line.cardinality.starts_with('1');
    element.list = line.cardinality.ends_with('*');
    if (!line.name.ends_with("[x]")) {
      element.name = line.name;
      return add_element(type, element, line.types, line.own);
    }
    element.choice = ++last_choice_;
    const std::string stem(line.name.substr(0, line.name.size() - 3));
    const auto add = [&](std::string_view name) {
      std::string whole = stem + std::string(name);
      whole[stem.size()] = static_cast<char>(whole[stem.size()] & ~0x20);
      element.name = keep(std::move(whole));
      add_element(type, element, name, nullptr);
    };
    if (line.types == "*") {
      for (const std::string_view name : kOpenTypes) add(name);
      return;
    }
    for (std::string_view types = line.types; !types.empty();) add(take_word(types));
  }

  void add_element(Type& type, Element element, std::string_view type_name, const Type* own) {
    element.order = static_cast<std::uint16_t>(type.elements_.size() + 1);
    if (const auto primitive = primitive_named(type_name)) {
      element.primitive = *primitive;
      type.elements_.push_back(element);
      element.name = keep("_" + std::string(element.name));
      element.primitive = Primitive::none;
      element.type = content_of("Element").type;
      element.sibling = true;
      element.required = false;
      element.choice = 0;
      ++element.order;
    } else if (own != nullptr) {
      element.type = own;
    } else {
      element.type = content_of(type_name.starts_with('@') ? type_name.substr(1) : type_name).type;
    }
    type.elements_.push_back(element);
  }

  std::string_view keep(std::string text) { return model_.names_.emplace_back(std::move(text)); }

  Model& model_;
  std::deque<Content> contents_;
  std::uint16_t last_choice_ = 0;
};

void Type::index() {
  std::size_t size = 4;
  while (size < elements_.size() * 2) size *= 2;
  slots_.assign(size, 0);
  for (std::size_t position = 0; position < elements_.size(); ++position) {
    std::size_t at = hash_of(elements_[position].name) & (size - 1);
    while (slots_[at] != 0) at = (at + 1) & (size - 1);
    slots_[at] = static_cast<std::uint16_t>(position + 1);
  }
}

const Element* Type::find(std::string_view name) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash_of(name) & mask; slots_[at] != 0; at = (at + 1) & mask) {
    const Element& element = elements_[slots_[at] - 1];
    if (element.name == name) return &element;
  }
  return nullptr;
}

const Model& Model::r4() {
  static const Model model = [] {
    Model read;
    const std::string_view texts[] = {datatypes_model(), patients_model(), results_model(),
                                      medications_model(), exchange_model()};
    ModelReader(read).read(texts);
    return read;
  }();
  return model;
}

const Type* Model::find(std::string_view name) const {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [](const Type* type, std::string_view wanted) { return type->name() < wanted; });
  return found != by_name_.end() && (*found)->name() == name ? *found : nullptr;
}

}  // namespace cannula::fhir
