#!/usr/bin/env python3
"""Holds every #include and every USES to the tables of docs/architecture.md.

check_layers.py [TREE]    exit 0 when all is as the tables say; else one line a fault: file:line: what, and what is right
"""
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
USES = re.compile(r"picket_library\(\s*(\w+)([^)]*)\)")
PROGRAM_USES = re.compile(r"picket_program\(([^)]*)\)")
OWN_TARGET = re.compile(r"(?:add_library\(\s*picket::|add_library\(\s*picket_|picket_library\(\s*)(\w+)")
# The system's own headers that live in folders.
SYSTEM_FOLDERS = {"sys", "linux", "asm", "net", "netinet", "arpa", "bits"}
TEST_ONLY = {"doctest"}
SOURCE_SUFFIXES = (".h", ".cpp", ".h.in", ".cpp.in")


class Table:
    """A markdown table between `<!-- NAME: begin -->` and `<!-- NAME: end -->`, as rows of cells."""

    def __init__(self, text, name):
        body = re.search(rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", text, re.S)
        if not body:
            sys.exit(f"docs/architecture.md has no table '{name}'")
        lines = body.group(1).strip().splitlines()[2:]
        self.rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def words(cell):
    return {word for word in re.split(r"[,\s]+", cell) if word}


class Rules:
    def __init__(self, tree):
        with open(os.path.join(tree, "docs/architecture.md"), encoding="utf-8") as file:
            text = file.read()
        self.line, self.beside, self.owner, self.shared = {}, {}, {}, set()
        for line, library, beside, foreign, _ in Table(text, "layers").rows:
            self.line[library] = int(line)
            self.beside[library] = words(beside)
            for name in words(foreign):
                self.owner[name.rstrip("*")] = library
                if name.endswith("*"):
                    self.shared.add(name.rstrip("*"))
        self.forbidden = {folder: words(cell) for folder, cell, _ in Table(text, "programs").rows}

    def why_not(self, user, used):
        """Why the library or program folder `user` may not use the library `used`; None if it may."""
        if used not in self.line:
            return f"there is no library '{used}' in docs/architecture.md"
        if user in self.forbidden:
            return f"{user} may not use {used}" if used in self.forbidden[user] else None
        if used == user or used in self.beside[user] or self.line[used] < self.line[user]:
            return None
        return f"{user} (line {self.line[user]}) may not use {used} (line {self.line[used]})"

    def why_not_foreign(self, user, header, is_public):
        name = header.split("/")[0]
        if name not in self.owner:
            known = name in SYSTEM_FOLDERS or "/" not in header
            return None if known else f"'{header}' is of a library that docs/architecture.md does not name"
        if user == self.owner[name]:
            return f"'{header}' is not ours and stays out of public headers" if is_public and name not in self.shared else None
        if name == "fmt":
            return None
        return f"only {self.owner[name]} may include '{header}'"


class Checker:
    def __init__(self, tree):
        self.tree, self.rules, self.faults, self.files = tree, Rules(tree), [], 0
        self.folder, self.own_targets = "", set()

    def fault(self, path, line, what):
        self.faults.append(f"{os.path.relpath(path, self.tree)}:{line}: {what}")

    def run(self):
        for library in sorted(os.listdir(os.path.join(self.tree, "libs"))):
            folder = os.path.join(self.tree, "libs", library)
            if library not in self.rules.line:
                self.fault(folder, 0, f"there is no library '{library}' in docs/architecture.md")
                continue
            self.check_folder(folder, library)
        for program in self.rules.forbidden:
            self.check_folder(os.path.join(self.tree, program), program)
        return self.faults

    def check_folder(self, folder, user):
        self.folder, self.own_targets = folder, self.targets_of(folder)
        for directory, _, names in os.walk(folder):
            for name in sorted(names):
                path = os.path.join(directory, name)
                if name.endswith(SOURCE_SUFFIXES):
                    self.files += 1
                    self.check_source(path, user, f"{folder}/include/")
                elif name == "CMakeLists.txt":
                    self.check_cmake(path, user)

    @staticmethod
    def targets_of(folder):
        """The libraries that a program folder makes for itself."""
        found = set()
        for directory, _, names in os.walk(folder):
            if "CMakeLists.txt" in names:
                with open(os.path.join(directory, "CMakeLists.txt"), encoding="utf-8") as file:
                    found.update(OWN_TARGET.findall(file.read()))
        return found

    def check_source(self, path, user, public_folder):
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                match = INCLUDE.match(text)
                if match:
                    self.check_include(path, number, user, match, path.startswith(public_folder))

    def check_include(self, path, number, user, match, is_public):
        quote, header = match.groups()
        parts = header.split("/")
        is_test = "/tests/" in path or "/testing/" in path
        if quote == '"':
            target = os.path.normpath(os.path.join(os.path.dirname(path), header))
            inside = target.startswith(self.folder + os.sep)
            why = "a path through '..' leads out of the folder" if ".." in parts and not inside else None
            why = why or ('a header of another library is included as <picket/…>' if parts[0] == "picket" else None)
        elif parts[0] == "picket":
            why = self.rules.why_not(user, parts[1])
        elif parts[0] in TEST_ONLY:
            why = None if is_test else f"'{header}' is for tests only"
        elif os.path.exists(os.path.join(self.folder, header)):
            why = None
        else:
            why = self.rules.why_not_foreign(user, header, is_public)
        if why:
            self.fault(path, number, why)

    def check_cmake(self, path, user):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for arguments in [match.group(2) for match in USES.finditer(text)] + PROGRAM_USES.findall(text):
            uses = re.search(r"\bUSES\b(.*?)(?:\b[A-Z_]{4,}\b|$)", arguments, re.S)
            for used in (words(uses.group(1)) - self.own_targets) if uses else ():
                why = self.rules.why_not(user, used)
                if why:
                    self.fault(path, text[: text.index(arguments)].count("\n") + 1, why)


def main():
    tree = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    checker = Checker(os.path.abspath(tree))
    faults = checker.run()
    print("\n".join(faults) if faults else f"{checker.files} files are as docs/architecture.md says")
    return 1 if faults or not checker.files else 0


if __name__ == "__main__":
    sys.exit(main())
