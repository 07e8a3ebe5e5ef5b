// partners/*.toml: who may connect, what they may send, and the agreement behind it.
#include <charconv>

#include <fmt/format.h>

#include "channels/transport/address.h"
#include "engine/config/folder.h"
#include "engine/config/keys.h"
#include "engine/config/reading.h"

namespace cannula::config {
namespace {

namespace fs = std::filesystem;

// "2026-01-15" of the proleptic Gregorian calendar.
std::optional<std::chrono::sys_days> parse_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t from, std::size_t length) {
    unsigned value = 0;
    const char* end = text.data() + from + length;
    return std::from_chars(text.data() + from, end, value).ptr == end ? static_cast<int>(value)
                                                                      : -1;
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (year < 0 || month < 0 || day < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

// "ORU^R01", "ADT^*", "ACK": capital letters and digits, and a "*" only as the whole trigger.
bool is_event_pattern(std::string_view text) {
  const auto is_word = [](std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
      return std::isupper(c) || std::isdigit(c) || c == '_';
    });
  };
  const std::size_t caret = text.find('^');
  if (caret == std::string_view::npos) return is_word(text) || text == "*";
  const std::string_view trigger = text.substr(caret + 1);
  return is_word(text.substr(0, caret)) && (trigger == "*" || is_word(trigger));
}

// The strings of a value that may be one or a list.
std::vector<const Node*> texts_of(const Node& value) {
  std::vector<const Node*> texts;
  if (value.is(Node::Kind::text)) texts.push_back(&value);
  for (const Node& item : value.items) {
    if (item.is(Node::Kind::text)) texts.push_back(&item);
  }
  return texts;
}

}  // namespace

void Reading::read_partners() {
  for (const std::string& file_name : list_folder(root_, "partners", findings_)) {
    const fs::path path(file_name);
    if (path.extension() != ".toml") continue;
    const std::string name = path.stem().string();
    partner_names_.push_back(name);
    const auto source = read_source(root_, fs::path("partners") / file_name, findings_);
    if (!source) continue;
    if (!is_name(name)) {
      findings_.push_back(
          about_file(Severity::error, "C110", root_ / "partners" / file_name,
                     fmt::format("{} cannot be the name of a partner", in_quotes(name)),
                     "letters, digits, `-` and `_`, at most 64"));
    }
    const Document document = parse_document(source, findings_);
    if (!document.readable) continue;
    site_.partners[name] = read_partner(name, document.root, File(source, findings_));
  }
}

PartnerConfig Reading::read_partner(const std::string& name, const Node& root, const File& file) {
  std::vector<Option> outer(partner_options().begin(), partner_options().end());
  for (Option& option : outer) option.members = {};
  const Values values = read_table(file, root, outer, "a partner", site_.root);

  PartnerConfig partner;
  partner.name = name;
  partner.title = values.text_or("name", name);
  if (values.has("from")) {
    partner.from = values.texts("from");
    check_addresses(*root.find("from"), file);
  }
  if (values.has("certificate")) partner.certificate = values.text("certificate");
  if (values.has("may")) {
    partner.may = values.texts("may");
    check_events(*root.find("may"), file);
  }
  if (const Member* agreement = root.find("agreement")) {
    if (agreement->value.is(Node::Kind::table)) {
      partner.agreement = read_agreement(agreement->value, file);
    } else {
      file.error(
          "C104", agreement->value.span,
          fmt::format("`agreement` must be a table, not {}", name_of(agreement->value.kind)));
    }
  }
  return partner;
}

void Reading::check_addresses(const Member& from, const File& file) {
  const auto texts = texts_of(from.value);
  if (texts.empty()) {
    file.error("C122", from.value.span, "an empty `from` would admit nobody",
               "list addresses, or leave the key out to admit any address");
  }
  for (const Node* text : texts) {
    const auto block = AddressBlock::parse(text->text);
    if (!block) {
      file.error(
          "C122", text->span,
          fmt::format("{} is neither an address nor a block of addresses", in_quotes(text->text)),
          "such as \"10.1.2.3\", \"10.1.0.0/16\", \"2001:db8::/32\"; host names are not looked "
          "up here");
    } else if (*block != block->cleared()) {
      file.error("C122", text->span,
                 fmt::format("{} is one address of a block, not the block", in_quotes(text->text)),
                 fmt::format("write \"{}\" for the block or \"{}\" for the address",
                             block->cleared().text(), address_text(block->address)));
    }
  }
}

void Reading::check_events(const Member& may, const File& file) {
  const auto texts = texts_of(may.value);
  if (texts.empty()) {
    file.error("C126", may.value.span, "an empty `may` would refuse every event",
               "list events, or leave the key out to take any event");
  }
  for (const Node* text : texts) {
    if (is_event_pattern(text->text)) continue;
    file.error("C126", text->span, fmt::format("{} is not an event", in_quotes(text->text)),
               "such as \"ORU^R01\", or \"ADT^*\" for every trigger of ADT");
  }
}

Agreement Reading::read_agreement(const Node& table, const File& file) {
  const Values values = read_table(file, table, agreement_options(), "[agreement]", site_.root);
  Agreement agreement{values.text_or("document", ""), values.text_or("signed", ""),
                      values.text_or("expires", "")};
  std::optional<std::chrono::sys_days> signed_on, expires;
  for (const auto& [key, date] :
       {std::pair("signed", &signed_on), std::pair("expires", &expires)}) {
    if (!values.has(key)) continue;
    *date = parse_date(values.text(key));
    if (*date) continue;
    file.error("C130", table.find(key)->value.span,
               fmt::format("`{}` must be a day such as 2026-01-15, not {}", key,
                           in_quotes(values.text(key))));
  }
  if (signed_on && expires && *expires < *signed_on) {
    file.error(
        "C130", table.find("expires")->value.span,
        fmt::format("the agreement would expire before it was signed ({})", agreement.signed_on));
  } else if (expires && *expires < today_) {
    file.warning("C125", table.find("expires")->value.span,
                 fmt::format("the agreement {} expired on {}", in_quotes(agreement.document),
                             agreement.expires),
                 "renew it with the partner and enter the new date, or disable the channels that "
                 "take from this partner");
  }
  return agreement;
}

}  // namespace cannula::config
