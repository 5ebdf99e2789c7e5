#!/usr/bin/env python3
"""run_as_user.py BUILD LABEL: runs the tests of that label once more as an ordinary user.

The user is a number that nobody has; its tests get a temporary folder of their own. Exit 77: cannot be done here.
"""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

UID = 64999
SECONDS = 900


def tests(build, label):
    shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", "-L", f"^{label}$"],
                           check=True, capture_output=True, text=True).stdout
    return {test["name"]: test["command"] for test in json.loads(shown)["tests"]}


def as_user(command, directory):
    wrapped = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all", "--no-new-privs",
               *command]
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": directory, "TMPDIR": directory}
    return subprocess.run(wrapped, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=SECONDS, check=False)


def main():
    build, label = os.path.abspath(sys.argv[1]), sys.argv[2]
    commands = tests(build, label)
    if not commands:
        print(f"no test has the label {label}")
        return 1
    directory = tempfile.mkdtemp(prefix="picket-test-user-")
    try:
        os.chown(directory, UID, UID)
        program = next(iter(commands.values()))[0]
        if as_user(["test", "-r", program], directory).returncode != 0:
            print(f"skip: an ordinary user cannot reach {program}")
            return 77
        return run(commands, directory)
    finally:
        shutil.rmtree(directory)


def run(commands, directory):
    failed = []

    def one(name):
        own = os.path.join(directory, name)
        os.mkdir(own)
        os.chown(own, UID, UID)
        return name, as_user(commands[name], own)

    # Two at a time, as ctest does.
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=2)
    for name, result in pool.map(one, commands):
        print(f"{'ok    ' if result.returncode == 0 else 'FAILED'} {name}", flush=True)
        if result.returncode != 0:
            failed.append(name)
            sys.stdout.buffer.write(result.stdout)
    print(f"{len(commands) - len(failed)} of {len(commands)} passed as uid {UID}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
