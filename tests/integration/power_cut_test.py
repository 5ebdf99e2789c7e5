#!/usr/bin/env python3
"""The plug is pulled while definitions, settings, the quarantine and picket-installer write: afterwards there is the old
state or the new one, whole; and what was said to be done is done.

The disk is an image on a file system that can share blocks: a copy of it, taken in one moment, holds what had reached
the disk by then and nothing of what lay in memory only. The file system in it is mounted so that what nobody syncs gets
there late: a name may come long before the content."""

import contextlib
import fcntl
import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from mirror_world import Site, run
from picket_world import LIBC, PROGRAMS, World, eicar, wait_for

FICLONE = 0x40049409
MEGABYTE = 1 << 20
LATE = "loop,noauto_da_alloc,data=writeback"
OLD, NEW = "old", "new"
LONG = 10 if os.environ.get("PICKET_LONG") else 1
UPDATES, CHANGES, ORDERS, FILES = 3 * LONG, 4 * LONG, 3 * LONG, 6 * LONG
DEB = os.environ.get("PICKET_DEB", "")


class Disk:
    """An ext4 whose plug can be pulled as often as one likes: each time gives an image of what is left."""

    def __init__(self):
        self.base = tempfile.mkdtemp(prefix="picket-power-", dir="/run")
        self.mounts, self.count = [], 0
        try:
            self._mount("-t", "tmpfs", "tmpfs", self.base)
            carrier = self._image("carrier", 2048, "mkfs.xfs", "-q", "-m", "reflink=1")
            self.carrier = self._folder("carrier")
            self._mount("-o", "loop", carrier, self.carrier)
            self.image = self._image("carrier/disk", 768, "mkfs.ext4", "-q", "-F")
            self.at = self._folder("disk")
            self._mount("-o", LATE, self.image, self.at)
        except BaseException:
            self.close()
            raise

    def _folder(self, name):
        os.mkdir(os.path.join(self.base, name))
        return os.path.join(self.base, name)

    def _image(self, name, megabytes, *mkfs):
        path = os.path.join(self.base, name + ".img")
        with open(path, "wb") as file:
            file.truncate(megabytes * MEGABYTE)
        subprocess.run([*mkfs, path], check=True, capture_output=True)
        return path

    def _mount(self, *arguments):
        subprocess.run(["mount", *arguments], check=True)
        self.mounts.append(arguments[-1])

    def settle(self):
        """What the test itself has written is there to stay."""
        top = os.open(self.at, os.O_RDONLY)
        LIBC.syncfs(top)
        os.close(top)

    def pull_plug(self):
        self.count += 1
        path = os.path.join(self.carrier, f"cut-{self.count}.img")
        with open(self.image, "rb") as source, open(path, "wb") as target:
            fcntl.ioctl(target, FICLONE, source.fileno())
        return path

    @contextlib.contextmanager
    def plugged_in(self, image):
        """Where what is left is mounted; once for each image."""
        at = tempfile.mkdtemp(prefix="cut-", dir=self.base)
        subprocess.run(["mount", "-o", "loop", image, at], check=True)
        try:
            yield at
        finally:
            subprocess.run(["umount", at], check=True)
            os.unlink(image)

    def close(self):
        for at in reversed(self.mounts):
            if LIBC.umount2(at.encode(), 0) != 0:
                LIBC.umount2(at.encode(), 2)
        os.rmdir(self.base)


def write(path, content, sync):
    with open(path + ".new", "wb") as file:
        file.write(content)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.rename(path + ".new", path)


def sync_folder(path):
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def load(path):
    return json.loads(read(path))


