#include "engine/script/reference.h"

#include <vector>

#include "engine/script/registry.h"

namespace cannula::script {

namespace {

// Divides at commas outside of brackets.
std::vector<std::string_view> divide(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (std::string_view("([{<").find(text[at]) != std::string_view::npos) ++depth;
    if (std::string_view(")]}>").find(text[at]) != std::string_view::npos) --depth;
    if (text[at] != ',' || depth != 0) continue;
    parts.push_back(text.substr(start, at - start));
    start = at + 1;
  }
  if (start < text.size()) parts.push_back(text.substr(start));
  for (std::string_view& part : parts) {
    while (part.starts_with(' ')) part.remove_prefix(1);
  }
  return parts;
}

struct Signature {
  std::vector<std::string_view> parameters;  // "name: type", "name?: type", "..."
  std::vector<std::string_view> results;
};

Signature read_signature(std::string_view text) {
  int depth = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (text[end] == '(') ++depth;
    if (text[end] == ')' && --depth == 0) break;
  }
  Signature signature;
  signature.parameters = divide(text.substr(1, end - 1));
  if (text.substr(end).starts_with("): ")) signature.results = divide(text.substr(end + 3));
  return signature;
}

bool is_function(const Binding& binding) {
  return binding.signature.starts_with('(');
}

void append_function(std::string& out, const Binding& binding, std::string_view prefix) {
  const Signature signature = read_signature(binding.signature);
  out += "---" + std::string(binding.description) + "\n";
  std::string names;
  for (const std::string_view parameter : signature.parameters) {
    const auto colon = parameter.find(": ");
    const std::string_view name = parameter.substr(0, colon);
    const std::string_view type =
        colon == std::string_view::npos ? "any" : parameter.substr(colon + 2);
    out += "---@param " + std::string(name) + " " + std::string(type) + "\n";
    names += names.empty() ? "" : ", ";
    names += name.ends_with('?') ? name.substr(0, name.size() - 1) : name;
  }
  for (const std::string_view result : signature.results) {
    out += "---@return " + std::string(result) + "\n";
  }
  out += "function " + std::string(prefix) + std::string(binding.name) + "(" + names + ") end\n\n";
}

// What the objects answer to besides their members.
std::string_view index_fields(std::string_view object) {
  if (object == "Message") return "---@field [string] any\n";
  if (object == "Segment") return "---@field [string] string?\n---@field [integer] Node\n";
  if (object == "Document" || object == "DocumentNode") {
    return "---@field [string] any\n---@field [integer] any\n";
  }
  if (object == "Node") return "---@field [integer] Node\n";
  if (object == "Group" || object == "state") return "---@field [string] any\n";
  return "";
}

void append_class(std::string& out, const Library& library) {
  const std::string name(library.name);
  out += "---" + std::string(library.description) + "\n---@class " + name + "\n";
  for (const Binding& binding : library.bindings) {
    if (is_function(binding)) continue;
    out += "---@field " + std::string(binding.name) + " " + std::string(binding.signature) + " " +
           std::string(binding.description) + "\n";
  }
  out += index_fields(library.name);
  const bool object = library.kind == Library::Kind::object;
  out += (object ? "local " : "") + name + " = {}\n\n";
  for (const Binding& binding : library.bindings) {
    if (is_function(binding)) append_function(out, binding, name + (object ? ":" : "."));
  }
}

std::string heading_of(const Library& library) {
  std::string name(library.name);
  switch (library.kind) {
    case Library::Kind::globals:
      return name;
    case Library::Kind::table:
      return "`" + name + "`";
    case Library::Kind::object:
      return name;
  }
  return name;
}

std::string call_of(const Library& library, const Binding& binding) {
  std::string own(binding.name);
  const std::string signature(is_function(binding) ? binding.signature : "");
  switch (library.kind) {
    case Library::Kind::globals:
      return own + signature;
    case Library::Kind::table:
      return std::string(library.name) + "." + own + signature;
    case Library::Kind::object:
      return (is_function(binding) ? ":" + own + signature
                                   : "." + own + ": " + std::string(binding.signature));
  }
  return own;
}

}  // namespace

std::string lua_types() {
  std::string out =
      "---@meta\n-- What Cannula gives to channel scripts, for the Lua language server. Written by "
      "`cannula lua types`.\n\n"
      "---@class phi\n\n---@class secret\n\n"
      "---@class Reference\n---@field reference string\n\n"
      "---@class SendOptions\n---@field key? string|number|phi The order key at the destination.\n"
      "---@field priority? \"stat\" Goes before what is not stat.\n"
      "---@field always? boolean Goes also when the script parks, rejects, skips or fails.\n"
      "---@field method? string Of an HTTP destination: \"PUT\".\n"
      "---@field path? string Of an HTTP destination: what is added to its url.\n"
      "---@field headers? table<string, string> Of an HTTP destination.\n"
      "---@field content_type? string Of an HTTP destination.\n"
      "---@field updates? string[] Of a FHIR destination: what created() gives.\n\n"
      "---@class ParkOptions\n---@field until_mapped? boolean Runs again by itself when lookup "
      "finds what it missed.\n\n";
  for (const Library& library : libraries()) {
    if (library.standard || library.name == "Print") continue;
    if (library.kind != Library::Kind::globals) {
      append_class(out, library);
      continue;
    }
    for (const Binding& binding : library.bindings) {
      if (binding.name != "require") append_function(out, binding, "");
    }
  }
  return out;
}

std::string reference_page() {
  std::string out =
      "# Lua reference\n\n"
      "What a channel's `main.lua` can use. The language is Lua 5.4; its manual is at "
      "<https://www.lua.org/manual/5.4/>. A script runs in a sandbox: what it may not do, and why, "
      "is "
      "in [the sandbox](../explanation/sandbox.md). Whole scripts are in [from a lab feed to "
      "FHIR](../tutorials/lab-feed-to-fhir.md) and [route by a "
      "rule](../how-to/route-by-a-rule.md).\n\n"
      "This page is written from the table that registers the functions.\n";
  bool standard = false;
  for (const Library& library : libraries()) {
    if (library.standard && !standard) {
      out += "\n# Lua's own libraries\n\n`math` and `utf8` are available as the manual says.\n";
      standard = true;
    }
    out += "\n## " + heading_of(library) + "\n\n";
    if (!library.description.empty()) out += std::string(library.description) + "\n\n";
    if (library.standard) {
      out += "| function | |\n|---|---|\n";
      for (const Binding& binding : library.bindings) {
        std::string call = call_of(library, binding);
        for (std::size_t at = call.find('|'); at != std::string::npos;
             at = call.find('|', at + 2)) {
          call.insert(at, "\\");
        }
        out += "| `" + call + "` | " + std::string(binding.description) + " |\n";
      }
      continue;
    }
    for (const Binding& binding : library.bindings) {
      out +=
          "### `" + call_of(library, binding) + "`\n\n" + std::string(binding.description) + "\n\n";
    }
    while (out.ends_with("\n\n")) out.pop_back();
  }
  return out;
}

}  // namespace cannula::script
