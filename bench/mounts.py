#!/usr/bin/env python3
"""The table of ./dev bench mounts: mounts.py FOLDER OUTPUT [--document]. The folder holds what mount_then_open.py found."""
import json
import os
import platform
import sys

from measure import write_document

ROWS = (("new", "a new mount"), ("in_place", "in the place of one that was just unmounted"), ("users", "in a user's own namespace"))


def table(result):
    lines = [f"{result['machine']}.", "", "| guarded after, ms | mounts | median | p90 | most | first open let through |", "|---|---:|---:|---:|---:|---:|"]
    for name, what in ROWS:
        row, after = result[name], result[name]["guarded_after_ms"]
        lines.append(f"| {what} | {row['mounts']} | {after['median']} | {after['p90']} | {after['most']} | {row['first_open_let_through']} |")
    return "\n".join(lines) + "\n"


def main():
    folder, output = sys.argv[1:3]
    result = {"machine": f"{os.cpu_count()} processors, Linux {platform.release()}"}
    for name, _ in ROWS:
        with open(os.path.join(folder, name + ".json"), encoding="utf-8") as file:
            result[name] = json.load(file)
    with open(output, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    text = table(result)
    print(text)
    if "--document" in sys.argv:
        write_document("bench mounts", text)


main()