class OnDisk(World):
    """Whose state lies on the disk, which is watched."""

    def __init__(self, disk):
        self.disk = disk
        self.extra_mount = ("--only-mount", disk.at)
        super().__init__()

    def _directory(self, name, mode):
        if name != "root":
            return super()._directory(name, mode)
        path = os.path.join(self.disk.at, name)
        os.mkdir(path, mode)
        return path


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.disk = Disk()
        self.addCleanup(self.disk.close)
        self.cuts = []  # of (image, the states that may be there)
        self.seed = int(os.environ.get("PICKET_SEED", time.time_ns() & 0xFFFF))
        self.dice = random.Random(self.seed)

    def during(self, before, after, step, pause=0.03):
        """Pulls the plug at moments that chance chooses while the step goes on, and once when it has said that it is done."""
        failure = []

        def work():
            try:
                step()
            except BaseException as error:  # is raised below
                failure.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        wait = 0.0  # the first at once: of a few that chance chooses, all may come late
        while thread.is_alive():
            time.sleep(wait)
            wait = self.dice.uniform(0, pause)
            self.cuts.append((self.disk.pull_plug(), (before, after)))
        thread.join()
        if failure:
            raise failure[0]
        self.cuts.append((self.disk.pull_plug(), (after,)))

    def look_at_all(self, look):
        seen = {}
        for number, (image, allowed) in enumerate(self.cuts):
            with self.subTest(cut=number, seed=self.seed), self.disk.plugged_in(image) as root:
                state = look(root, allowed)
                self.assertIn(state, allowed)
                kind = OLD if len(allowed) > 1 and state == allowed[0] else NEW
                seen[kind] = seen.get(kind, 0) + 1
        print(f"\n{self.id().rsplit('.', 1)[-1]}: {len(self.cuts)} cuts, {seen}", file=sys.stderr)
        return seen

    # --- that this finds what it looks for

    def test_a_control_what_is_not_synced_is_torn(self):
        path, other = os.path.join(self.disk.at, "file"), os.path.join(self.disk.at, "other")
        write(path, b"old" * 5000, sync=True)
        for sync in (True, False):
            write(path, b"new" * 5000, sync)
            write(other, b"", sync=True)  # of somebody else
            sync_folder(self.disk.at)
            with self.disk.plugged_in(self.disk.pull_plug()) as root:
                whole = read(os.path.join(root, "file")) in (b"old" * 5000, b"new" * 5000)
            self.assertEqual(whole, sync)

    # --- definitions

    def test_definitions(self):
        host = os.path.join(self.disk.at, "host")
        os.mkdir(host)
        site = Site(root=host)
        self.addCleanup(site.close)

        def publish(number):
            time.sleep(1.1)  # versions are seconds
            site.put("large.hsb", f"{number:064x}:100:T.{number}\n".encode() * 10_000)
            site.put("small.ndb", f"Number.{number}:0:*:{number:08x}\n".encode())
            site.publish()

        def update():
            outcome = site.update()
            self.assertEqual(outcome["status"], "candidate", outcome)

        publish(0)
        self.disk.settle()
        site.start()
        update()
        for number in range(1, UPDATES + 1):
            publish(number)
            self.during(number - 1, number, update)

        def look(root, _):
            site.root = os.path.join(root, "host")
            at = site.current()
            for file in load(os.path.join(at, "manifest.json"))["files"]:
                self.assertEqual(hashlib.sha256(read(os.path.join(at, file["name"]))).hexdigest(), file["sha256"])
            state = int(read(os.path.join(at, "small.ndb")).split(b":")[0].split(b".")[1])
            os.unlink(site.socket_path("definitions"))
            site.start_definitions()
            try:
                outcome = site.update()  # and it goes on
                self.assertIn(outcome["status"], ("candidate", "unchanged"), outcome)
                self.assertIn(f"Number.{UPDATES}:".encode(), site.in_force()["small.ndb"])
            finally:
                site.end("definitions")
            return state

        site.end("definitions")
        self.assertEqual(len(self.look_at_all(look)), 2)

    # --- settings, profiles, the quarantine

    def host(self):
        world = OnDisk(self.disk)
        self.addCleanup(world.close)
        self.disk.settle()
        return world

    def test_settings_and_the_last_good_profile(self):
        world = self.host()
        client = world.rpc()
        self.addCleanup(client.close)

        def change(number):
            client.result("config.set", {"name": "quarantine-retention-days", "value": str(number)})

        def profile(number):
            world.write_profile({"realTimeProtection": {"openDeadlineMs": 9000 + number}})
            wait_for(lambda: client.result("profile.show")["document"]["realTimeProtection"]["openDeadlineMs"] == 9000 + number, "the profile")

        change(0)
        profile(0)
        self.disk.settle()
        for number in range(1, CHANGES + 1):
            self.during(number - 1, number, lambda: change(number))
            self.during(number, number, lambda: profile(number), pause=0.2)

        def look(root, _):
            state = os.path.join(root, "root/var/lib/picket")
            good = json.dumps(load(os.path.join(state, "profile/last-good.json")))
            self.assertTrue(any(f": {9000 + number}" in good for number in range(CHANGES + 1)), good)
            return load(os.path.join(state, "settings.json"))["quarantine"]["retentionDays"]

        self.assertEqual(len(self.look_at_all(look)), 2)

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_a_quarantined_file_is_never_lost(self):
        world = self.host()
        world.write_profile({"quarantine": {"maximumPerMinute": 0}})  # no brake
        folder = os.path.join(self.disk.at, "files")
        os.mkdir(folder)
        sync_folder(self.disk.at)
        contents = {f"file-{number}": eicar() + b" %d " % number + os.urandom(20_000) for number in range(FILES)}

        def bring(name):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(contents[name])
                file.flush()
                os.fsync(file.fileno())
                sync_folder(folder)
                written.add(name)
            wait_for(lambda: name not in os.listdir(folder), "the quarantine")

        written = set()
        for name in contents:
            before = len(written)
            self.during(before, before + 1, lambda: bring(name))
        self.assertEqual(len(written), FILES)

        def look(root, _):
            vault = os.path.join(root, "root/var/lib/picket/quarantine")
            there = {hashlib.sha256(read(os.path.join(root, "files", name))).hexdigest() for name in os.listdir(os.path.join(root, "files"))}
            for name in os.listdir(vault):
                if name.endswith(".json"):
                    entry = load(os.path.join(vault, name))
                    data = os.path.join(vault, name.replace(".json", ".data"))
                    clear = subprocess.run(["openssl", "enc", "-d", "-aes-256-ctr", "-K", entry["key"], "-iv", entry["counter"], "-in", data],
                                           stdout=subprocess.PIPE, check=True).stdout
                    self.assertEqual(hashlib.sha256(clear).hexdigest(), entry["sha256"])
                    there.add(entry["sha256"])
            with contextlib.closing(sqlite3.connect(os.path.join(root, "root/var/lib/picket/state.db"))) as database:
                self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            found = [hashlib.sha256(content).hexdigest() in there for content in contents.values()]
            self.assertEqual(found, sorted(found, reverse=True))  # the first ones, none between them is missing
            return sum(found)

        self.look_at_all(look)

    # --- picket-installer

    @unittest.skipUnless(DEB, "there is no package to try: ./dev package makes it")
    def test_the_installer_s_journal(self):
        image = os.path.join(self.disk.at, "image")
        self.unpack(image)
        package = os.path.join(self.disk.base, "acme.zip")
        for order in (("init", "--org", "Acme", "--region", "eu"), ("create", "-o", package)):
            run(os.path.join(PROGRAMS, "picket-onboarding"), *order, "--directory", os.path.join(self.disk.base, "organisation"))

        def installer(*order, root=image):
            return json.loads(run(os.path.join(PROGRAMS, "picket-installer"), *order, "--root", root, "--output", "json"))

        def onboard(number, **where):
            return installer("onboard", package, "--tag", f"number={number}", **where)

        installer("install", "--onboarding", package, "--tag", "number=1")
        self.disk.settle()
        for number in range(1, ORDERS + 1):  # the tags stay when the organisation goes
            self.during(number, -number, lambda: installer("offboard"), pause=0.08)
            self.during(-number, number + 1, lambda: onboard(number + 1), pause=0.08)

        def look(root, allowed):
            root = os.path.join(root, "image")
            status = installer("status", root=root)["after"]
            last = allowed[-1]
            # What was begun and is not over is made whole by the next run; what was said to be done stays as it is.
            report = onboard(abs(last), root=root)
            if allowed == (last,):
                self.assertEqual(report["changed"], last < 0, report)
            self.assertFalse(os.path.exists(os.path.join(root, "var/lib/picket/install/journal.json")))
            for file in load(os.path.join(root, "var/lib/picket/install/receipt.json"))["files"]:
                self.assertEqual(hashlib.sha256(read(root + file["path"])).hexdigest(), file["sha256"], file)
            if status["interrupted_run"]:
                return allowed[0]
            number = int(status["tags"]["number"])
            return number if status["onboarded"] else -number

        self.look_at_all(look)

    @staticmethod
    def unpack(image):
        """As dpkg leaves it; the scripts of a package would act on this machine."""
        records = os.path.join(image, "var/lib/dpkg")
        os.makedirs(os.path.join(records, "info"))
        os.makedirs(os.path.join(image, "etc"))
        shutil.copy("/etc/os-release", os.path.join(image, "etc"))
        run("dpkg-deb", "-x", DEB, image)
        first, rest = run("dpkg-deb", "-f", DEB).split("\n", 1)
        with open(os.path.join(records, "status"), "w", encoding="utf-8") as file:
            file.write(f"{first}\nStatus: install ok installed\n{rest}\n")
        with open(os.path.join(records, "info/picket.list"), "w", encoding="utf-8") as file:
            file.writelines(line.split()[-1][1:] + "\n" for line in run("dpkg-deb", "-c", DEB).splitlines())


if __name__ == "__main__":
    unittest.main()
