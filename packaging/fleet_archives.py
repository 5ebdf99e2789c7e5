#!/usr/bin/env python3
"""The archives of the Ansible collection and the Puppet module, as their own tools want them.

fleet_archives.py TREE OUTPUT    writes them into OUTPUT and prints their paths, one a line

The same tree gives the same bytes: names are sorted, and every entry has the time of SOURCE_DATE_EPOCH.
"""
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

# What a module of Puppet's Forge holds; specs and settings of our own tools stay at home.
MODULE = ("CHANGELOG.md", "README.md", "REFERENCE.md", "data", "functions", "hiera.yaml", "lib", "manifests", "metadata.json",
          "plans", "tasks", "types")


def read_tree(top, names):
    """{path: content} of the files and folders that are named."""
    files = {}
    for name in names:
        path = os.path.join(top, name)
        if os.path.isdir(path):
            files.update(read_tree(top, [os.path.join(name, inner) for inner in sorted(os.listdir(path))]))
        elif not name.endswith((".pyc", "~")):
            with open(path, "rb") as file:
                files[name] = file.read()
    return files


def folders_of(files):
    folders = set()
    for name in files:
        while (name := os.path.dirname(name)):
            folders.add(name)
    return folders


def write_archive(path, files, prefix=""):
    """In the order of their names; each folder before what is in it."""
    time = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    with open(path, "wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=time) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name in sorted(set(files) | folders_of(files)):
                entry = tarfile.TarInfo(prefix + name)
                if name not in files:
                    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, time
                    archive.addfile(entry)
                    continue
                entry.size, entry.mtime = len(files[name]), time
                # Ansible's modules begin so as well, and are started by nobody.
                entry.mode = 0o755 if files[name].startswith(b"#!") and not name.endswith(".py") else 0o644
                archive.addfile(entry, io.BytesIO(files[name]))


def sorted_manifest(files):
    """The lists in FILES.json are in the order in which a folder was read; MANIFEST.json has the digest of that file."""
    listed = json.loads(files["FILES.json"])
    listed["files"].sort(key=lambda entry: entry["name"])
    files["FILES.json"] = json.dumps(listed, indent=True).encode()
    manifest = json.loads(files["MANIFEST.json"])
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(files["FILES.json"]).hexdigest()
    files["MANIFEST.json"] = json.dumps(manifest, indent=True).encode()


def collection(tree, output):
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["ansible-galaxy", "collection", "build", os.path.join(tree, "ansible"), "--output-path", scratch],
                       check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, HOME=scratch, ANSIBLE_NOCOLOR="1", LC_ALL="C.UTF-8"))
        name = next(name for name in os.listdir(scratch) if name.endswith(".tar.gz"))
        with tarfile.open(os.path.join(scratch, name)) as archive:
            files = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
    sorted_manifest(files)
    write_archive(os.path.join(output, name), files)
    return os.path.join(output, name)


def module(tree, output):
    top = os.path.join(tree, "puppet")
    files = read_tree(top, [name for name in MODULE if os.path.exists(os.path.join(top, name))])
    with open(os.path.join(tree, "LICENSE"), "rb") as file:
        files["LICENSE"] = file.read()
    checksums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    files["checksums.json"] = (json.dumps(checksums, indent=2, sort_keys=True) + "\n").encode()
    metadata = json.loads(files["metadata.json"])
    name = f"{metadata['name']}-{metadata['version']}"
    write_archive(os.path.join(output, name + ".tar.gz"), files, prefix=name + "/")
    return os.path.join(output, name + ".tar.gz")


def main():
    tree, output = sys.argv[1:]
    print(collection(tree, output))
    print(module(tree, output))


if __name__ == "__main__":
    main()
