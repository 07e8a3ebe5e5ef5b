#include "engine/script/session.h"

#include <fmt/format.h>

#include "engine/script/lua_runtime.h"

namespace cannula::script {

namespace {
template <class T>
T or_throw(Result<T> parsed) {
  if (parsed) return *std::move(parsed);
  throw ScriptError("L211", "the text is not an HL7 v2 message: " + parsed.error().text());
}
}  // namespace

const hl7v2::Message& MessageBox::read() {
  if (own_) return *own_;
  if (read_) return *shared_;
  if (!shared_ && hl7v2::is_utf16(*body_)) {
    hl7v2::Decoded decoded = or_throw(hl7v2::decode(body_));
    shared_ = std::make_shared<const hl7v2::Message>(std::move(decoded.message));
    encoding_ = std::move(decoded.encoding);
    findings_ = std::move(decoded.findings);
    read_ = true;
    return *shared_;
  }
  if (!shared_) {
    shared_ = std::make_shared<const hl7v2::Message>(or_throw(hl7v2::Message::parse(body_)));
  }
  plain_ = hl7v2::is_plain(*shared_);
  if (!plain_) {
    hl7v2::Decoded decoded = decode();
    if (decoded.message.received() != shared_->received()) {
      shared_ = std::make_shared<const hl7v2::Message>(std::move(decoded.message));
    }
    encoding_ = std::move(decoded.encoding);
    findings_ = std::move(decoded.findings);
  }
  read_ = true;
  return *shared_;
}

hl7v2::Decoded MessageBox::decode() const {
  const auto origin = from_ == From::script ? hl7v2::Origin::written : hl7v2::Origin::received;
  return or_throw(hl7v2::decode(*shared_, origin, told_));
}

const hl7v2::Encoding& MessageBox::encoding() {
  read();
  if (!encoding_) encoding_ = decode().encoding;
  return *encoding_;
}

hl7v2::Message& MessageBox::edit() {
  if (!own_) own_.emplace(read());
  return *own_;
}

void MessageBox::check_writable(std::string_view text) {
  if (is_ascii(text)) return;
  const auto possible = hl7v2::check_encodable(read(), encoding(), text);
  if (!possible) throw ScriptError("L222", possible.error().text());
}

MessageBox MessageBox::copy() {
  MessageBox other = *this;
  other.edit();
  if (other.from_ == From::source) other.from_ = From::destination;
  other.findings_.clear();
  return other;
}

std::string MessageBox::encode() {
  const hl7v2::Message& message = read();
  if (!message.edited() && from_ != From::script) return *body_;
  if (plain_) {
    std::string text = message.encode();
    if (is_ascii(text)) return text;
  }
  auto bytes = hl7v2::encode(message, encoding());
  if (!bytes) throw ScriptError("L222", bytes.error().text());
  return *std::move(bytes);
}

Bytes MessageBox::payload() {
  if (own_ && own_->edited()) return make_bytes(encode());
  if (from_ == From::script) return make_bytes(encode());
  return received() ? nullptr : body_;
}

bool DocumentBox::looks_like_json(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

tree::Document& DocumentBox::read() {
  if (parsed_ || !body_) return document_;
  if (from_ != From::source || looks_like_json(*body_)) {
    tree::Document::Limits limits;
    limits.memory = memory_;
    auto parsed = tree::Document::parse(body_, limits);
    if (!parsed && parsed.error().code == "N110") {
      throw ScriptError(
          "L235", fmt::format("the document has more values than fit the {} MB that the script "
                              "may use: have it sent in parts, or raise memory under [script] "
                              "in channel.toml",
                              memory_ >> 20));
    }
    if (!parsed) throw ScriptError("L228", "the text is not JSON: " + parsed.error().text());
    document_ = *std::move(parsed);
  }
  parsed_ = true;
  return document_;
}

void DocumentBox::clear() {
  document_.clear();
  charged = 0;
  edits = 0;
}

std::vector<Diagnostic> DocumentBox::findings() const {
  constexpr std::size_t kMost = 20;  // they stand in the trace, which is on record
  return document_.findings("document", kMost);
}

void charge(lua_State* L, Session& session, DocumentBox& box) {
  const std::size_t now = box.read().memory();
  if (now <= box.charged) return;
  charge(L, session, now - box.charged);
  box.charged = now;
}

void charge(lua_State* L, Session& session, std::size_t bytes) {
  Machine::of(L).charge(L, bytes);
  session.charged += bytes;
}

}  // namespace cannula::script
