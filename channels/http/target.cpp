#include "channels/http/target.h"

#include <algorithm>

#include "channels/http/text.h"
#include "channels/transport/secret_name.h"

namespace cannula::http {

namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char letter = to_lower(digit);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// The byte that an escape at `text[at]` stands for; nothing when it is none or a control character.
std::optional<char> escaped(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  if (high < 0 || low < 0) return std::nullopt;
  const auto byte = static_cast<unsigned char>(high * 16 + low);
  if (byte < 0x20 || byte == 0x7F) return std::nullopt;
  return static_cast<char>(byte);
}

std::optional<std::string> decode_path(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const auto byte = escaped(text, i);
    if (!byte) return std::nullopt;
    if (*byte == '/' || *byte == '%') {
      decoded += text.substr(i, 3);
    } else {
      decoded += *byte;
    }
    i += 2;
  }
  return decoded;
}

// Of a form (application/x-www-form-urlencoded), as queries are: a broken escape stands for itself.
std::string decode_query(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      decoded += ' ';
    } else if (const auto byte = text[i] == '%' ? escaped(text, i) : std::nullopt) {
      decoded += *byte;
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

bool has_dot_segment(std::string_view path) {
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

// What stays escaped in a path is undone by the next reader, perhaps twice: "/a/..%2fb",
// "/a/%252e%252e/b" and, to some, "/a/..\\b" are "/b" to it.
bool hides_dot_segment(std::string path) {
  constexpr int kReaders = 3;
  for (int reader = 0; reader <= kReaders; ++reader) {
    std::replace(path.begin(), path.end(), '\\', '/');
    if (has_dot_segment(path)) return true;
    if (path.find('%') == std::string::npos) return false;
    std::string decoded;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const auto byte = path[i] == '%' ? escaped(path, i) : std::nullopt;
      decoded += byte.value_or(path[i]);
      if (byte) i += 2;
    }
    path = std::move(decoded);
  }
  return false;
}

// "http://host:port/path" as a request to a proxy writes it; every server must take it (RFC 9112,
// 3.2.2).
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() < scheme.size() || !iequals(target.substr(0, scheme.size()), scheme)) {
      continue;
    }
    const std::size_t end = target.find_first_of("/?", scheme.size());
    if (end == std::string_view::npos) return "/";
    return target.substr(end);
  }
  return target;
}

}  // namespace

std::optional<Target> Target::parse(std::string_view written) {
  written = without_authority(written);
  const std::size_t mark = written.find('?');
  const std::string_view path = written.substr(0, mark);
  if (!path.starts_with('/') || path.find('#') != std::string_view::npos) return std::nullopt;
  auto decoded = decode_path(path);
  if (!decoded || hides_dot_segment(*decoded)) return std::nullopt;

  Target target;
  target.path = *std::move(decoded);
  target.text = path;
  if (mark == std::string_view::npos) return target;
  target.text += '?';
  std::string_view rest = written.substr(mark + 1);
  while (true) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    std::string name = decode_query(pair.substr(0, equals));
    const bool secret = equals != std::string_view::npos && is_secret_name(name);
    target.text += secret ? std::string(pair.substr(0, equals)) + "=***" : std::string(pair);
    if (!pair.empty()) {
      std::string value =
          equals == std::string_view::npos ? std::string() : decode_query(pair.substr(equals + 1));
      target.query.emplace_back(std::move(name), secret ? "***" : std::move(value));
    }
    if (end == std::string_view::npos) return target;
    target.text += '&';
    rest.remove_prefix(end + 1);
  }
}

std::optional<PathPattern> PathPattern::parse(std::string_view written) {
  PathPattern pattern;
  if (written.ends_with("/*")) {
    pattern.below = true;
    written.remove_suffix(2);
    if (written.empty()) return pattern;
  }
  const bool plain = std::none_of(written.begin(), written.end(), [](unsigned char byte) {
    return byte <= 0x20 || byte == 0x7F || byte == '?' || byte == '#' || byte == '*' || byte == '%';
  });
  if (!plain || !written.starts_with('/') || has_dot_segment(written)) return std::nullopt;
  pattern.path = written;
  return pattern;
}

bool PathPattern::matches(std::string_view asked) const {
  if (asked == path) return true;
  return below && asked.size() > path.size() && asked.starts_with(path) &&
         asked[path.size()] == '/';
}

std::string PathPattern::text() const {
  return below ? path + "/*" : path;
}

}  // namespace cannula::http
