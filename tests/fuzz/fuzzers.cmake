# cannula_fuzzer(NAME LINKS room…), one line each.
cannula_fuzzer(mllp LINKS channels/mllp/framing)
cannula_fuzzer(hl7v2 LINKS parsers/hl7v2)
cannula_fuzzer(journal LINKS engine/store)
cannula_fuzzer(json LINKS parsers/tree)
cannula_fuzzer(rules LINKS rules/language parsers/hl7v2)
cannula_fuzzer(encoding LINKS parsers/hl7v2)
cannula_fuzzer(csv LINKS rules/tables)
cannula_fuzzer(values LINKS parsers/hl7v2)
