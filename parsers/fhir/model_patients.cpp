// FHIR R4 (4.0.1): the people and places of care, in the form that model_text.h describes. Taken
// from the StructureDefinitions of the specification; to check one by eye:
// http://hl7.org/fhir/R4/NAME.html, such as http://hl7.org/fhir/R4/patient.html
#include "parsers/fhir/model_text.h"

namespace cannula::fhir {

std::string_view patients_model() {
  return R"(
resource Patient : DomainResource
  identifier             0..* Identifier
  active                 0..1 boolean
  name                   0..* HumanName
  telecom                0..* ContactPoint
  gender                 0..1 code
  birthDate              0..1 date
  deceased[x]            0..1 boolean dateTime
  address                0..* Address
  maritalStatus          0..1 CodeableConcept
  multipleBirth[x]       0..1 boolean integer
  photo                  0..* Attachment
  contact                0..* BackboneElement
    relationship         0..* CodeableConcept
    name                 0..1 HumanName
    telecom              0..* ContactPoint
    address              0..1 Address
    gender               0..1 code
    organization         0..1 Reference
    period               0..1 Period
  communication          0..* BackboneElement
    language             1..1 CodeableConcept
    preferred            0..1 boolean
  generalPractitioner    0..* Reference
  managingOrganization   0..1 Reference
  link                   0..* BackboneElement
    other                1..1 Reference
    type                 1..1 code

resource RelatedPerson : DomainResource
  identifier      0..* Identifier
  active          0..1 boolean
  patient         1..1 Reference
  relationship    0..* CodeableConcept
  name            0..* HumanName
  telecom         0..* ContactPoint
  gender          0..1 code
  birthDate       0..1 date
  address         0..* Address
  photo           0..* Attachment
  period          0..1 Period
  communication   0..* BackboneElement
    language      1..1 CodeableConcept
    preferred     0..1 boolean

resource Practitioner : DomainResource
  identifier      0..* Identifier
  active          0..1 boolean
  name            0..* HumanName
  telecom         0..* ContactPoint
  address         0..* Address
  gender          0..1 code
  birthDate       0..1 date
  photo           0..* Attachment
  qualification   0..* BackboneElement
    identifier    0..* Identifier
    code          1..1 CodeableConcept
    period        0..1 Period
    issuer        0..1 Reference
  communication   0..* CodeableConcept

resource PractitionerRole : DomainResource
  identifier               0..* Identifier
  active                   0..1 boolean
  period                   0..1 Period
  practitioner             0..1 Reference
  organization             0..1 Reference
  code                     0..* CodeableConcept
  specialty                0..* CodeableConcept
  location                 0..* Reference
  healthcareService        0..* Reference
  telecom                  0..* ContactPoint
  availableTime            0..* BackboneElement
    daysOfWeek             0..* code
    allDay                 0..1 boolean
    availableStartTime     0..1 time
    availableEndTime       0..1 time
  notAvailable             0..* BackboneElement
    description            1..1 string
    during                 0..1 Period
  availabilityExceptions   0..1 string
  endpoint                 0..* Reference

resource Organization : DomainResource
  identifier   0..* Identifier
  active       0..1 boolean
  type         0..* CodeableConcept
  name         0..1 string
  alias        0..* string
  telecom      0..* ContactPoint
  address      0..* Address
  partOf       0..1 Reference
  contact      0..* BackboneElement
    purpose    0..1 CodeableConcept
    name       0..1 HumanName
    telecom    0..* ContactPoint
    address    0..1 Address
  endpoint     0..* Reference

resource Location : DomainResource
  identifier               0..* Identifier
  status                   0..1 code
  operationalStatus        0..1 Coding
  name                     0..1 string
  alias                    0..* string
  description              0..1 string
  mode                     0..1 code
  type                     0..* CodeableConcept
  telecom                  0..* ContactPoint
  address                  0..1 Address
  physicalType             0..1 CodeableConcept
  position                 0..1 BackboneElement
    longitude              1..1 decimal
    latitude               1..1 decimal
    altitude               0..1 decimal
  managingOrganization     0..1 Reference
  partOf                   0..1 Reference
  hoursOfOperation         0..* BackboneElement
    daysOfWeek             0..* code
    allDay                 0..1 boolean
    openingTime            0..1 time
    closingTime            0..1 time
  availabilityExceptions   0..1 string
  endpoint                 0..* Reference

resource Encounter : DomainResource
  identifier                 0..* Identifier
  status                     1..1 code
  statusHistory              0..* BackboneElement
    status                   1..1 code
    period                   1..1 Period
  class                      1..1 Coding
  classHistory               0..* BackboneElement
    class                    1..1 Coding
    period                   1..1 Period
  type                       0..* CodeableConcept
  serviceType                0..1 CodeableConcept
  priority                   0..1 CodeableConcept
  subject                    0..1 Reference
  episodeOfCare              0..* Reference
  basedOn                    0..* Reference
  participant                0..* BackboneElement
    type                     0..* CodeableConcept
    period                   0..1 Period
    individual               0..1 Reference
  appointment                0..* Reference
  period                     0..1 Period
  length                     0..1 Duration
  reasonCode                 0..* CodeableConcept
  reasonReference            0..* Reference
  diagnosis                  0..* BackboneElement
    condition                1..1 Reference
    use                      0..1 CodeableConcept
    rank                     0..1 positiveInt
  account                    0..* Reference
  hospitalization            0..1 BackboneElement
    preAdmissionIdentifier   0..1 Identifier
    origin                   0..1 Reference
    admitSource              0..1 CodeableConcept
    reAdmission              0..1 CodeableConcept
    dietPreference           0..* CodeableConcept
    specialCourtesy          0..* CodeableConcept
    specialArrangement       0..* CodeableConcept
    destination              0..1 Reference
    dischargeDisposition     0..1 CodeableConcept
  location                   0..* BackboneElement
    location                 1..1 Reference
    status                   0..1 code
    physicalType             0..1 CodeableConcept
    period                   0..1 Period
  serviceProvider            0..1 Reference
  partOf                     0..1 Reference

resource Account : DomainResource
  identifier      0..* Identifier
  status          1..1 code
  type            0..1 CodeableConcept
  name            0..1 string
  subject         0..* Reference
  servicePeriod   0..1 Period
  coverage        0..* BackboneElement
    coverage      1..1 Reference
    priority      0..1 positiveInt
  owner           0..1 Reference
  description     0..1 string
  guarantor       0..* BackboneElement
    party         1..1 Reference
    onHold        0..1 boolean
    period        0..1 Period
  partOf          0..1 Reference

resource Coverage : DomainResource
  identifier          0..* Identifier
  status              1..1 code
  type                0..1 CodeableConcept
  policyHolder        0..1 Reference
  subscriber          0..1 Reference
  subscriberId        0..1 string
  beneficiary         1..1 Reference
  dependent           0..1 string
  relationship        0..1 CodeableConcept
  period              0..1 Period
  payor               1..* Reference
  class               0..* BackboneElement
    type              1..1 CodeableConcept
    value             1..1 string
    name              0..1 string
  order               0..1 positiveInt
  network             0..1 string
  costToBeneficiary   0..* BackboneElement
    type              0..1 CodeableConcept
    value[x]          1..1 Quantity Money
    exception         0..* BackboneElement
      type            1..1 CodeableConcept
      period          0..1 Period
  subrogation         0..1 boolean
  contract            0..* Reference
)";
}

}  // namespace cannula::fhir
