#!/usr/bin/env python3
"""Holds systemd units to the table of their directives: an old systemd must find in them what it knows, or what does the
same job. unit_directives.py FOLDER     exit 0 when it is so; else one line a fault"""
import os
import re
import sys

OLDEST = 210  # SLES 12
UNIT_SUFFIXES = (".service", ".socket", ".mount", ".target")


def table(path):
    rows = {}
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        if line.startswith("#") or not line.strip():
            continue
        row = re.fullmatch(r"(\[\w+\] \S+)\s+(base|\d+)(?:\s{3}(\S.*))?", line.rstrip("\n"))
        if not row:
            sys.exit(f"{path}:{number}: not a row: DIRECTIVE VERSION [INSTEAD]")
        rows[row[1]] = (0 if row[2] == "base" else int(row[2]), row[3] or "")
    return rows


def directives(path):
    """Every directive of a unit, and its values that have rows of their own, as the table spells them; with its line."""
    section = ""
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.strip()
        if line.startswith("["):
            section = line
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield number, f"{section} {name}"
            yield number, f"{section} {name}={value}"
            if "@" in value:
                yield number, f"{section} {name}@"


def main(folder):
    rows, faults, used = table(os.path.join(folder, "directives")), [], set()
    for name in sorted(os.listdir(folder)):
        if not name.endswith(UNIT_SUFFIXES):
            continue
        found = list(directives(os.path.join(folder, name)))
        bare = {directive.split()[1] for _, directive in found}
        for number, directive in found:
            if directive not in rows:
                if "=" not in directive and not directive.endswith("@"):
                    faults.append(f"{name}:{number}: {directive} is in no row of the table: since which systemd?")
                continue
            used.add(directive)
            since, instead = rows[directive]
            if since > OLDEST and not instead:
                faults.append(f"{name}:{number}: {directive} needs systemd {since}: what does its job before that?")
            for other in re.findall(r"also: (\w+)", instead):
                if other not in bare:
                    faults.append(f"{name}:{number}: {directive} needs systemd {since}, and {other} is not there as well")
    faults += [f"directives: {row} is in no unit any more" for row in rows if row not in used]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
