# Every library that is not ours, named once. Each is included by exactly one of our libraries.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 1.1.1 REQUIRED)
find_package(CURL 7.77 REQUIRED)
find_package(LibArchive REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(doctest REQUIRED)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(CLAMAV REQUIRED IMPORTED_TARGET libclamav)
find_path(VALIJSON_INCLUDE_DIR valijson/validator.hpp REQUIRED)
find_path(DOCTEST_INCLUDE_DIR doctest/doctest.h REQUIRED)

if(PICKET_STATIC)
  include(PicketStatic)
endif()

add_library(picket_doctest_main STATIC "${CMAKE_SOURCE_DIR}/tests/doctest_main.cpp")
target_link_libraries(picket_doctest_main PUBLIC picket_options)
add_library(picket::doctest_main ALIAS picket_doctest_main)

# For tests. The distribution's own first: one in somebody's home cannot be run by the tests' ordinary user.
find_program(PICKET_PYTHON python3 HINTS /usr/bin REQUIRED)
