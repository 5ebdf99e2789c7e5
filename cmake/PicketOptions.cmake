# How everything is compiled. Presets set the options; nothing in the code asks for them.
set(PICKET_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
# Line numbers for back traces; more than that makes objects five times as large and builds a third slower.
foreach(build_type IN ITEMS DEBUG RELWITHDEBINFO)
  string(REGEX REPLACE "-g( |$)" "-g1\\1" CMAKE_CXX_FLAGS_${build_type} "${CMAKE_CXX_FLAGS_${build_type}}")
endforeach()

option(PICKET_HARDEN "Hardening flags of a shipped build" OFF)
option(PICKET_LIBFUZZER "Link fuzz targets with libFuzzer instead of the corpus runner" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(PICKET_CCACHE ccache)
if(PICKET_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${PICKET_CCACHE}")
endif()

add_library(picket_options INTERFACE)
target_compile_definitions(picket_options INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(picket_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Werror
  -Wno-missing-field-initializers # members have defaults; designated initialisers name what differs
  # Paths of the building machine do not belong into a shipped program.
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of gcc 12 in optimised std::string and std::optional code.
  target_compile_options(picket_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds)
endif()

if(PICKET_SANITIZE)
  target_compile_options(picket_options INTERFACE -fsanitize=${PICKET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined
    # It probes memory by system calls that a confined process does not have.
    -fno-sanitize=vptr)
  string(REPLACE ",fuzzer-no-link" "" sanitize_link "${PICKET_SANITIZE}")
  target_link_options(picket_options INTERFACE -fsanitize=${sanitize_link})
endif()

if(PICKET_HARDEN)
  target_compile_options(picket_options INTERFACE
    -O2 -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS)
  target_link_options(picket_options INTERFACE
    -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()
