#!/usr/bin/env python3
"""Holds packaging/selinux/picket.fc to packaging/contents and picket.te: every shipped path that is not the distribution's
kind of file (/usr/bin, /usr/share …) has the label it should have, and every label that is given exists.

security_contexts.py TREE     exit 0 when it is so; else one line a fault
"""
import re
import sys

LABELS = {
    "/usr/sbin/picketd": "picketd_exec_t",
    "/usr/libexec/picket/picket-engine": "picket_engine_exec_t",
    "/usr/libexec/picket/picket-guard": "picket_guard_exec_t",
    "/usr/libexec/picket/picket-remedy": "picket_remedy_exec_t",
    "/etc/picket": "picket_etc_t",
    "/etc/picket/managed.d": "picket_etc_t",
    "/var/lib/picket": "picket_var_lib_t",
    "/var/lib/picket/definitions": "picket_definitions_t",
    "/var/lib/picket/profile": "picket_var_lib_t",
    "/var/lib/picket/quarantine": "picket_quarantine_t",
    "/var/lib/picket/selftest": "picket_var_lib_t",
    "/var/lib/picket/install": "picket_var_lib_t",
    "/var/log/picket": "picket_log_t",
    # made at run time
    "/run/picket/control.sock": "picket_var_run_t",
    "/run/picket/engine-tmp": "picket_engine_tmp_t",
    "/var/lib/picket/definitions/generations/1/main.cvd": "picket_definitions_t",
    "/var/lib/picket/quarantine/1.data": "picket_quarantine_t",
    "/etc/picket/onboarding.json": "picket_etc_t",
}
# What a distribution's own policy labels by folder: programs that run as who starts them, units, data.
BY_FOLDER = re.compile(r"/usr/(s?bin|libexec/picket|share|lib/systemd/system|lib/tmpfiles\.d)/|@units@/|@zsh@/")


def contexts(tree):
    rows = []
    for line in open(f"{tree}/packaging/selinux/picket.fc", encoding="utf-8"):
        pattern, *kind, context = line.split()
        rows.append((pattern, kind[0] if kind else "", context.split(":")[2]))
    return rows


def label_of(path, rows):
    """The longest fixed beginning wins, as for libselinux; among equals the last."""
    best, length = None, -1
    for pattern, _, label in rows:
        stem = len(re.split(r"[.^$?*+|\[({\\]", pattern)[0])
        if re.fullmatch(pattern, path) and stem >= length:
            best, length = label, stem
    return best


def main(tree):
    rows = contexts(tree)
    declared = set(re.findall(r"^type (\w+),", open(f"{tree}/packaging/selinux/picket.te", encoding="utf-8").read(), re.M))
    faults = [f"picket.fc: {label} is not declared in picket.te" for _, _, label in rows if label not in declared]
    shipped = set()
    for line in open(f"{tree}/packaging/contents", encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            shipped.add(line.split()[3])
    for path in sorted(shipped | set(LABELS)):
        label = label_of(path, rows)
        if label != LABELS.get(path):
            faults.append(f"{path}: labelled {label}, should be {LABELS.get(path)}")
        if label is None and not BY_FOLDER.match(path):
            faults.append(f"{path}: no label, and the distribution has none for that folder")
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
