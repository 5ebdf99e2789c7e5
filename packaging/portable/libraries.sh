# shellcheck shell=bash
# Every library that Picket is linked with, static, into $prefix. One function each, named as build.sh lists them.
# Sourced by build.sh.

use_compilers() {
  export CC=$root/bin/cc CXX=$root/bin/c++ AR=$llvm/llvm-ar RANLIB=$llvm/llvm-ranlib NM=$llvm/llvm-nm STRIP=$llvm/llvm-strip
  export CFLAGS=$flags CXXFLAGS=$flags PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig PKG_CONFIG_PATH=
}

jobs=$(nproc)

with_cmake() { # SOURCE OPTION…
  local source=$1 folder
  folder=$work/build-${1##*/}
  shift
  cmake -G Ninja -S "$source" -B "$folder" -DCMAKE_TOOLCHAIN_FILE="$root/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF "$@"
  ninja -C "$folder"
}

with_configure() { # SOURCE OPTION…
  local source=$1
  shift
  mkdir -p "$work/build-${source##*/}"
  cd "$work/build-${source##*/}"
  "$source/configure" --host="$triple" --build="$(uname -m)-pc-linux-gnu" --prefix="$prefix" --libdir="$prefix/lib" --disable-shared --enable-static "$@"
}

build_zlib() {
  unpack zlib "$work/zlib"
  cd "$work/zlib"
  CHOST=$triple ./configure --static --prefix="$prefix"
  make -j"$jobs" libz.a
  make install
}

build_bzip2() {
  unpack bzip2 "$work/bzip2"
  cd "$work/bzip2"
  make -j"$jobs" libbz2.a CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="$CFLAGS -D_FILE_OFFSET_BITS=64"
  cp libbz2.a "$prefix/lib/"
  cp bzlib.h "$prefix/include/"
}

build_xz() {
  unpack xz-utils "$work/xz"
  with_configure "$work/xz" --disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo --disable-scripts --disable-doc --disable-nls --enable-symbol-versions=no
  make -j"$jobs" install
}

build_zstd() {
  unpack libzstd "$work/zstd"
  with_cmake "$work/zstd/build/cmake" -DZSTD_BUILD_PROGRAMS=OFF -DZSTD_BUILD_SHARED=OFF -DZSTD_BUILD_TESTS=OFF -DZSTD_LEGACY_SUPPORT=OFF
  ninja -C "$work/build-cmake" install
}

build_yaml() {
  unpack yaml-cpp "$work/yaml"
  with_cmake "$work/yaml" -DYAML_CPP_BUILD_TESTS=OFF -DYAML_CPP_BUILD_TOOLS=OFF -DYAML_CPP_BUILD_CONTRIB=OFF
  ninja -C "$work/build-yaml" install
}

build_fmt() {
  unpack fmtlib "$work/fmt"
  with_cmake "$work/fmt" -DFMT_TEST=OFF -DFMT_DOC=OFF
  ninja -C "$work/build-fmt" install
}

build_seccomp() {
  unpack libseccomp "$work/seccomp"
  with_configure "$work/seccomp"
  make -j"$jobs" -C src install
  make -C include install
  make install-pkgconfDATA
  # Its inner names are common words ("hash" is libclamav's, too) and none of them is hidden.
  "$llvm/ld.lld" -r --whole-archive "$prefix/lib/libseccomp.a" -o "$work/seccomp.o"
  "$llvm/llvm-objcopy" --wildcard --keep-global-symbol='seccomp_*' "$work/seccomp.o"
  rm "$prefix/lib/libseccomp.a"
  "$AR" rcs "$prefix/lib/libseccomp.a" "$work/seccomp.o"
}

build_sqlite() {
  unpack sqlite3 "$work/sqlite"
  with_configure "$work/sqlite" --disable-tcl --disable-readline --disable-load-extension --enable-threadsafe
  make sqlite3.c sqlite3.h
  # shellcheck disable=SC2086 # flags are words
  "$CC" $CFLAGS -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_OMIT_LOAD_EXTENSION -c sqlite3.c -o sqlite3.o
  "$AR" rcs "$prefix/lib/libsqlite3.a" sqlite3.o
  cp sqlite3.h "$prefix/include/"
}

build_openssl() {
  unpack openssl "$work/openssl"
  mkdir -p "$work/build-openssl"
  cd "$work/build-openssl"
  "$work/openssl/Configure" "$openssl_target" no-shared no-tests no-module no-dso no-engine --prefix="$prefix" --libdir=lib --openssldir=/etc/ssl -fPIC
  make -j"$jobs" build_generated
  make -j"$jobs" build_libs
  make install_dev
}

build_archive() {
  unpack libarchive "$work/archive"
  local off option options=()
  off="TEST TAR CPIO CAT LIBXML2 EXPAT LZO LZ4 LIBB2 NETTLE MBEDTLS ACL ICONV WERROR"
  for option in $off; do options+=("-DENABLE_$option=OFF"); done
  cmake -G Ninja -S "$work/archive" -B "$work/build-archive" -DCMAKE_TOOLCHAIN_FILE="$root/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DENABLE_OPENSSL=ON -DENABLE_XATTR=ON -DENABLE_ZSTD=ON -DENABLE_LZMA=ON "${options[@]}"
  ninja -C "$work/build-archive" archive_static
  cp "$work/build-archive/libarchive/libarchive.a" "$prefix/lib/"
  cp "$work/archive/libarchive/"{archive.h,archive_entry.h} "$prefix/include/"
  cp "$work/build-archive/build/pkgconfig/libarchive.pc" "$prefix/lib/pkgconfig/"
}

build_curl() {
  unpack curl "$work/curl"
  with_cmake "$work/curl" -DBUILD_CURL_EXE=OFF -DBUILD_TESTING=OFF -DHTTP_ONLY=ON -DCURL_USE_OPENSSL=ON -DOPENSSL_ROOT_DIR="$prefix" \
    -DOPENSSL_USE_STATIC_LIBS=ON -DCURL_USE_LIBSSH2=OFF -DCURL_USE_LIBPSL=OFF -DUSE_LIBIDN2=OFF -DCURL_DISABLE_LDAP=ON -DUSE_NGHTTP2=OFF \
    -DCURL_ZLIB=ON -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none -DENABLE_MANUAL=OFF -DENABLE_THREADED_RESOLVER=ON -DCURL_WERROR=OFF
  ninja -C "$work/build-curl" install
}

build_jsonc() {
  unpack json-c "$work/jsonc"
  with_cmake "$work/jsonc" -DBUILD_TESTING=OFF -DBUILD_STATIC_LIBS=ON -DDISABLE_WERROR=ON -DBUILD_APPS=OFF -DDISABLE_EXTRA_LIBS=ON
  ninja -C "$work/build-jsonc" install
}

build_pcre() {
  unpack pcre2 "$work/pcre"
  # No JIT: a worker may not make memory executable.
  with_cmake "$work/pcre" -DPCRE2_BUILD_PCRE2GREP=OFF -DPCRE2_BUILD_TESTS=OFF -DPCRE2_SUPPORT_JIT=OFF -DBUILD_STATIC_LIBS=ON
  ninja -C "$work/build-pcre" install
}

build_xml() {
  unpack libxml2 "$work/xml"
  with_cmake "$work/xml" -DLIBXML2_WITH_PYTHON=OFF -DLIBXML2_WITH_TESTS=OFF -DLIBXML2_WITH_PROGRAMS=OFF -DLIBXML2_WITH_ICONV=ON \
    -DLIBXML2_WITH_LZMA=OFF -DLIBXML2_WITH_ZLIB=OFF -DLIBXML2_WITH_HTTP=OFF -DLIBXML2_WITH_FTP=OFF
  ninja -C "$work/build-xml" install
}

build_mspack() {
  unpack libmspack "$work/mspack"
  with_configure "$work/mspack"
  make -j"$jobs" libmspack.la
  make install-libLTLIBRARIES install-includeHEADERS install-pkgconfigDATA
}

build_clamav() {
  local source=$work/clamav file
  unpack clamav "$source"
  patch -d "$source" -p1 <"$here/clamav-no-plugins.patch"
  unset CC CXX CFLAGS CXXFLAGS RUSTFLAGS
  export PATH=/usr/bin:/bin CARGO_HOME=$work/cargo
  export CARGO_BUILD_RUSTFLAGS="--remap-path-prefix=$work=picket"
  cmake -G Ninja -S "$source" -B "$work/build-clamav" -DCMAKE_TOOLCHAIN_FILE="$root/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_C_FLAGS=$flags -I$source/libclamunrar_iface" "-DCMAKE_CXX_FLAGS=$flags -I$source/libclamunrar_iface" \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DENABLE_STATIC_LIB=ON -DENABLE_SHARED_LIB=OFF -DENABLE_APP=OFF -DENABLE_LIBCLAMAV_ONLY=OFF -DENABLE_TESTS=OFF -DENABLE_MILTER=OFF \
    -DENABLE_CLAMONACC=OFF -DENABLE_MAN_PAGES=OFF -DENABLE_DOXYGEN=OFF -DENABLE_UNRAR=OFF -DENABLE_SYSTEMD=OFF -DENABLE_JSON_SHARED=OFF \
    -DBYTECODE_RUNTIME=interpreter -DMAINTAINER_MODE=OFF -DENABLE_EXTERNAL_MSPACK=ON -DMMAP_FOR_CROSSCOMPILING=ON -DDO_NOT_SET_RPATH=ON \
    -DAPP_CONFIG_DIRECTORY=/etc/picket/none -DDATABASE_DIRECTORY=/var/lib/picket/definitions/none -DRUST_COMPILER_TARGET="$triple" \
    -DOPENSSL_ROOT_DIR="$prefix" -DOPENSSL_USE_STATIC_LIBS=ON -DOPENSSL_CRYPTO_LIBRARY="$prefix/lib/libcrypto.a" \
    -DOPENSSL_SSL_LIBRARY="$prefix/lib/libssl.a" -DJSONC_LIBRARY="$prefix/lib/libjson-c.a" -DJSONC_INCLUDE_DIR="$prefix/include/json-c"
  ninja -C "$work/build-clamav"
  for file in $(find "$work/build-clamav" -name 'libclamav_static.a' -o -name 'libclamav_rust.a' -o -name 'libfreshclam_static.a' -o -name libcommon.a); do
    cp "$file" "$prefix/lib/"
  done
  cp "$source"/libclamav/{clamav.h,matcher.h} "$prefix/include/" 2>/dev/null || cp "$source/libclamav/clamav.h" "$prefix/include/"
  cp "$source/libfreshclam/libfreshclam.h" "$work/build-clamav/"{clamav-types.h,clamav-version.h} "$prefix/include/"
  "$here/crates.py" "$source/Cargo.lock" "$source/.cargo/vendor" >"$root/crates.txt"
  cat >"$prefix/lib/pkgconfig/libclamav.pc" <<END
Name: libclamav
Description: scanning engine, with all that it is linked with
Version: $(pin_of clamav)
Libs: -L$prefix/lib -lclamav_static -lclamav_rust -lmspack -lxml2 -lpcre2-8 -ljson-c -larchive -lssl -lcrypto -lbz2 -lz -llzma -lzstd
Cflags: -I$prefix/include
END
}

# A name that two libraries define is a call that lands in the wrong one, and no linker says so.
build_clashes() {
  local library clashes
  clashes=$(for library in "$prefix"/lib/*.a; do
    "$llvm/llvm-nm" --defined-only --extern-only -f posix "$library" | awk -v library="${library##*/}" '$2 ~ /^[TDBRC]$/ { print $1, library }' | sort -u
  done | sort | awk '$1 == name { print $1, library, $2 } { name = $1; library = $2 }')
  [ -z "$clashes" ] || { printf '%s\n' "$clashes"; return 1; }
}

build_headers() {
  local kind name version folder package
  mkdir -p "$root/licences"
  pins | while read -r kind name version _; do
    [ "$kind" = headers ] || continue
    rm -rf -- "${work:?}/headers"
    dpkg-deb -x "$cache/sources/${name}_${version}_all.deb" "$work/headers"
    cp -r "$work/headers/usr/include/." "$prefix/include/"
    cp "$work/headers/usr/share/doc/$name/copyright" "$root/licences/$name"
    for folder in share lib; do
      for package in cmake pkgconfig; do
        if [ -d "$work/headers/usr/$folder/$package" ]; then
          mkdir -p "$prefix/$folder/$package"
          cp -r "$work/headers/usr/$folder/$package/." "$prefix/$folder/$package/"
        fi
      done
    done
  done
}
