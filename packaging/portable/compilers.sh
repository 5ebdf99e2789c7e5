# shellcheck shell=bash
# The compilers: the distribution's clang with the headers and libraries of glibc 2.17, and a C++ library built for it.
# Sourced by build.sh. Whoever adds an architecture adds a line to `architecture` and its sysroot to sources.txt.

# architecture NAME: sets what depends on it
architecture() {
  case $1 in
    x86_64) triple=x86_64-unknown-linux-gnu openssl_target=linux-x86_64 sysroot_package=@napi-rs/cross-toolchain-x64-target-x86_64 branch_protection=-fcf-protection=full ;;
    *) die "no portable build for $1 yet" ;;
  esac
}

llvm=/usr/lib/llvm-19/bin

unpack_sysroot() {
  local work=$root/sysroot-archive
  mkdir -p "$work" "$root/gcc"
  tar -xzf "$cache/sources/$(npm_file "$sysroot_package" "$(pin_of "$sysroot_package")")" -C "$work"
  tar -xJf "$work/package/$triple.tar.xz" -C "$work"
  rm -rf -- "${root:?}/sysroot"
  mv "$work/$triple/sysroot" "$root/sysroot"
  cp "$work/lib/gcc/$triple/4.8.5/"{crt*.o,libgcc.a,libgcc_eh.a} "$root/gcc/"
  rm -rf -- "${work:?}"
  # This start file says which kernel its builder had; the loader of an older one would refuse the program.
  "$llvm/llvm-objcopy" --remove-section=.note.ABI-tag "$root/sysroot/usr/lib/crt1.o"
  "$llvm/llvm-objcopy" --remove-section=.note.ABI-tag "$root/sysroot/usr/lib/Scrt1.o"
  # These headers take clang for a gcc before 4.3 and give C++ programs a `read` (recv, …) of their own that calls itself.
  sed -i 's/^#if (!defined __cplusplus || __GNUC_PREREQ (4,3))/#if (!defined __cplusplus || __GNUC_PREREQ (4,3) || defined __clang__)/' \
    "$root/sysroot/usr/include/sys/cdefs.h"
  grep -q 'defined __clang__' "$root/sysroot/usr/include/sys/cdefs.h"
  # The kernel's interface as the everyday build sees it: what a running kernel lacks is found out there.
  mkdir -p "$root/kernel"
  cp -r /usr/include/linux /usr/include/asm-generic "/usr/include/$(uname -m)-linux-gnu/asm" "$root/kernel/"
}

hardening="-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"

write_wrapper() {
  printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$root/bin/$1"
  chmod +x "$root/bin/$1"
}

write_wrappers() {
  local common boot link
  mkdir -p "$root/bin"
  common="--target=$triple --sysroot=$root/sysroot -B$root/gcc -isystem $root/kernel -Wno-unused-command-line-argument"
  boot="$common -fuse-ld=lld"
  link="$boot -L$root/gcc -L$root/c++/lib -rtlib=compiler-rt -unwindlib=libunwind -static-libgcc"
  write_wrapper cc-boot "$llvm/clang $boot -L$root/gcc"
  write_wrapper c++-boot "$llvm/clang++ $boot -L$root/gcc"
  write_wrapper cc "$llvm/clang $link"
  write_wrapper c++ "$llvm/clang++ -nostdinc++ -isystem $root/c++/include/c++/v1 -stdlib=libc++ -static-libstdc++ $link"
  cat >"$root/toolchain.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $machine)
set(CMAKE_C_COMPILER $root/bin/cc)
set(CMAKE_CXX_COMPILER $root/bin/c++)
foreach(tool IN ITEMS AR RANLIB NM STRIP OBJCOPY)
  string(TOLOWER \${tool} name)
  set(CMAKE_\${tool} $llvm/llvm-\${name})
endforeach()
set(CMAKE_FIND_ROOT_PATH $prefix $root/sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_PREFIX_PATH $prefix)
set(CMAKE_CROSSCOMPILING_EMULATOR /usr/bin/env)
set(ENV{PKG_CONFIG_LIBDIR} $prefix/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(PICKET_STATIC ON)
END
}

# libc++, libc++abi and libunwind, static
build_cxx() {
  local source=$work/llvm
  unpack llvm-toolchain-19 "$source"
  cmake -G Ninja -S "$source/runtimes" -B "$work/cxx" -DCMAKE_BUILD_TYPE=Release "-DLLVM_ENABLE_RUNTIMES=libunwind;libcxxabi;libcxx" \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$machine" \
    -DCMAKE_C_COMPILER="$root/bin/cc-boot" -DCMAKE_CXX_COMPILER="$root/bin/c++-boot" -DCMAKE_ASM_COMPILER="$root/bin/cc-boot" \
    -DCMAKE_C_COMPILER_TARGET="$triple" -DCMAKE_CXX_COMPILER_TARGET="$triple" -DCMAKE_AR="$llvm/llvm-ar" -DCMAKE_RANLIB="$llvm/llvm-ranlib" \
    -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" \
    -DCMAKE_INSTALL_PREFIX="$root/c++" -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY \
    -DLLVM_INCLUDE_TESTS=OFF -DLIBUNWIND_ENABLE_SHARED=OFF -DLIBUNWIND_USE_COMPILER_RT=ON -DLIBUNWIND_INCLUDE_TESTS=OFF \
    -DLIBCXXABI_ENABLE_SHARED=OFF -DLIBCXXABI_USE_LLVM_UNWINDER=ON -DLIBCXXABI_USE_COMPILER_RT=ON -DLIBCXXABI_INCLUDE_TESTS=OFF \
    -DLIBCXXABI_HAS_CXA_THREAD_ATEXIT_IMPL=OFF -DLIBCXX_ENABLE_SHARED=OFF -DLIBCXX_USE_COMPILER_RT=ON -DLIBCXX_CXX_ABI=libcxxabi \
    -DLIBCXX_ENABLE_STATIC_ABI_LIBRARY=ON -DLIBCXX_INCLUDE_TESTS=OFF -DLIBCXX_INCLUDE_BENCHMARKS=OFF -DLIBCXX_HAS_ATOMIC_LIB=OFF
  ninja -C "$work/cxx" install
}
