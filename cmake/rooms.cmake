# A room is a folder, a target and a place in the order of section "The house" (docs/explanation/architecture.md).
#
# Sources include each other from the repository's root ("parsers/text/span.h"). So that an include against the
# arrows does not even build, the root itself is on nobody's include path: each room has a folder of its own in the
# build tree that holds one link to it, and a target sees the folders of the rooms it links, no more.

add_library(cannula_standard_headers OBJECT ${CMAKE_SOURCE_DIR}/cmake/standard_headers.cpp)
target_precompile_headers(cannula_standard_headers PRIVATE ${CMAKE_SOURCE_DIR}/cmake/standard_headers.h)
target_link_libraries(cannula_standard_headers PRIVATE Threads::Threads)

# cannula_room(parsers/text LINKS other/room library…): the .cpp files of the folder, minus *_main.cpp, as one library.
# Its tests come with it: tests/unit/parsers/text, by cannula_tests() below.
function(cannula_room path)
  cmake_parse_arguments(ROOM "" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  string(REPLACE "/" "_" target ${path})
  set_property(GLOBAL APPEND PROPERTY CANNULA_ROOMS ${path})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${path}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "_main\\.cpp$")

  get_filename_component(parent ${path} DIRECTORY)
  set(doorway ${CMAKE_BINARY_DIR}/rooms/${target})
  file(MAKE_DIRECTORY ${doorway}/${parent})
  if(NOT EXISTS ${doorway}/${path})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${path} ${doorway}/${path} SYMBOLIC)
  endif()

  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${doorway})
    target_precompile_headers(${target} REUSE_FROM cannula_standard_headers)
    cannula_rooms_to_targets(links ${ROOM_LINKS})
    cannula_rooms_to_targets(private_links ${ROOM_PRIVATE_LINKS})
    target_link_libraries(${target} PUBLIC ${links} Threads::Threads PRIVATE ${private_links})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${doorway})
    cannula_rooms_to_targets(links ${ROOM_LINKS})
    target_link_libraries(${target} INTERFACE ${links})
  endif()
endfunction()

# "parsers/text" -> "parsers_text"; library targets such as fmt::fmt stay as they are.
function(cannula_rooms_to_targets result)
  set(targets)
  foreach(name ${ARGN})
    if(name MATCHES "^(parsers|rules|channels|engine)/")
      string(REPLACE "/" "_" name ${name})
    endif()
    list(APPEND targets ${name})
  endforeach()
  set(${result} ${targets} PARENT_SCOPE)
endfunction()

# cannula_tests(parsers/text): tests/unit/parsers/text/*_test.cpp as one program, run by ctest test by test.
function(cannula_tests path)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${path}/*.cpp)
  if(NOT sources)
    return()
  endif()
  string(REPLACE "/" "_" room ${path})
  set(target unit_${room})
  add_executable(${target} ${sources})
  cannula_rooms_to_targets(links ${path})
  target_link_libraries(${target} PRIVATE ${links} GTest::gmock GTest::gtest_main)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/rooms/tests)
  target_precompile_headers(${target} REUSE_FROM cannula_standard_headers)
  add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${target} PROPERTIES TIMEOUT 600 LABELS unit)
endfunction()

# A test that no program holds would pass for ever.
function(cannula_look_for_tests_without_a_room)
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests/unit ${CMAKE_SOURCE_DIR}/tests/unit/*_test.cpp)
  foreach(test ${tests})
    get_filename_component(path ${test} DIRECTORY)
    string(REPLACE "/" "_" room ${path})
    if(NOT TARGET unit_${room})
      message(FATAL_ERROR "tests/unit/${test} belongs to no room: nothing builds it. Give ${path} its cannula_room() "
                          "in the CMakeLists.txt of its top folder.")
    endif()
  endforeach()
endfunction()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/rooms/tests)
if(NOT EXISTS ${CMAKE_BINARY_DIR}/rooms/tests/tests)
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/tests ${CMAKE_BINARY_DIR}/rooms/tests/tests SYMBOLIC)
endif()
