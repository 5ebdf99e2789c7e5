#!/usr/bin/env python3
"""Looks at every ELF file below a folder: is it hardened, and does it ask for no more than it may?
Usage: check_elf.py FOLDER [--glibc 2.17]
Without --glibc only hardening is looked at: PIE, full RELRO, no executable stack, no RPATH, stack protector, fortify,
branch protection, no debug information. With it also: needs nothing but glibc's own libraries, and no symbol of a
newer one. Prints a line for each fault; exit 1 where there is one, 2 where there is no ELF file at all."""
import argparse
import os
import re
import subprocess
import sys

GLIBC_LIBRARIES = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2", "ld-linux-x86-64.so.2",
                   "ld-linux-aarch64.so.1"}


def readelf(*arguments):
    return subprocess.run(("readelf", "-W", *arguments), capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout


def elf_files(folder):
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(parent, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def version(text):
    return tuple(int(part) for part in text.split("."))


def hardening_faults(path):
    header, program, dynamic, symbols = readelf("-h", path), readelf("-l", path), readelf("-d", path), readelf("--dyn-syms", path)
    sections = readelf("-S", path)
    if not re.search(r"Type:\s+DYN", header) or "INTERP" not in program:
        yield "is no position-independent program"
    if "GNU_RELRO" not in program or not re.search(r"BIND_NOW|\(FLAGS_1\).*NOW", dynamic):
        yield "has no full RELRO"
    stack = re.search(r"GNU_STACK.*", program)
    if stack is None or "RWE" in stack.group():
        yield "has an executable stack"
    if re.search(r"LOAD.* RWE ", program):
        yield "has a segment that can be written and executed"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        yield "searches libraries in a path of its own"
    if "__stack_chk_fail" not in symbols:
        yield "has no stack protector"
    if not re.search(r"__\w+_chk(@|\b)", symbols.replace("__stack_chk_fail", "")):
        yield "has no fortified call"
    if "Advanced Micro Devices X86-64" in header:
        code = subprocess.run(("objdump", "-d", "--no-show-raw-insn", "-j", ".text", path), capture_output=True, text=True, check=True).stdout
        if re.search(r"endbr64\s*\n\s*[0-9a-f]+:\s+int3", code):
            yield "has a function that the compiler found to be impossible: it only traps"
        if code.count("endbr64") < 20:
            yield "has no branch protection (endbr64)"
    if ".debug_info" in sections:
        yield "has debug information"


def portability_faults(path, limit):
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d", path)))
    for library in sorted(needed - GLIBC_LIBRARIES):
        yield f"needs {library}"
    for name, wanted in re.findall(r"UND (\S+)@GLIBC_([\d.]+)", readelf("--dyn-syms", path)):
        if version(wanted) > version(limit):
            yield f"needs {name} of glibc {wanted}"
    for prefix in sorted(set(re.findall(r"@(GLIBCXX|CXXABI|GCC)_", readelf("--dyn-syms", path)))):
        yield f"needs symbols of {prefix}"
    if ".note.ABI-tag" in readelf("-S", path):
        yield "says which kernel it wants (.note.ABI-tag)"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--glibc")
    arguments = parser.parse_args()
    found, failed = 0, False
    for path in elf_files(arguments.folder):
        found += 1
        faults = list(hardening_faults(path))
        if arguments.glibc:
            faults += portability_faults(path, arguments.glibc)
        for fault in faults:
            failed = True
            print(f"{os.path.relpath(path, arguments.folder)} {fault}")
    if found == 0:
        print(f"{arguments.folder}: no program in it")
        sys.exit(2)
    sys.exit(1 if failed else 0)


main()
