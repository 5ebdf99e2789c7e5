#!/usr/bin/env python3
"""Exclusions with an end: in force until then and not longer, on record, warned of before; and what the advisor says."""

import datetime
import json
import os
import subprocess
import sys
import time
import unittest

from picket_world import PROGRAMS, World, eicar, wait_for


def moment(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Exclusions(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def picket(self, *arguments):
        return subprocess.run([os.path.join(PROGRAMS, "picket"), "--socket", self.world.socket_path("control"), *arguments],
                              capture_output=True, text=True, timeout=120, check=False)

    def data(self, *arguments):
        done = self.picket(*arguments, "--output", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["data"]

    def folder(self, name, mode=0o755):
        path = self.world.path(name)
        os.makedirs(path)
        os.chmod(path, mode)
        return path

    def test_an_exclusion_ends_by_itself_and_an_event_says_so(self):
        path = self.folder("free")
        self.world.write_profile({"realTimeProtection": {"quarantine": "disabled"}})
        wait_for(lambda: self.world.events("profile.changed"), "the profile")
        done = self.picket("exclusion", "folder", "add", "--path", path, "--reason", "a build", "--owner", "ann",
                           "--expires", moment(6))
        self.assertEqual((done.returncode, done.stdout), (0, "exclusion added\n"), done.stderr)
        self.world.write("free/x", eicar())
        self.assertEqual(self.world.open_errno(path + "/x"), 0)
        row = self.data("exclusion", "list")["exclusions"][0]
        self.assertEqual((row["status"], row["reason"], row["owner"], row["source"]), ("in_force", "a build", "ann", "local"))
        table = self.picket("exclusion", "list", "--output", "table").stdout
        for word in ("in_force", "ann", "a build", "ENDS"):
            self.assertIn(word, table)
        warning = self.world.health()["health_warnings"][0]
        self.assertEqual(warning["name"], "exclusion_expires_soon")
        self.assertIn("owner ann; reason: a build", warning["message"])
        self.assertTrue(self.world.health()["healthy"] or not any(
            issue["name"] == "exclusion_expires_soon" for issue in self.world.health()["health_issues"]))
        self.assertIn("exclusion_expires_soon", self.picket("health").stdout)

        wait_for(lambda: self.world.events("exclusion.expired"), "the event")
        event, = self.world.events("exclusion.expired")
        self.assertIn(f"the exclusion of folder {path} (owner ann; reason: a build) has expired", event["message"])
        self.assertEqual(self.world.open_errno(path + "/x"), 1)
        self.assertEqual(self.data("exclusion", "list")["exclusions"][0]["status"], "expired")
        self.assertEqual(self.world.health()["health_warnings"], [])
        advice = self.data("exclusion", "advise")["advice"][0]
        self.assertEqual((advice["advice"], advice["command"]), ("expired", f"picket exclusion folder remove --path {path}"))
        # Once: not again at the next start, and put in force again only on purpose.
        self.world.end("gate", 15)
        self.world.start_gate()
        self.world.wait_protected()
        self.assertEqual(len(self.world.events("exclusion.expired")), 1)
        self.assertEqual(self.world.open_errno(path + "/x"), 1)
        self.assertEqual(self.picket("exclusion", "folder", "add", "--path", path).returncode, 0)
        self.assertEqual(self.world.open_errno(path + "/x"), 0)

    def test_what_expired_while_the_daemon_was_away_is_told_at_its_start(self):
        path = self.folder("free")
        self.assertEqual(self.picket("exclusion", "folder", "add", "--path", path, "--expires", moment(3)).returncode, 0)
        self.world.end("gate", 15)
        time.sleep(4)
        self.world.start_gate()
        wait_for(lambda: self.world.events("exclusion.expired"), "the event")
        self.assertEqual(self.data("exclusion", "list")["exclusions"][0]["status"], "expired")

    def test_a_wrong_end_is_refused_with_what_would_be_right(self):
        for end, word in (("yesterday", "90d"), ("2020-01-01", "is over"), ("2027-02-30", "must be a day")):
            done = self.picket("exclusion", "name", "add", "--name", "x", "--expires", end)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stderr)
        self.assertEqual(self.data("exclusion", "list")["exclusions"], [])

    def test_a_dangerous_exclusion_is_warned_of_and_stays_on_the_advisors_list(self):
        anybody = self.folder("upload", 0o777)
        done = self.picket("exclusion", "folder", "add", "--path", anybody, "--expires", "30d")
        self.assertEqual(done.returncode, 0)
        self.assertIn("warning: the folder " + anybody + " may be written to by others", done.stderr)
        done = self.picket("exclusion", "process", "add", "--path", "/bin/bash")
        self.assertIn("starts whatever it is told to", done.stderr)
        self.assertEqual(self.picket("exclusion", "folder", "add", "--path", self.folder("own")).stderr, "")
        risks = {row["value"]: row["why"] for row in self.data("exclusion", "advise")["advice"] if row["advice"] == "risk"}
        self.assertEqual(set(risks), {anybody, "/bin/bash"})
        for path in ("/", "/tmp", "/home"):
            self.assertNotEqual(self.picket("exclusion", "folder", "add", "--path", path).returncode, 0)

    def test_the_advisor_proposes_what_costs_most_and_leaves_a_shell_alone(self):
        path = self.folder("busy")
        for number in range(8):
            self.world.write(f"busy/{number}", b"x" * 100)
            os.chmod(f"{path}/{number}", 0o666)  # else the kernel need not ask about it any more
        script = f"i=0; while [ $i -lt 3000 ]; do read -r _ < {path}/$((i % 8)); i=$((i + 1)); done"
        subprocess.run(["/bin/sh", "-c", script], check=False, timeout=120)
        advice = {(row["advice"], row["type"]): row for row in self.data("exclusion", "advise")["advice"]}
        self.assertEqual(advice[("exclude", "folder")]["value"], path)
        self.assertIn(f"picket exclusion folder add --path {path} --reason", advice[("exclude", "folder")]["command"])
        self.assertIn("starts whatever it is told to", advice[("refrain", "process")]["why"])
        self.assertIn("refrain", self.picket("exclusion", "advise", "--output", "table").stdout)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    unittest.main(verbosity=2)
