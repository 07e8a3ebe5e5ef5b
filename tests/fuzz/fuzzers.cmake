# cannula_fuzzer(NAME LINKS room…), one line each.
