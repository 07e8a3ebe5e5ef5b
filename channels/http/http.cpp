#include "channels/http/http.h"

#include "channels/http/receiver.h"
#include "channels/http/sender.h"

namespace cannula::http {

Transport transport() {
  auto servers = std::make_shared<Servers>();
  Transport made;
  made.type = "http";
  made.description = "HTTP requests, in and out: webhooks, FHIR and other interfaces of the web.";
  made.source_options = receiver_options();
  made.destination_options = sender_options();
  made.make_receiver = [servers](const Values& values, const Ports& ports, Intake& intake) {
    return make_receiver(servers, values, ports, intake);
  };
  made.make_sender = make_sender;
  made.check_source = check_source;
  made.check_destination = check_destination;
  return made;
}

Transport fhir_transport() {
  Transport made;
  made.type = "fhir";
  made.description = "HTTP requests to a FHIR server, with FHIR's content type.";
  made.destination_options = fhir_sender_options();
  made.make_sender = make_fhir_sender;
  made.check_destination = check_destination;
  return made;
}

}  // namespace cannula::http
