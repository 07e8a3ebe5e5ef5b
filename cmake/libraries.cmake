# Everything below is a Debian 12 package; `./dev` installs them (see its list of packages).
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS headers)
find_package(OpenSSL 3 REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(simdjson CONFIG REQUIRED)  # messages; nlohmann is for configuration and the API
find_package(CURL REQUIRED)
find_package(date CONFIG REQUIRED)      # time zones: g++ 12 has none of C++20's
pkg_check_modules(lua REQUIRED IMPORTED_TARGET lua5.4-c++)
# Lua's archive where it is there: called without the detours of a shared library, scripts run a few percent faster.
find_library(CANNULA_LUA_ARCHIVE liblua5.4-c++.a)
if(CANNULA_LUA_ARCHIVE)
  set_target_properties(PkgConfig::lua PROPERTIES INTERFACE_LINK_LIBRARIES "${CANNULA_LUA_ARCHIVE};m;${CMAKE_DL_LIBS}")
endif()
pkg_check_modules(icu REQUIRED IMPORTED_TARGET icu-uc)  # case folding and composition of Unicode
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(p11kit REQUIRED IMPORTED_TARGET p11-kit-1)  # tokens (PKCS#11): their modules and addresses
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
find_path(CANNULA_TOMLPLUSPLUS toml++/toml.h REQUIRED)  # used header-only: its pkg-config file asks for the shared library
find_package(GTest CONFIG REQUIRED)
if(CANNULA_BENCH)
  find_package(benchmark CONFIG REQUIRED)
endif()

# Asio's coroutines, without its deprecated names and without a compiled Boost library.
add_library(cannula_asio INTERFACE)
target_link_libraries(cannula_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(cannula_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_NO_TS_EXECUTORS
                                                  BOOST_ALL_NO_LIB)

# The allocator of the program and of what measures it: a message's parts are allocated by one thread and freed by
# another, at which glibc spends a sixth of the engine's time. The sanitizers bring their own.
add_library(cannula_allocator INTERFACE)
if(NOT CANNULA_SANITIZE)
  target_link_libraries(cannula_allocator INTERFACE PkgConfig::jemalloc)
endif()
