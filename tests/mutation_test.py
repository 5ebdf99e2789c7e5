#!/usr/bin/env python3
"""The checks of definitions taken out one by one: each time a test of libs/updates must fail, or nobody would notice.

mutation_test.py SOURCE BUILD    exit 0: each was noticed, 1: one was not, or is not there to be taken out, 77: not this build
"""

import os
import shlex
import subprocess
import sys
import tempfile

# What is taken out, where, what stands there, and what then.
MUTATIONS = [
    ("the signature of lists and sets", "libs/trust/signed_manifest.cpp",
     "PICKET_TRY(crypto::verify_signature(key, as_bytes(text), signature));", "(void)signature;"),
    ("the digest of a file", "libs/updates/bring_in.cpp", "return to_hex(digest.sha256) == file.sha256;", "return !digest.sha256.empty();"),
    ("no older list of keys", "libs/updates/judge.cpp", "if (list.version < memory.key_list_version)", "if (false)"),
    ("no older set", "libs/updates/judge.cpp", "if (offered.version < floor->second.version)", "if (false)"),
    ("one set of a version", "libs/updates/judge.cpp", "offered.sha256 != floor->second.sha256)", "false)"),
    ("the end of a set", "libs/updates/judge.cpp", "if (!expires || *expires <= now)", "if (!expires)"),
    ("the age of a set", "libs/updates/judge.cpp", "    if (left <= 0)\n", "    if (left <= held.minimum_age)\n"),
]


def commands(build, target):
    return subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True, capture_output=True, text=True).stdout.splitlines()


def compile_command(build, source, scratch, object_file):
    """As ninja would, from another file; the headers beside the source are still found."""
    for line in commands(build, "test_updates"):
        words = shlex.split(line)
        if "-c" in words and os.path.realpath(os.path.join(build, words[words.index("-c") + 1])) == source:
            words[words.index("-c") + 1] = scratch
            words[words.index("-o") + 1] = object_file
            for option in ("-MF", "-MT"):
                at = words.index(option)
                del words[at : at + 2]
            words.remove("-MD")
            return [*words, "-I" + os.path.dirname(source), "-Wno-error"]
    raise SystemExit(f"{source}: the build does not compile it")


def link_command(build, object_file, program):
    """With the object before the libraries, so that theirs is not taken."""
    words = shlex.split(commands(build, "test_updates")[-1].removeprefix(": && ").removesuffix(" && :"))
    at = words.index("-o")
    words[at + 1] = program
    words.insert(at, object_file)
    return words


def is_noticed(source, build, scratch, mutation):
    _, path, wanted, instead = mutation
    path = os.path.realpath(os.path.join(source, path))
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(wanted) != 1:
        raise SystemExit(f"{path}: '{wanted}' is there {text.count(wanted)} times, not once")
    changed, object_file, program = (os.path.join(scratch, name) for name in (os.path.basename(path), "changed.o", "test_changed"))
    with open(changed, "w", encoding="utf-8") as file:
        file.write(text.replace(wanted, instead))
    for command in (compile_command(build, path, changed, object_file), link_command(build, object_file, program)):
        subprocess.run(command, cwd=build, check=True)
    ran = subprocess.run([program, "--abort-after=1", "--test-case-exclude=*fleet of*"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return ran.returncode != 0


def main(source, build):
    source, build = os.path.realpath(source), os.path.realpath(build)
    if not os.path.exists(os.path.join(build, "build.ninja")):
        print("skip: this is no build by ninja")
        return 77
    missed = 0
    with tempfile.TemporaryDirectory(prefix="picket-mutation-") as scratch:
        _, path, wanted, _ = MUTATIONS[0]
        if is_noticed(source, build, scratch, ("nothing", path, wanted, wanted)):
            print("FAIL  with nothing taken out no test fails")
            return 1
        for mutation in MUTATIONS:
            noticed = is_noticed(source, build, scratch, mutation)
            print(f"{'ok  ' if noticed else 'FAIL'}  without {mutation[0]} a test fails", flush=True)
            missed += not noticed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
