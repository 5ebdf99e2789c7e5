#!/usr/bin/env python3
"""The quarantine end to end: what it refuses to take, what comes back, and what goes for good."""

import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import unittest

from picket_world import PROGRAMS, World, eicar, wait_for

OWNER = 54321
OLD = "2020-01-01T00:00:00.000Z"


class PackagedWorld(World):
    """With a dpkg database in which one file of the watched place is recorded."""

    CONTENT = eicar() + b" as the package brought it"

    def start_gate(self):
        info = os.path.join(self.root, "var/lib/dpkg/info")
        if not os.path.exists(info):
            os.makedirs(info)
            path = self.path("packaged")
            self._record(info, "fake.md5sums", f"{hashlib.md5(self.CONTENT).hexdigest()}  {path[1:]}\n")
            self._record(info, "fake.list", f"/.\n{path}\n")
        super().start_gate()

    @staticmethod
    def _record(directory, name, text):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(os.path.join(directory, name), 0o644)


class Quarantine(unittest.TestCase):
    def setUp(self):
        self.world = PackagedWorld()
        self.client = self.world.rpc()

    def tearDown(self):
        self.client.close()
        self.world.close()

    def picket(self, *arguments):
        return subprocess.run([os.path.join(PROGRAMS, "picket"), *arguments, "--socket", self.world.socket_path("control")],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, text=True)

    def items(self):
        return self.client.result("quarantine.list")["items"]

    def gone(self, name):
        wait_for(lambda: not os.path.exists(self.world.path(name)), "quarantine of " + name)

    def status_of(self, name):
        found = [t for t in self.client.result("threat.list")["threats"] if t["path"] == self.world.path(name)]
        return found[0]["status"] if found else None

    def set_profile(self, document):
        before = self.world.health()["profile_generation"]
        self.world.write_profile(document)
        wait_for(lambda: self.world.health()["profile_generation"] != before, "the profile")

    def issues(self):
        return [issue["name"] for issue in self.world.health()["health_issues"]]

    def restart_gate(self):
        self.client.close()
        self.world.end("gate", signal.SIGTERM)
        self.world.start_gate()
        self.world.wait_protected()
        self.client = self.world.rpc()

    def refused(self, reason):
        return [event["path"] for event in self.world.events("quarantine.refused") if event["reason"] == reason]

    def selftest(self, name):
        path = self.world.path(name)
        with open(path, "wb", buffering=0) as writer:
            reader = os.open(path, os.O_RDONLY)
            self.client.result("selftest.begin", {}, [reader])
            os.close(reader)
            writer.write(eicar())
            self.assertEqual(self.world.open_errno(path), errno.EPERM)
        self.gone(name)
        wait_for(lambda: self.client.result("selftest.result")["quarantined"], "the result")

    def test_the_brake_trips_and_holds_until_it_is_released(self):
        self.set_profile({"quarantine": {"maximumPerMinute": 3}})
        for i in range(3):
            self.selftest(f"selftest{i}")  # never counted
        for i in range(7):
            self.world.write(f"bad{i}", eicar() + b" number %d" % i)
        wait_for(lambda: len(set(self.refused("brake"))) == 4, "four refusals")
        left = [f"bad{i}" for i in range(7) if os.path.exists(self.world.path(f"bad{i}"))]
        self.assertEqual(len(left), 4)
        wait_for(lambda: len(self.items()) == 3, "the end of the self-tests' copies")
        self.assertEqual(len(self.world.events("quarantine.brake_engaged")), 1)
        for name in left:
            self.assertEqual(self.world.open_errno(self.world.path(name)), errno.EPERM)
            wait_for(lambda: self.status_of(name) == "blocked", "the status")
        self.assertIn("quarantine_brake", self.issues())
        self.assertEqual(self.world.health()["statistics"]["refused_by_brake"], len(self.refused("brake")))
        self.selftest("again")

        self.restart_gate()
        self.assertIn("quarantine_brake", self.issues())
        self.assertEqual(self.picket("threat", "quarantine", "resume").stdout, "what is found is moved into the quarantine again\n")
        self.assertNotIn("quarantine_brake", self.issues())
        self.assertEqual(self.picket("threat", "quarantine", "resume").stdout, "nothing to change\n")
        self.assertEqual(self.world.open_errno(self.world.path(left[0])), errno.EPERM)
        self.gone(left[0])
        self.assertEqual([event["reason"] for event in self.world.events("quarantine.brake_released")], ["administrator"])

    def test_an_unchanged_file_of_a_package_is_denied_and_stays(self):
        path = self.world.path("packaged")
        self.world.write("packaged", PackagedWorld.CONTENT)
        wait_for(lambda: set(self.refused("package_file")) == {path}, "the refusal")
        self.assertEqual(self.world.open_errno(path), errno.EPERM)
        self.assertTrue(os.path.exists(path))
        self.assertEqual(self.status_of("packaged"), "blocked")
        self.assertEqual(self.items(), [])
        self.assertEqual(self.world.health()["statistics"]["refused_package_files"], len(self.refused("package_file")))
        os.unlink(path)
        self.world.write("packaged", PackagedWorld.CONTENT + b", changed")
        self.gone("packaged")
        wait_for(lambda: [item["path"] for item in self.items()] == [path], "the vault's entry")

    def take(self, name, content, mode, modified_ns):
        with open(self.world.path(name), "wb", buffering=0) as file:
            file.write(content)
            os.fchown(file.fileno(), OWNER, OWNER)
            os.fchmod(file.fileno(), mode)
            os.utime(file.fileno(), ns=(modified_ns, modified_ns))
        self.gone(name)

    def test_all_that_one_generation_took_comes_back_as_it_was(self):
        taken = {}
        for i, mode in enumerate((0o600, 0o644, 0o755)):
            name = f"taken{i}"
            taken[name] = (eicar() + os.urandom(100_000 * i), mode, 1_600_000_000_123_456_789 + i)
            self.take(name, *taken[name])
        target = self.world._definitions("g2")
        with open(os.path.join(target, "more.ndb"), "w", encoding="ascii") as file:
            file.write("Picket.Test.Marker:0:*:" + b"picket-test-marker-7c1f".hex() + "\n")
        wait_for(lambda: self.world.health()["definitions_version"] == "g2", "the new generation")
        self.take("newer", b"picket-test-marker-7c1f", 0o644, 1)

        restore = ["threat", "quarantine", "restore", "--definitions", "g1", "--output", "json"]
        wait_for(lambda: len(self.items()) == 4, "four entries")
        dry = json.loads(self.picket(*restore, "--dry-run").stdout)["data"]
        self.assertEqual(sorted(item["path"] for item in dry["items"]), sorted(map(self.world.path, taken)))
        self.assertEqual(len(self.items()), 4)
        answer = self.picket(*restore)
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertEqual(json.loads(answer.stdout)["data"]["restored"], 3)
        for name, (content, mode, modified) in taken.items():
            path = self.world.path(name)
            status = os.stat(path)
            self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777, status.st_mtime_ns),
                             (OWNER, OWNER, mode, modified))
            self.assertEqual(self.world.open_errno(path), 0)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), content)
        self.assertEqual([item["definitions"] for item in self.items()], ["g2"])

        with open(self.world.path("newer"), "wb") as file:
            file.write(b"the user's new file")
        answer = self.picket("threat", "quarantine", "restore", "--all", "--output", "json")
        self.assertEqual(answer.returncode, 1)
        self.assertEqual(json.loads(answer.stdout)["data"]["items"][0]["status"], "failed")
        with open(self.world.path("newer"), "rb") as file:
            self.assertEqual(file.read(), b"the user's new file")

    def test_copies_that_are_too_old_are_destroyed(self):
        for name in ("old", "young"):
            self.world.write(name, eicar() + name.encode())
            self.gone(name)
        wait_for(lambda: len(self.items()) == 2, "the entries")
        old = [item["quarantine_id"] for item in self.items() if item["path"] == self.world.path("old")][0]
        vault = os.path.join(self.world.root, "var/lib/picket/quarantine")
        document = os.path.join(vault, old + ".json")
        with open(document, "r+", encoding="utf-8") as file:
            text = re.sub(r'("quarantined": )"[^"]*"', rf'\1"{OLD}"', file.read())
            file.seek(0)
            file.truncate()
            file.write(text)
        self.set_profile({"quarantine": {"retentionDays": 0}})
        self.set_profile({"quarantine": {"retentionDays": 30}})
        events = wait_for(lambda: self.world.events("quarantine.expired"), "the event")
        self.assertEqual([event["path"] for event in events], [self.world.path("old")])
        self.assertEqual([item["path"] for item in self.items()], [self.world.path("young")])
        self.assertFalse([name for name in os.listdir(vault) if name.startswith(old)])

    def test_an_administrator_moves_and_destroys_by_hand(self):
        self.world.write("unwanted", b"harmless, and not wanted here")
        answer = self.picket("threat", "quarantine", "add", "--path", self.world.path("unwanted"), "--output", "json")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        self.assertFalse(os.path.exists(self.world.path("unwanted")))
        self.assertEqual([(item["path"], item["threat_name"]) for item in self.items()],
                         [(self.world.path("unwanted"), "Manual")])
        self.assertEqual(self.status_of("unwanted"), "quarantined")
        identity = json.loads(answer.stdout)["data"]["quarantine_id"]
        self.assertEqual(self.picket("threat", "quarantine", "remove", "--id", identity).returncode, 0)
        self.assertEqual(self.items(), [])
        self.assertEqual(self.picket("threat", "quarantine", "remove", "--id", identity).returncode, 1)
        self.assertEqual(len(self.world.events("quarantine.removed")), 1)
        self.assertEqual(self.picket("threat", "quarantine", "add", "--path", self.world.watched).returncode, 2)

    def test_the_threat_policy_is_local_unless_it_is_managed(self):
        policy = ["threat", "policy", "set", "--type", "archive_bomb", "--action"]
        self.assertEqual(self.picket(*policy, "block").stdout, "policy set\n")
        self.assertEqual(self.picket(*policy, "block").stdout, "nothing to change\n")
        listed = {row["type"]: (row["action"], row["source"])
                  for row in self.client.result("threat.policy.list")["threat_policy"]}
        self.assertEqual(listed, {"archive_bomb": ("block", "local"), "potentially_unwanted_application": ("audit", "default")})
        self.set_profile({"antivirusEngine": {"threatTypeSettings": [{"key": "archive_bomb", "value": "audit"}]}})
        self.assertEqual(self.picket(*policy, "off").returncode, 5)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    unittest.main(verbosity=2)
