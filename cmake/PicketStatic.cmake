# The portable build (packaging/portable): every library is static, and find modules do not know what those of
# others are linked with. Included by PicketThirdParty where the toolchain says PICKET_STATIC.
function(picket_static_parts target)
  foreach(name IN LISTS ARGN)
    find_library(PICKET_STATIC_${name} ${name} REQUIRED)
    set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES "${PICKET_STATIC_${name}}")
  endforeach()
endfunction()

picket_static_parts(OpenSSL::Crypto dl pthread)
picket_static_parts(LibArchive::LibArchive crypto bz2 lzma zstd z dl pthread)
picket_static_parts(CURL::libcurl ssl crypto z dl pthread)
picket_static_parts(SQLite::SQLite3 pthread)
picket_static_parts(PkgConfig::CLAMAV m rt resolv pthread dl)

target_compile_definitions(picket_options INTERFACE _LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_FAST)
target_compile_options(picket_options INTERFACE -ffunction-sections -fdata-sections)
target_link_options(picket_options INTERFACE -Wl,--gc-sections -Wl,--exclude-libs,ALL)
