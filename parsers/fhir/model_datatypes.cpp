// FHIR R4 (4.0.1): the base types and the data types, in the form that model_text.h describes.
// Taken from the StructureDefinitions of the specification; to check one by eye:
// http://hl7.org/fhir/R4/datatypes.html, element.html, resource.html, domainresource.html
#include "parsers/fhir/model_text.h"

namespace cannula::fhir {

std::string_view datatypes_model() {
  return R"(
resource Resource
  id              0..1 string
  meta            0..1 Meta
  implicitRules   0..1 uri
  language        0..1 code

resource DomainResource : Resource
  text                0..1 Narrative
  contained           0..* Resource
  extension           0..* Extension
  modifierExtension   0..* Extension

type Element
  id          0..1 string
  extension   0..* Extension

type BackboneElement : Element
  modifierExtension   0..* Extension

type Extension : Element
  url        1..1 uri
  value[x]   0..1 *

type Meta : Element
  versionId     0..1 id
  lastUpdated   0..1 instant
  source        0..1 uri
  profile       0..* canonical
  security      0..* Coding
  tag           0..* Coding
  project       0..1 uri
  author        0..1 Reference
  onBehalfOf    0..1 Reference
  account       0..1 Reference
  accounts      0..* Reference
  compartment   0..* Reference

type Narrative : Element
  status   1..1 code
  div      1..1 xhtml

type Coding : Element
  system         0..1 uri
  version        0..1 string
  code           0..1 code
  display        0..1 string
  userSelected   0..1 boolean

type CodeableConcept : Element
  coding   0..* Coding
  text     0..1 string

type Reference : Element
  reference    0..1 string
  type         0..1 uri
  identifier   0..1 Identifier
  display      0..1 string

type Identifier : Element
  use        0..1 code
  type       0..1 CodeableConcept
  system     0..1 uri
  value      0..1 string
  period     0..1 Period
  assigner   0..1 Reference

type Period : Element
  start   0..1 dateTime
  end     0..1 dateTime

type Quantity : Element
  value        0..1 decimal
  comparator   0..1 code
  unit         0..1 string
  system       0..1 uri
  code         0..1 code

type Address : Element
  use          0..1 code
  type         0..1 code
  text         0..1 string
  line         0..* string
  city         0..1 string
  district     0..1 string
  state        0..1 string
  postalCode   0..1 string
  country      0..1 string
  period       0..1 Period

type Age : Quantity

type Annotation : Element
  author[x]   0..1 Reference string
  time        0..1 dateTime
  text        1..1 markdown

type Attachment : Element
  contentType   0..1 code
  language      0..1 code
  data          0..1 base64Binary
  url           0..1 url
  size          0..1 unsignedInt
  hash          0..1 base64Binary
  title         0..1 string
  creation      0..1 dateTime

type ContactDetail : Element
  name      0..1 string
  telecom   0..* ContactPoint

type ContactPoint : Element
  system   0..1 code
  value    0..1 string
  use      0..1 code
  rank     0..1 positiveInt
  period   0..1 Period

type Contributor : Element
  type      1..1 code
  name      1..1 string
  contact   0..* ContactDetail

type Count : Quantity

type DataRequirement : Element
  type            1..1 code
  profile         0..* canonical
  subject[x]      0..1 CodeableConcept Reference
  mustSupport     0..* string
  codeFilter      0..* Element
    path          0..1 string
    searchParam   0..1 string
    valueSet      0..1 canonical
    code          0..* Coding
  dateFilter      0..* Element
    path          0..1 string
    searchParam   0..1 string
    value[x]      0..1 dateTime Period Duration
  limit           0..1 positiveInt
  sort            0..* Element
    path          1..1 string
    direction     1..1 code

type Distance : Quantity

type Dosage : BackboneElement
  sequence                   0..1 integer
  text                       0..1 string
  additionalInstruction      0..* CodeableConcept
  patientInstruction         0..1 string
  timing                     0..1 Timing
  asNeeded[x]                0..1 boolean CodeableConcept
  site                       0..1 CodeableConcept
  route                      0..1 CodeableConcept
  method                     0..1 CodeableConcept
  doseAndRate                0..* Element
    type                     0..1 CodeableConcept
    dose[x]                  0..1 Range Quantity
    rate[x]                  0..1 Ratio Range Quantity
  maxDosePerPeriod           0..1 Ratio
  maxDosePerAdministration   0..1 Quantity
  maxDosePerLifetime         0..1 Quantity

type Duration : Quantity

type Expression : Element
  description   0..1 string
  name          0..1 id
  language      1..1 code
  expression    0..1 string
  reference     0..1 uri

type HumanName : Element
  use      0..1 code
  text     0..1 string
  family   0..1 string
  given    0..* string
  prefix   0..* string
  suffix   0..* string
  period   0..1 Period

type Money : Element
  value      0..1 decimal
  currency   0..1 code

type ParameterDefinition : Element
  name            0..1 code
  use             1..1 code
  min             0..1 integer
  max             0..1 string
  documentation   0..1 string
  type            1..1 code
  profile         0..1 canonical

type Range : Element
  low    0..1 Quantity
  high   0..1 Quantity

type Ratio : Element
  numerator     0..1 Quantity
  denominator   0..1 Quantity

type RelatedArtifact : Element
  type       1..1 code
  label      0..1 string
  display    0..1 string
  citation   0..1 markdown
  url        0..1 url
  document   0..1 Attachment
  resource   0..1 canonical

type SampledData : Element
  origin       1..1 Quantity
  period       1..1 decimal
  factor       0..1 decimal
  lowerLimit   0..1 decimal
  upperLimit   0..1 decimal
  dimensions   1..1 positiveInt
  data         0..1 string

type Signature : Element
  type           1..* Coding
  when           1..1 instant
  who            1..1 Reference
  onBehalfOf     0..1 Reference
  targetFormat   0..1 code
  sigFormat      0..1 code
  data           0..1 base64Binary

type Timing : BackboneElement
  event            0..* dateTime
  repeat           0..1 Element
    bounds[x]      0..1 Duration Range Period
    count          0..1 positiveInt
    countMax       0..1 positiveInt
    duration       0..1 decimal
    durationMax    0..1 decimal
    durationUnit   0..1 code
    frequency      0..1 positiveInt
    frequencyMax   0..1 positiveInt
    period         0..1 decimal
    periodMax      0..1 decimal
    periodUnit     0..1 code
    dayOfWeek      0..* code
    timeOfDay      0..* time
    when           0..* code
    offset         0..1 unsignedInt
  code             0..1 CodeableConcept

type TriggerDefinition : Element
  type        1..1 code
  name        0..1 string
  timing[x]   0..1 Timing Reference date dateTime
  data        0..* DataRequirement
  condition   0..1 Expression

type UsageContext : Element
  code       1..1 Coding
  value[x]   1..1 CodeableConcept Quantity Range Reference
)";
}

}  // namespace cannula::fhir
