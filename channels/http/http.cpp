#include "channels/http/http.h"

#include "channels/http/receiver.h"

namespace cannula::http {

Transport transport() {
  auto servers = std::make_shared<Servers>();
  Transport made;
  made.type = "http";
  made.description = "HTTP requests, in and out: webhooks, FHIR and other interfaces of the web.";
  made.source_options = receiver_options();
  made.make_receiver = [servers](const Values& values, Ports ports, Intake& intake) {
    return make_receiver(servers, values, std::move(ports), intake);
  };
  return made;
}

}  // namespace cannula::http
