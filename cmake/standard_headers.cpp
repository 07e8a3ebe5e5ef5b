// Exists so that standard_headers.h is compiled once; see rooms.cmake.
