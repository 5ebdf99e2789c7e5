#!/usr/bin/env python3
"""Makes each step of `picket-installer install` fail in turn by a real cause, and stops it by Ctrl-C at points all
along its way, inside a throw-away host: everything must be undone, and the next install must succeed.
Usage: installer_failures.py INSTALLER ONBOARDING. Changes the host that it runs on: only for the lab."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys

sys.argv[1:] = sys.argv[1:3]
import installer_kills as lab
from installer_kills import INSTALLER, ONBOARDING, expect, installer, run

PROFILE = "/root/failures-profile.json"
INSTALL = ("install", "--onboarding", ONBOARDING, "--profile", PROFILE, "--tag", "site=lab")
DROP_INS = "/etc/systemd/system"


@contextlib.contextmanager
def in_the_way(path, kind):
    """Something of the wrong kind is where the installer wants to put something."""
    made = []
    folder = os.path.dirname(path)
    while not os.path.exists(folder):
        made.append(folder)
        folder = os.path.dirname(folder)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if kind == "file":
        open(path, "x").close()
    else:
        os.makedirs(path + "/in the way")
    try:
        yield
    finally:
        if kind == "file":
            with contextlib.suppress(FileNotFoundError): # undoing purges what bears the name of Picket's own
                os.unlink(path)
        else:
            shutil.rmtree(path)
        for folder in made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)


@contextlib.contextmanager
def masked(unit):
    os.symlink("/dev/null", f"{DROP_INS}/{unit}")
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        os.unlink(f"{DROP_INS}/{unit}")
        run("systemctl", "daemon-reload")


@contextlib.contextmanager
def drop_in(unit, *lines):
    folder = f"{DROP_INS}/{unit}.d"
    os.makedirs(folder)
    with open(folder + "/failure.conf", "w") as file:
        file.write("\n".join(("[Service]", *lines)) + "\n")
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        shutil.rmtree(folder)
        run("systemctl", "daemon-reload")


@contextlib.contextmanager
def hook_of_dpkg(which):
    """A hook of the site that refuses: only while Picket goes in, for what was undone goes out through dpkg too."""
    path = "/etc/dpkg/dpkg.cfg.d/failure"
    with open(path, "w") as file:
        file.write(which + "=case \"$DPKG_HOOK_ACTION\" in install|unpack|configure) exit 1;; esac\n")
    try:
        yield
    finally:
        os.unlink(path)


# step, what makes it fail, exit code
FAILURES = [
    ("directories.prepare", lambda: in_the_way("/etc/picket", "file"), 21),
    ("bundle.stage", lambda: in_the_way("/var/lib/picket/install/staged", "file"), 21),
    ("package.install", lambda: hook_of_dpkg("pre-invoke"), 21),
    ("package.install", lambda: hook_of_dpkg("post-invoke"), 21),
    ("definitions.install", lambda: in_the_way("/var/lib/picket/definitions/generations", "file"), 21),
    ("identity.write", lambda: in_the_way("/etc/picket/onboarding.json", "folder"), 21),
    ("profiles.write", lambda: in_the_way("/etc/picket/managed.d/30-install.json", "folder"), 21),
    ("tags.write", lambda: in_the_way("/etc/picket/tags.json", "folder"), 21),
    ("services.enable", lambda: masked("picket.target"), 21),
    ("services.start", lambda: drop_in("picketd.service", "ExecStartPre=/bin/false"), 21),
    ("health.wait", lambda: drop_in("picket-engine.service", "Type=simple", "WatchdogSec=0", "NoExecPaths=", "ExecPaths=",
                                    "ExecStart=", "ExecStart=/bin/sleep 600"), 21),
    ("receipt.write", lambda: in_the_way("/var/lib/picket/install/receipt.json", "folder"), 21),
]


def failed_steps(report):
    return [step["id"] for step in report["steps"] if step["status"] == "failed"]


def absent(but_kept=False):
    """but_kept: there was something where Picket keeps its state, so that undoing it was no purge."""
    code, status, _ = run("dpkg-query", "-W", "-f", "${db:Status-Status}", "picket")
    expect(code != 0 or (but_kept and status == "config-files"), "dpkg does not know it", status)
    expect(run("dpkg", "--audit")[1] == "", "dpkg has nothing to complain of", run("dpkg", "--audit"))
    left = run("find", "/etc/picket", "/var/lib/picket", "/usr/libexec/picket", "/usr/bin/picket", "/run/picket",
               "-not", "-type", "d")[1]
    expect(left == "" or status == "config-files", "nothing is left", left)
    expect(run("pgrep", "picketd")[0] == 1, "nothing runs")


def fail_at(step, cause, code):
    with cause():
        got, report = installer(*INSTALL)
        expect(got == code, f"{step} fails with {code}", got, report["error"])
        expect(step in failed_steps(report), f"{step} is the one that failed", report["steps"], report["error"])
        expect(report["error"]["message"] and not report["changed"], "it says so, and that nothing changed", report)
    absent(but_kept=True)
    expect(installer("uninstall", "--purge")[0] == 0, "uninstalls")
    absent()
    print(f"{step} failed: undone ({report['error']['message'][:150]})", flush=True)


def self_test_fails():
    with drop_in("picket-remedy.service", "ExecStart=", "ExecStart=/bin/false"):
        got, report = installer(*INSTALL)
        expect(got == 50, "a failed self-test is 50", got, report["error"])
        expect(report["after"]["installed"], "and keeps what was installed")
    expect(installer("uninstall", "--purge")[0] == 0, "uninstalls")
    absent()
    print("selftest.run failed: kept, exit 50", flush=True)


def interrupt_at(count):
    watch = lab.JournalWatch()
    process = subprocess.Popen([INSTALLER, *INSTALL, "--output", "json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        reached = watch.wait(count, process)
    finally:
        watch.close()
    if reached:
        process.send_signal(signal.SIGINT)
    report = json.loads(process.communicate(timeout=120)[0])
    if process.returncode == 0: # what is done is done: it heard the signal at its end
        expect(installer("uninstall", "--purge")[0] == 0, "uninstalls")
        absent()
        return reached
    expect(process.returncode == 130 and report["error"]["code"] == 130, "Ctrl-C is 130", process.returncode, report["error"])
    expect(not report["changed"], "nothing changed", report)
    absent()
    print(f"Ctrl-C at journal write {count}: undone", flush=True)
    return True


def main():
    with open(PROFILE, "w") as file:
        json.dump({"antivirusEngine": {"maximumOnDemandScanThreads": 2}}, file)
    planned = [step["id"] for step in installer(*INSTALL, "--dry-run")[1]["steps"]]
    for step, cause, code in FAILURES:
        expect(step in planned, "the step is part of an install", step, planned)
        fail_at(step, cause, code)
    untried = set(planned) - {step for step, _, _ in FAILURES} - {"selftest.run"}
    print("steps not made to fail:", ", ".join(sorted(untried)) or "none")
    self_test_fails()
    count = 1
    while interrupt_at(count):
        count += 9
    code, report = installer(*INSTALL)
    expect(code == 0, "and after all that an install succeeds", report)
    expect(installer("uninstall", "--purge")[0] == 0, "uninstalls")


main()
