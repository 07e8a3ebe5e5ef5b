set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)

option(CANNULA_FUZZ "Build the fuzzers (needs clang)" OFF)
option(CANNULA_BENCH "Build the benchmarks" ON)
set(CANNULA_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")

# The working build compiles fast and can still be stepped through; release is what ships and what is measured.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor
                    -Woverloaded-virtual -Wcast-align -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 warns falsely here: PR 105329, 105593 (restrict, uninitialized in std::string and coroutine frames).
  add_compile_options(-Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
                      -Wno-dangling-pointer -Wno-mismatched-new-delete -Wno-stringop-overread)
  add_compile_options(-fpch-preprocess)
endif()
if(CANNULA_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")  # which has __has_feature() for what g++ says by macros
    foreach(kind address thread)
      string(TOUPPER ${kind} name)
      if(CANNULA_SANITIZE MATCHES ${kind})
        add_compile_definitions(__SANITIZE_${name}__=1)
      endif()
    endforeach()
  endif()
  add_compile_options(-fsanitize=${CANNULA_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CANNULA_SANITIZE})
  if(CANNULA_SANITIZE MATCHES "undefined")
    # vptr, null and alignment cost as much again as all the others together and found nothing here.
    add_compile_options(-fno-sanitize=vptr,null,alignment -fno-sanitize-recover=all)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      add_compile_options(-fno-sanitize=function)  # clang 14 cannot do that in coroutines
    endif()
  endif()
  if(CANNULA_SANITIZE MATCHES "thread")
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
