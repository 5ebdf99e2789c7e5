#!/usr/bin/env python3
"""What the portable build is made of, as a CycloneDX 1.5 document. Usage: sbom.py [--outdated] [--crates FILE] [-o FILE]
--outdated  instead says, for each pin, whether the distribution offers a newer version now; exit 1 where one is behind.
Read from sources.txt beside this file; the time is SOURCE_DATE_EPOCH, so that the same tree gives the same bytes."""
import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
def pins(path=os.path.join(HERE, "sources.txt")):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                kind, name, version, digest, licence = line.split(None, 4)
                yield {"kind": kind, "name": name, "version": version, "sha256": digest, "licence": licence.strip()}


def product_version():
    with open(os.path.join(HERE, "../../CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"project\(picket VERSION ([\d.]+)", file.read()).group(1)


def package_url(pin):
    if pin["kind"] == "npm":
        return "pkg:npm/" + pin["name"].replace("@", "%40") + "@" + pin["version"]
    if pin["kind"] == "crate":
        return f"pkg:cargo/{pin['name']}@{pin['version']}"
    version = pin["version"].replace(":", "%3A").replace("+", "%2B").replace("~", "%7E")
    return f"pkg:deb/debian/{pin['name']}@{version}" + ("?arch=source" if pin["kind"] == "source" else "")


def licence_of(pin):
    if " " in pin["licence"]:
        return {"expression": pin["licence"]}
    field = "name" if pin["licence"].startswith("LicenseRef-") else "id"
    return {"license": {field: pin["licence"].replace("LicenseRef-", "")}}


def document(crates):
    made = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    version = product_version()
    components = [{
        "type": "library",
        "bom-ref": package_url(pin),
        "name": pin["name"],
        "version": pin["version"],
        "purl": package_url(pin),
        "licenses": [licence_of(pin)],
        "hashes": [{"alg": "SHA-256", "content": pin["sha256"]}],
    } for pin in [*pins(), *(pins(crates) if crates else [])]]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components) + version)),
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": "picket", "name": "picket", "version": version,
                          "licenses": [{"license": {"id": "GPL-2.0-or-later"}}]},
        },
        "components": components,
        "dependencies": [{"ref": "picket", "dependsOn": [component["bom-ref"] for component in components]}],
    }


def offered():
    """The newest version of each pinned package that the host's mirrors offer, by name."""
    newest = {}
    script = f'set -eu; here={HERE}; cache={tempfile.mkdtemp()}; die() {{ echo "$*" >&2; exit 1; }}; . "$here/fetch.sh"; '
    kinds = {"source": ("apt-cache", "showsrc", "--only-source"), "headers": ("apt-cache", "show")}
    for kind, command in kinds.items():
        names = [pin["name"] for pin in pins() if pin["kind"] == kind]
        out = subprocess.run(["bash", "-c", script + 'apt_for_sources "$@"; rm -rf -- "${cache:?}"', "bash", *command, *names],
                             capture_output=True, text=True, check=True).stdout
        for block in out.split("\n\n"):
            name = re.search(r"^(?:Package|Source): (\S+)", block, re.M)
            version = re.search(r"^Version: (\S+)", block, re.M)
            if name and version and (name[1] not in newest or is_newer(version[1], newest[name[1]])):
                newest[name[1]] = version[1]
    return newest


def is_newer(version, than):
    return subprocess.run(["dpkg", "--compare-versions", version, "gt", than], check=False).returncode == 0


def print_outdated():
    newest, behind = offered(), 0
    for pin in pins():
        version = newest.get(pin["name"])
        if pin["kind"] == "npm":
            state = "kept: it is what gives glibc 2.17"
        elif version is None:
            state = "no longer offered"
        else:
            state = f"behind: {version} is offered" if is_newer(version, pin["version"]) else "newest"
        behind += state.startswith(("behind", "no longer"))
        print(f"{pin['name'].split('/')[-1]:36} {pin['version']:24} {state}")
    return 1 if behind else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outdated", action="store_true")
    parser.add_argument("--crates", help="crates.txt of the built prefix: libclamav's Rust part")
    parser.add_argument("-o", "--output")
    arguments = parser.parse_args()
    if arguments.outdated:
        sys.exit(print_outdated())
    text = json.dumps(document(arguments.crates), indent=1) + "\n"
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


main()
