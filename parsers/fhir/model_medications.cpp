// FHIR R4 (4.0.1): medications and immunizations, in the form that model_text.h describes. Taken
// from the StructureDefinitions of the specification; to check one by eye:
// http://hl7.org/fhir/R4/NAME.html, such as http://hl7.org/fhir/R4/medication.html
#include "parsers/fhir/model_text.h"

namespace cannula::fhir {

std::string_view medications_model() {
  return R"(
resource Medication : DomainResource
  identifier         0..* Identifier
  code               0..1 CodeableConcept
  status             0..1 code
  manufacturer       0..1 Reference
  form               0..1 CodeableConcept
  amount             0..1 Ratio
  ingredient         0..* BackboneElement
    item[x]          1..1 CodeableConcept Reference
    isActive         0..1 boolean
    strength         0..1 Ratio
  batch              0..1 BackboneElement
    lotNumber        0..1 string
    expirationDate   0..1 dateTime

resource MedicationRequest : DomainResource
  identifier                 0..* Identifier
  status                     1..1 code
  statusReason               0..1 CodeableConcept
  intent                     1..1 code
  category                   0..* CodeableConcept
  priority                   0..1 code
  doNotPerform               0..1 boolean
  reported[x]                0..1 boolean Reference
  medication[x]              1..1 CodeableConcept Reference
  subject                    1..1 Reference
  encounter                  0..1 Reference
  supportingInformation      0..* Reference
  authoredOn                 0..1 dateTime
  requester                  0..1 Reference
  performer                  0..1 Reference
  performerType              0..1 CodeableConcept
  recorder                   0..1 Reference
  reasonCode                 0..* CodeableConcept
  reasonReference            0..* Reference
  instantiatesCanonical      0..* canonical
  instantiatesUri            0..* uri
  basedOn                    0..* Reference
  groupIdentifier            0..1 Identifier
  courseOfTherapyType        0..1 CodeableConcept
  insurance                  0..* Reference
  note                       0..* Annotation
  dosageInstruction          0..* Dosage
  dispenseRequest            0..1 BackboneElement
    initialFill              0..1 BackboneElement
      quantity               0..1 Quantity
      duration               0..1 Duration
    dispenseInterval         0..1 Duration
    validityPeriod           0..1 Period
    numberOfRepeatsAllowed   0..1 unsignedInt
    quantity                 0..1 Quantity
    expectedSupplyDuration   0..1 Duration
    performer                0..1 Reference
  substitution               0..1 BackboneElement
    allowed[x]               1..1 boolean CodeableConcept
    reason                   0..1 CodeableConcept
  priorPrescription          0..1 Reference
  detectedIssue              0..* Reference
  eventHistory               0..* Reference

resource MedicationAdministration : DomainResource
  identifier              0..* Identifier
  instantiates            0..* uri
  partOf                  0..* Reference
  status                  1..1 code
  statusReason            0..* CodeableConcept
  category                0..1 CodeableConcept
  medication[x]           1..1 CodeableConcept Reference
  subject                 1..1 Reference
  context                 0..1 Reference
  supportingInformation   0..* Reference
  effective[x]            1..1 dateTime Period
  performer               0..* BackboneElement
    function              0..1 CodeableConcept
    actor                 1..1 Reference
  reasonCode              0..* CodeableConcept
  reasonReference         0..* Reference
  request                 0..1 Reference
  device                  0..* Reference
  note                    0..* Annotation
  dosage                  0..1 BackboneElement
    text                  0..1 string
    site                  0..1 CodeableConcept
    route                 0..1 CodeableConcept
    method                0..1 CodeableConcept
    dose                  0..1 Quantity
    rate[x]               0..1 Ratio Quantity
  eventHistory            0..* Reference

resource MedicationStatement : DomainResource
  identifier          0..* Identifier
  basedOn             0..* Reference
  partOf              0..* Reference
  status              1..1 code
  statusReason        0..* CodeableConcept
  category            0..1 CodeableConcept
  medication[x]       1..1 CodeableConcept Reference
  subject             1..1 Reference
  context             0..1 Reference
  effective[x]        0..1 dateTime Period
  dateAsserted        0..1 dateTime
  informationSource   0..1 Reference
  derivedFrom         0..* Reference
  reasonCode          0..* CodeableConcept
  reasonReference     0..* Reference
  note                0..* Annotation
  dosage              0..* Dosage

resource Immunization : DomainResource
  identifier           0..* Identifier
  status               1..1 code
  statusReason         0..1 CodeableConcept
  vaccineCode          1..1 CodeableConcept
  patient              1..1 Reference
  encounter            0..1 Reference
  occurrence[x]        1..1 dateTime string
  recorded             0..1 dateTime
  primarySource        0..1 boolean
  reportOrigin         0..1 CodeableConcept
  location             0..1 Reference
  manufacturer         0..1 Reference
  lotNumber            0..1 string
  expirationDate       0..1 date
  site                 0..1 CodeableConcept
  route                0..1 CodeableConcept
  doseQuantity         0..1 Quantity
  performer            0..* BackboneElement
    function           0..1 CodeableConcept
    actor              1..1 Reference
  note                 0..* Annotation
  reasonCode           0..* CodeableConcept
  reasonReference      0..* Reference
  isSubpotent          0..1 boolean
  subpotentReason      0..* CodeableConcept
  education            0..* BackboneElement
    documentType       0..1 string
    reference          0..1 uri
    publicationDate    0..1 dateTime
    presentationDate   0..1 dateTime
  programEligibility   0..* CodeableConcept
  fundingSource        0..1 CodeableConcept
  reaction             0..* BackboneElement
    date               0..1 dateTime
    detail             0..1 Reference
    reported           0..1 boolean
  protocolApplied      0..* BackboneElement
    series             0..1 string
    authority          0..1 Reference
    targetDisease      0..* CodeableConcept
    doseNumber[x]      1..1 positiveInt string
    seriesDoses[x]     0..1 positiveInt string
)";
}

}  // namespace cannula::fhir
