#include "engine/script/session.h"

#include "engine/script/lua_runtime.h"

namespace cannula::script {

const hl7v2::Message& MessageBox::read() {
  if (own_) return *own_;
  if (!shared_) {
    auto parsed = body_ ? hl7v2::Message::parse(body_) : hl7v2::Message::parse(make_bytes(""));
    if (!parsed) {
      throw ScriptError("L211", "the text is not an HL7 v2 message: " + parsed.error().text());
    }
    shared_ = std::make_shared<const hl7v2::Message>(*std::move(parsed));
  }
  return *shared_;
}

hl7v2::Message& MessageBox::edit() {
  if (!own_) own_.emplace(read());
  return *own_;
}

const Bytes& MessageBox::bytes() {
  return body_ ? body_ : read().received();
}

Bytes MessageBox::payload() {
  const bool edited = own_ && own_->edited();
  if (!edited) return received_ ? nullptr : bytes();
  return make_bytes(own_->encode());
}

void charge(lua_State* L, Session& session, std::size_t bytes) {
  Machine::of(L).charge(L, bytes);
  session.charged += bytes;
}

}  // namespace cannula::script
