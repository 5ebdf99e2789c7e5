#!/usr/bin/env python3
"""Writes another version, or another day of building, into a copy of a built program: libs/base/build_info.cpp.
Usage: stamp.py FROM TO [--version 0.2.0] [--built-at SECONDS]. Says so and ends with 1 where FROM carries no stamp."""
import argparse
import shutil
import sys

FIELD = 32
MARKS = {"version": b"PICKET-VERSION=\0", "built_at": b"PICKET-BUILT-AT\0"}


def stamped(program, field, text):
    place = program.find(MARKS[field])
    if place < 0 or program.find(MARKS[field], place + 1) >= 0:
        sys.exit(f"the program carries no stamp, or more than one, for its {field}")
    begin = place + len(MARKS[field])
    value = text.encode()
    if len(value) >= FIELD:
        sys.exit(f"{field}: at most {FIELD - 1} bytes")
    return program[:begin] + value.ljust(FIELD, b"\0") + program[begin + FIELD :]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--version")
    parser.add_argument("--built-at", dest="built_at")
    wanted = parser.parse_args()
    with open(wanted.source, "rb") as file:
        program = file.read()
    for field in MARKS:
        if getattr(wanted, field):
            program = stamped(program, field, getattr(wanted, field))
    with open(wanted.target, "wb") as file:
        file.write(program)
    shutil.copymode(wanted.source, wanted.target)


if __name__ == "__main__":
    main()
