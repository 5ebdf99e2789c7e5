# Writes OUTPUT, the header that says of which day the source in SOURCE is: SOURCE_DATE_EPOCH, else the last commit, else
# CHANGELOG.md. The day, not the second: what is built twice on one day is the same. Run with every build, because a
# folder that was configured long ago must not give a build that is old at once.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  set(epoch "$ENV{SOURCE_DATE_EPOCH}")
else()
  execute_process(COMMAND git -C "${SOURCE}" log -1 --format=%ct OUTPUT_VARIABLE epoch ERROR_QUIET
    OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT epoch MATCHES "^[0-9]+$")
  file(TIMESTAMP "${SOURCE}/CHANGELOG.md" epoch "%s" UTC)
endif()
math(EXPR epoch "${epoch} / 86400 * 86400")
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "#define PICKET_BUILD_EPOCH \"${epoch}\"\n") # untouched where nothing changes
