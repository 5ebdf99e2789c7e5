#!/usr/bin/env python3
"""Each kind of fault that check_layers.py is there to find, found in a small tree that has it."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ARCHITECTURE = """
<!-- layers: begin -->
| line | library | of its own line | not ours | is |
|---|---|---|---|---|
| 1 | base | | fmt* | |
| 2 | low | | sqlite3.h | |
| 2 | beside | low | | |
| 3 | high | | | |
<!-- layers: end -->
<!-- programs: begin -->
| folder | may not use | because |
|---|---|---|
| tool | high | |
<!-- programs: end -->
"""
# What a file holds, and the word that the fault must hold; None where there is none.
CASES = [
    ("libs/high/a.cpp", "#include <picket/low/x.h>", None),
    ("libs/high/a.cpp", "#include <picket/high/x.h>", None),
    ("libs/high/a.cpp", "#include <fmt/format.h>", None),
    ("libs/high/a.cpp", "#include <sys/stat.h>", None),
    ("libs/beside/a.cpp", "#include <picket/low/x.h>", None),
    ("libs/low/a.cpp", "#include <sqlite3.h>", None),
    ("libs/low/tests/a.cpp", "#include <doctest/doctest.h>", None),
    ("tool/main.cpp", "#include <picket/low/x.h>", None),
    ("libs/low/a.cpp", "#include <picket/high/x.h>", "low (line 2) may not use high (line 3)"),
    ("libs/low/a.cpp", "#include <picket/beside/x.h>", "low (line 2) may not use beside (line 2)"),
    ("libs/low/a.cpp", "#include <picket/nothing/x.h>", "no library 'nothing'"),
    ("libs/low/a.cpp", '#include "../high/x.h"', "leads out of the folder"),
    ("libs/low/a.cpp", "#include <doctest/doctest.h>", "tests only"),
    ("libs/low/a.cpp", "#include <boost/any.hpp>", "does not name"),
    ("libs/low/include/picket/low/x.h", "#include <sqlite3.h>", "stays out of public headers"),
    ("libs/high/a.cpp", "#include <sqlite3.h>", "only low may include"),
    ("libs/other/a.cpp", "", "no library 'other'"),
    ("libs/low/CMakeLists.txt", "picket_library(low USES base high)", "may not use high"),
    ("libs/high/CMakeLists.txt", "picket_library(high USES base low)", None),
    ("tool/main.cpp", "#include <picket/high/x.h>", "tool may not use high"),
    ("tool/CMakeLists.txt", "picket_program(tool SOURCES main.cpp USES base high LINK x)", "tool may not use high"),
]


def run(path, content):
    with tempfile.TemporaryDirectory() as tree:
        for name, text in (("docs/architecture.md", ARCHITECTURE), ("libs/base/a.cpp", ""), (path, content)):
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            with open(os.path.join(tree, name), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        done = subprocess.run([sys.executable, os.path.join(HERE, "check_layers.py"), tree], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout


def main():
    wrong = 0
    for path, content, expected in CASES:
        code, output = run(path, content)
        if (code == 0) != (expected is None) or (expected or "") not in output:
            wrong += 1
            print(f"{path} with '{content}': expected {expected or 'no fault'}, got: {output}")
    print(f"{len(CASES) - wrong} of {len(CASES)} cases")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
