# cannula_fuzzer(NAME LINKS room…), one line each.
cannula_fuzzer(mllp LINKS channels/mllp/framing)
