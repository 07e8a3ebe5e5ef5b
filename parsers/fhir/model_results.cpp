// FHIR R4 (4.0.1): results, orders and findings, in the form that model_text.h describes. Taken
// from the StructureDefinitions of the specification; to check one by eye:
// http://hl7.org/fhir/R4/NAME.html, such as http://hl7.org/fhir/R4/observation.html
#include "parsers/fhir/model_text.h"

namespace cannula::fhir {

std::string_view results_model() {
  return R"(
resource Observation : DomainResource
  identifier           0..* Identifier
  basedOn              0..* Reference
  partOf               0..* Reference
  status               1..1 code
  category             0..* CodeableConcept
  code                 1..1 CodeableConcept
  subject              0..1 Reference
  focus                0..* Reference
  encounter            0..1 Reference
  effective[x]         0..1 dateTime Period Timing instant
  issued               0..1 instant
  performer            0..* Reference
  value[x]             0..1 Quantity CodeableConcept string boolean integer Range Ratio SampledData time dateTime Period
  dataAbsentReason     0..1 CodeableConcept
  interpretation       0..* CodeableConcept
  note                 0..* Annotation
  bodySite             0..1 CodeableConcept
  method               0..1 CodeableConcept
  specimen             0..1 Reference
  device               0..1 Reference
  referenceRange       0..* BackboneElement
    low                0..1 Quantity
    high               0..1 Quantity
    type               0..1 CodeableConcept
    appliesTo          0..* CodeableConcept
    age                0..1 Range
    text               0..1 string
  hasMember            0..* Reference
  derivedFrom          0..* Reference
  component            0..* BackboneElement
    code               1..1 CodeableConcept
    value[x]           0..1 Quantity CodeableConcept string boolean integer Range Ratio SampledData time dateTime Period
    dataAbsentReason   0..1 CodeableConcept
    interpretation     0..* CodeableConcept
    referenceRange     0..* @Observation.referenceRange

resource DiagnosticReport : DomainResource
  identifier           0..* Identifier
  basedOn              0..* Reference
  status               1..1 code
  category             0..* CodeableConcept
  code                 1..1 CodeableConcept
  subject              0..1 Reference
  encounter            0..1 Reference
  effective[x]         0..1 dateTime Period
  issued               0..1 instant
  performer            0..* Reference
  resultsInterpreter   0..* Reference
  specimen             0..* Reference
  result               0..* Reference
  imagingStudy         0..* Reference
  media                0..* BackboneElement
    comment            0..1 string
    link               1..1 Reference
  conclusion           0..1 string
  conclusionCode       0..* CodeableConcept
  presentedForm        0..* Attachment

resource ServiceRequest : DomainResource
  identifier              0..* Identifier
  instantiatesCanonical   0..* canonical
  instantiatesUri         0..* uri
  basedOn                 0..* Reference
  replaces                0..* Reference
  requisition             0..1 Identifier
  status                  1..1 code
  intent                  1..1 code
  category                0..* CodeableConcept
  priority                0..1 code
  doNotPerform            0..1 boolean
  code                    0..1 CodeableConcept
  orderDetail             0..* CodeableConcept
  quantity[x]             0..1 Quantity Ratio Range
  subject                 1..1 Reference
  encounter               0..1 Reference
  occurrence[x]           0..1 dateTime Period Timing
  asNeeded[x]             0..1 boolean CodeableConcept
  authoredOn              0..1 dateTime
  requester               0..1 Reference
  performerType           0..1 CodeableConcept
  performer               0..* Reference
  locationCode            0..* CodeableConcept
  locationReference       0..* Reference
  reasonCode              0..* CodeableConcept
  reasonReference         0..* Reference
  insurance               0..* Reference
  supportingInfo          0..* Reference
  specimen                0..* Reference
  bodySite                0..* CodeableConcept
  note                    0..* Annotation
  patientInstruction      0..1 string
  relevantHistory         0..* Reference

resource Specimen : DomainResource
  identifier            0..* Identifier
  accessionIdentifier   0..1 Identifier
  status                0..1 code
  type                  0..1 CodeableConcept
  subject               0..1 Reference
  receivedTime          0..1 dateTime
  parent                0..* Reference
  request               0..* Reference
  collection            0..1 BackboneElement
    collector           0..1 Reference
    collected[x]        0..1 dateTime Period
    duration            0..1 Duration
    quantity            0..1 Quantity
    method              0..1 CodeableConcept
    bodySite            0..1 CodeableConcept
    fastingStatus[x]    0..1 CodeableConcept Duration
  processing            0..* BackboneElement
    description         0..1 string
    procedure           0..1 CodeableConcept
    additive            0..* Reference
    time[x]             0..1 dateTime Period
  container             0..* BackboneElement
    identifier          0..* Identifier
    description         0..1 string
    type                0..1 CodeableConcept
    capacity            0..1 Quantity
    specimenQuantity    0..1 Quantity
    additive[x]         0..1 CodeableConcept Reference
  condition             0..* CodeableConcept
  note                  0..* Annotation

resource Device : DomainResource
  identifier           0..* Identifier
  definition           0..1 Reference
  udiCarrier           0..* BackboneElement
    deviceIdentifier   0..1 string
    issuer             0..1 uri
    jurisdiction       0..1 uri
    carrierAIDC        0..1 base64Binary
    carrierHRF         0..1 string
    entryType          0..1 code
  status               0..1 code
  statusReason         0..* CodeableConcept
  distinctIdentifier   0..1 string
  manufacturer         0..1 string
  manufactureDate      0..1 dateTime
  expirationDate       0..1 dateTime
  lotNumber            0..1 string
  serialNumber         0..1 string
  deviceName           0..* BackboneElement
    name               1..1 string
    type               1..1 code
  modelNumber          0..1 string
  partNumber           0..1 string
  type                 0..1 CodeableConcept
  specialization       0..* BackboneElement
    systemType         1..1 CodeableConcept
    version            0..1 string
  version              0..* BackboneElement
    type               0..1 CodeableConcept
    component          0..1 Identifier
    value              1..1 string
  property             0..* BackboneElement
    type               1..1 CodeableConcept
    valueQuantity      0..* Quantity
    valueCode          0..* CodeableConcept
  patient              0..1 Reference
  owner                0..1 Reference
  contact              0..* ContactPoint
  location             0..1 Reference
  url                  0..1 uri
  note                 0..* Annotation
  safety               0..* CodeableConcept
  parent               0..1 Reference

resource Procedure : DomainResource
  identifier              0..* Identifier
  instantiatesCanonical   0..* canonical
  instantiatesUri         0..* uri
  basedOn                 0..* Reference
  partOf                  0..* Reference
  status                  1..1 code
  statusReason            0..1 CodeableConcept
  category                0..1 CodeableConcept
  code                    0..1 CodeableConcept
  subject                 1..1 Reference
  encounter               0..1 Reference
  performed[x]            0..1 dateTime Period string Age Range
  recorder                0..1 Reference
  asserter                0..1 Reference
  performer               0..* BackboneElement
    function              0..1 CodeableConcept
    actor                 1..1 Reference
    onBehalfOf            0..1 Reference
  location                0..1 Reference
  reasonCode              0..* CodeableConcept
  reasonReference         0..* Reference
  bodySite                0..* CodeableConcept
  outcome                 0..1 CodeableConcept
  report                  0..* Reference
  complication            0..* CodeableConcept
  complicationDetail      0..* Reference
  followUp                0..* CodeableConcept
  note                    0..* Annotation
  focalDevice             0..* BackboneElement
    action                0..1 CodeableConcept
    manipulated           1..1 Reference
  usedReference           0..* Reference
  usedCode                0..* CodeableConcept

resource Condition : DomainResource
  identifier           0..* Identifier
  clinicalStatus       0..1 CodeableConcept
  verificationStatus   0..1 CodeableConcept
  category             0..* CodeableConcept
  severity             0..1 CodeableConcept
  code                 0..1 CodeableConcept
  bodySite             0..* CodeableConcept
  subject              1..1 Reference
  encounter            0..1 Reference
  onset[x]             0..1 dateTime Age Period Range string
  abatement[x]         0..1 dateTime Age Period Range string
  recordedDate         0..1 dateTime
  recorder             0..1 Reference
  asserter             0..1 Reference
  stage                0..* BackboneElement
    summary            0..1 CodeableConcept
    assessment         0..* Reference
    type               0..1 CodeableConcept
  evidence             0..* BackboneElement
    code               0..* CodeableConcept
    detail             0..* Reference
  note                 0..* Annotation

resource AllergyIntolerance : DomainResource
  identifier           0..* Identifier
  clinicalStatus       0..1 CodeableConcept
  verificationStatus   0..1 CodeableConcept
  type                 0..1 code
  category             0..* code
  criticality          0..1 code
  code                 0..1 CodeableConcept
  patient              1..1 Reference
  encounter            0..1 Reference
  onset[x]             0..1 dateTime Age Period Range string
  recordedDate         0..1 dateTime
  recorder             0..1 Reference
  asserter             0..1 Reference
  lastOccurrence       0..1 dateTime
  note                 0..* Annotation
  reaction             0..* BackboneElement
    substance          0..1 CodeableConcept
    manifestation      1..* CodeableConcept
    description        0..1 string
    onset              0..1 dateTime
    severity           0..1 code
    exposureRoute      0..1 CodeableConcept
    note               0..* Annotation

resource Flag : DomainResource
  identifier   0..* Identifier
  status       1..1 code
  category     0..* CodeableConcept
  code         1..1 CodeableConcept
  subject      1..1 Reference
  period       0..1 Period
  encounter    0..1 Reference
  author       0..1 Reference
)";
}

}  // namespace cannula::fhir
