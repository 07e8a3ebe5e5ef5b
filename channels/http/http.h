// HTTP: source and destination of type "http", and the destination type "fhir", which is HTTP with
// FHIR's content type.
#pragma once

#include "channels/transport/transport.h"

namespace cannula::http {

// Sources made from one Transport value share listeners; a process has one.
Transport transport();
Transport fhir_transport();

}  // namespace cannula::http
