#!/usr/bin/env python3
"""The Rust crates that libclamav is built from, as lines in the form of sources.txt: crate, name, version, SHA-256,
licence. Usage: crates.py CARGO_LOCK VENDOR_FOLDER"""
import os
import re
import sys


def licences(vendor):
    found = {}
    for folder in sorted(os.listdir(vendor)):
        try:
            with open(os.path.join(vendor, folder, "Cargo.toml"), encoding="utf-8") as file:
                text = file.read().split("\n[", 2)
        except OSError:
            continue
        package = next((part for part in text if part.lstrip("[").startswith("package]")), "\n".join(text))
        field = {key: match[1] for key in ("name", "version", "license") if (match := re.search(rf'^{key} = "([^"]+)"', package, re.M))}
        if "name" in field and "version" in field:
            found[field["name"], field["version"]] = field.get("license", "LicenseRef-see-its-files").replace("/", " OR ")
    return found


def main():
    lock, vendor = sys.argv[1:3]
    known = licences(vendor)
    with open(lock, encoding="utf-8") as file:
        for block in file.read().split("[[package]]")[1:]:
            field = dict(re.findall(r'^(\w+) = "([^"]*)"', block, re.M))
            licence = known.get((field["name"], field["version"]))
            if "checksum" in field and licence: # without: one of clamav's own, or not vendored because not built
                print("crate", field["name"], field["version"], field["checksum"], licence)


main()
