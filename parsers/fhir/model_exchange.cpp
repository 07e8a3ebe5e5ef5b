// FHIR R4 (4.0.1): exchange: bundles, documents, messages, tasks, in the form that model_text.h
// describes. Taken from the StructureDefinitions of the specification; to check one by eye:
// http://hl7.org/fhir/R4/NAME.html, such as http://hl7.org/fhir/R4/bundle.html
#include "parsers/fhir/model_text.h"

namespace cannula::fhir {

std::string_view exchange_model() {
  return R"(
resource Bundle : Resource
  identifier            0..1 Identifier
  type                  1..1 code
  timestamp             0..1 instant
  total                 0..1 unsignedInt
  link                  0..* BackboneElement
    relation            1..1 string
    url                 1..1 uri
  entry                 0..* BackboneElement
    link                0..* @Bundle.link
    fullUrl             0..1 uri
    resource            0..1 Resource
    search              0..1 BackboneElement
      mode              0..1 code
      score             0..1 decimal
    request             0..1 BackboneElement
      method            1..1 code
      url               1..1 uri
      ifNoneMatch       0..1 string
      ifModifiedSince   0..1 instant
      ifMatch           0..1 string
      ifNoneExist       0..1 string
    response            0..1 BackboneElement
      status            1..1 string
      location          0..1 uri
      etag              0..1 string
      lastModified      0..1 instant
      outcome           0..1 OperationOutcome
  signature             0..1 Signature

resource OperationOutcome : DomainResource
  issue           1..* BackboneElement
    severity      1..1 code
    code          1..1 code
    details       0..1 CodeableConcept
    diagnostics   0..1 string
    location      0..* string
    expression    0..* string

resource AuditEvent : DomainResource
  type                  1..1 Coding
  subtype               0..* Coding
  action                0..1 code
  period                0..1 Period
  recorded              1..1 instant
  outcome               0..1 code
  outcomeDesc           0..1 string
  purposeOfEvent        0..* CodeableConcept
  agent                 1..* BackboneElement
    type                0..1 CodeableConcept
    role                0..* CodeableConcept
    who                 0..1 Reference
    altId               0..1 string
    name                0..1 string
    requestor           1..1 boolean
    location            0..1 Reference
    policy              0..* uri
    media               0..1 Coding
    network             0..1 BackboneElement
      address           0..1 string
      type              0..1 code
    purposeOfUse        0..* CodeableConcept
  source                1..1 BackboneElement
    site                0..1 string
    observer            1..1 Reference
    type                0..* Coding
  entity                0..* BackboneElement
    what                0..1 Reference
    type                0..1 Coding
    role                0..1 Coding
    lifecycle           0..1 Coding
    securityLabel       0..* Coding
    name                0..1 string
    description         0..1 string
    query               0..1 base64Binary
    detail              0..* BackboneElement
      type              1..1 string
      value[x]          1..1 string base64Binary

resource Parameters : Resource
  parameter    0..* BackboneElement
    name       1..1 string
    value[x]   0..1 *
    resource   0..1 Resource
    part       0..* @Parameters.parameter

resource MessageHeader : DomainResource
  event[x]       1..1 Coding uri
  destination    0..* BackboneElement
    name         0..1 string
    target       0..1 Reference
    endpoint     1..1 url
    receiver     0..1 Reference
  sender         0..1 Reference
  enterer        0..1 Reference
  author         0..1 Reference
  source         1..1 BackboneElement
    name         0..1 string
    software     0..1 string
    version      0..1 string
    contact      0..1 ContactPoint
    endpoint     1..1 url
  responsible    0..1 Reference
  reason         0..1 CodeableConcept
  response       0..1 BackboneElement
    identifier   1..1 id
    code         1..1 code
    details      0..1 Reference
  focus          0..* Reference
  definition     0..1 canonical

resource DocumentReference : DomainResource
  masterIdentifier      0..1 Identifier
  identifier            0..* Identifier
  status                1..1 code
  docStatus             0..1 code
  type                  0..1 CodeableConcept
  category              0..* CodeableConcept
  subject               0..1 Reference
  date                  0..1 instant
  author                0..* Reference
  authenticator         0..1 Reference
  custodian             0..1 Reference
  relatesTo             0..* BackboneElement
    code                1..1 code
    target              1..1 Reference
  description           0..1 string
  securityLabel         0..* CodeableConcept
  content               1..* BackboneElement
    attachment          1..1 Attachment
    format              0..1 Coding
  context               0..1 BackboneElement
    encounter           0..* Reference
    event               0..* CodeableConcept
    period              0..1 Period
    facilityType        0..1 CodeableConcept
    practiceSetting     0..1 CodeableConcept
    sourcePatientInfo   0..1 Reference
    related             0..* Reference

resource Composition : DomainResource
  identifier        0..1 Identifier
  status            1..1 code
  type              1..1 CodeableConcept
  category          0..* CodeableConcept
  subject           0..1 Reference
  encounter         0..1 Reference
  date              1..1 dateTime
  author            1..* Reference
  title             1..1 string
  confidentiality   0..1 code
  attester          0..* BackboneElement
    mode            1..1 code
    time            0..1 dateTime
    party           0..1 Reference
  custodian         0..1 Reference
  relatesTo         0..* BackboneElement
    code            1..1 code
    target[x]       1..1 Identifier Reference
  event             0..* BackboneElement
    code            0..* CodeableConcept
    period          0..1 Period
    detail          0..* Reference
  section           0..* BackboneElement
    title           0..1 string
    code            0..1 CodeableConcept
    author          0..* Reference
    focus           0..1 Reference
    text            0..1 Narrative
    mode            0..1 code
    orderedBy       0..1 CodeableConcept
    entry           0..* Reference
    emptyReason     0..1 CodeableConcept
    section         0..* @Composition.section

resource Binary : Resource
  contentType       1..1 code
  securityContext   0..1 Reference
  data              0..1 base64Binary
  url               0..1 url

resource Communication : DomainResource
  identifier              0..* Identifier
  instantiatesCanonical   0..* canonical
  instantiatesUri         0..* uri
  basedOn                 0..* Reference
  partOf                  0..* Reference
  inResponseTo            0..* Reference
  status                  1..1 code
  statusReason            0..1 CodeableConcept
  category                0..* CodeableConcept
  priority                0..1 code
  medium                  0..* CodeableConcept
  subject                 0..1 Reference
  topic                   0..1 CodeableConcept
  about                   0..* Reference
  encounter               0..1 Reference
  sent                    0..1 dateTime
  received                0..1 dateTime
  recipient               0..* Reference
  sender                  0..1 Reference
  reasonCode              0..* CodeableConcept
  reasonReference         0..* Reference
  payload                 0..* BackboneElement
    content[x]            1..1 string Attachment Reference
  note                    0..* Annotation

resource Task : DomainResource
  identifier              0..* Identifier
  instantiatesCanonical   0..1 canonical
  instantiatesUri         0..1 uri
  basedOn                 0..* Reference
  groupIdentifier         0..1 Identifier
  partOf                  0..* Reference
  status                  1..1 code
  statusReason            0..1 CodeableConcept
  businessStatus          0..1 CodeableConcept
  intent                  1..1 code
  priority                0..1 code
  code                    0..1 CodeableConcept
  description             0..1 string
  focus                   0..1 Reference
  for                     0..1 Reference
  encounter               0..1 Reference
  executionPeriod         0..1 Period
  authoredOn              0..1 dateTime
  lastModified            0..1 dateTime
  requester               0..1 Reference
  performerType           0..* CodeableConcept
  owner                   0..1 Reference
  location                0..1 Reference
  reasonCode              0..1 CodeableConcept
  reasonReference         0..1 Reference
  insurance               0..* Reference
  note                    0..* Annotation
  relevantHistory         0..* Reference
  restriction             0..1 BackboneElement
    repetitions           0..1 positiveInt
    period                0..1 Period
    recipient             0..* Reference
  input                   0..* BackboneElement
    type                  1..1 CodeableConcept
    value[x]              1..1 *
  output                  0..* BackboneElement
    type                  1..1 CodeableConcept
    value[x]              1..1 *

resource Appointment : DomainResource
  identifier              0..* Identifier
  status                  1..1 code
  cancelationReason       0..1 CodeableConcept
  serviceCategory         0..* CodeableConcept
  serviceType             0..* CodeableConcept
  specialty               0..* CodeableConcept
  appointmentType         0..1 CodeableConcept
  reasonCode              0..* CodeableConcept
  reasonReference         0..* Reference
  priority                0..1 unsignedInt
  description             0..1 string
  supportingInformation   0..* Reference
  start                   0..1 instant
  end                     0..1 instant
  minutesDuration         0..1 positiveInt
  slot                    0..* Reference
  created                 0..1 dateTime
  comment                 0..1 string
  patientInstruction      0..1 string
  basedOn                 0..* Reference
  participant             1..* BackboneElement
    type                  0..* CodeableConcept
    actor                 0..1 Reference
    required              0..1 code
    status                1..1 code
    period                0..1 Period
  requestedPeriod         0..* Period

resource Provenance : DomainResource
  target         1..* Reference
  occurred[x]    0..1 Period dateTime
  recorded       1..1 instant
  policy         0..* uri
  location       0..1 Reference
  reason         0..* CodeableConcept
  activity       0..1 CodeableConcept
  agent          1..* BackboneElement
    type         0..1 CodeableConcept
    role         0..* CodeableConcept
    who          1..1 Reference
    onBehalfOf   0..1 Reference
  entity         0..* BackboneElement
    role         1..1 code
    what         1..1 Reference
    agent        0..* @Provenance.agent
  signature      0..* Signature
)";
}

}  // namespace cannula::fhir
