#!/usr/bin/env python3
"""A build that comes to its end: the real daemon, stamped with another day; the machine's clock stays as it is."""

import calendar
import contextlib
import datetime
import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

from picket_world import PROGRAMS, World, eicar, wait_for

STAMP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../packages/stamp.py")


def end_of(built):
    """Nine months later; the last day of a month that has no such day."""
    month = built.month + 9
    year, month = (built.year + 1, month - 12) if month > 12 else (built.year, month)
    return built.replace(year=year, month=month, day=min(built.day, calendar.monthrange(year, month)[1]))


def built_for(days_left):
    """The day of a build that has about so many days left: at most three fewer, because months differ."""
    wanted = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=days_left)
    return max(day for day in (wanted - datetime.timedelta(days=back) for back in range(270, 283)) if end_of(day) <= wanted)


class OtherDay(World):
    """Its picketd was built on that day. The host belongs to an organisation, so that it can be healthy."""

    def __init__(self, built):
        self.folder = tempfile.mkdtemp()
        self.program = os.path.join(self.folder, "picketd")
        self.stamp(built)
        try:
            super().__init__()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def stamp(self, built):
        moment = datetime.datetime.combine(built, datetime.time(), datetime.timezone.utc)
        new = self.program + ".new"
        subprocess.run([sys.executable, STAMP, os.path.join(PROGRAMS, "picketd"), new, "--built-at", str(int(moment.timestamp()))],
                       check=True)
        os.rename(new, self.program)

    def spawn(self, name, program, *arguments):
        return super().spawn(name, self.program if program == "picketd" else program, *arguments)

    def write_root(self, path, document):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)

    def close(self):
        super().close()
        shutil.rmtree(self.folder)

    def metric(self, name):
        try:
            with open(os.path.join(self.root, "var/lib/picket/metrics/picket.prom"), encoding="utf-8") as file:
                return dict(line.rsplit(" ", 1) for line in file.read().splitlines() if not line.startswith("#"))[name]
        except FileNotFoundError:
            return None

    def restart(self):
        """Comes back when the new daemon has looked at its end: it does so before it writes its first metrics."""
        path = os.path.join(self.root, "var/lib/picket/metrics/picket.prom")
        wait_for(lambda: os.path.exists(path), "the metrics")
        self.end("gate", 15)
        os.unlink(path)
        self.start_gate()
        self.wait_protected()
        wait_for(lambda: os.path.exists(path), "the metrics of the new daemon")


class Expiry(unittest.TestCase):
    maxDiff = None

    def begin(self, days_left):
        self.world = OtherDay(built_for(days_left))
        self.addCleanup(self.world.close)
        self.world.write_root("etc/picket/onboarding.json", {"organisation": {"id": "o", "name": "Acme"}})
        wait_for(lambda: self.issues() in ([], ["build_expired"]), lambda: f"a host with nothing else amiss: {self.issues()}")

    def picket(self, *arguments):
        return subprocess.run([os.path.join(PROGRAMS, "picket"), "--socket", self.world.socket_path("control"), *arguments],
                              capture_output=True, text=True, timeout=120, check=False)

    def issues(self):
        """Without that of another Picket, of a throw-away host on this machine."""
        names = [issue["name"] for issue in self.world.health()["health_issues"]]
        return [name for name in names if name != "conflicting_product"]

    def assert_healthy(self):
        self.assertEqual(self.issues(), [])
        health = self.world.health()
        self.assertEqual(health["healthy"], not health["health_issues"])

    def warnings(self):
        return [warning["name"] for warning in self.world.health()["health_warnings"]]

    def told(self):
        """Every event about the end: (type, days left)."""
        return [(event["type"], event.get("count", 0)) for event in self.world.events() if event["type"].startswith("build.")]

    def malware_is_denied(self):
        writer = self.world.write("eicar", eicar(), close=False)
        self.assertEqual(self.world.open_errno(self.world.path("eicar")), errno.EPERM)
        writer.close()

    def test_from_thirty_days_before_health_warns_and_an_event_tells_it_once(self):
        self.begin(20)
        health = self.world.health()
        days = health["product_expiration_days"]
        self.assertIn(days, range(15, 21))
        end = datetime.datetime.fromisoformat(health["product_expiration"].replace("Z", "+00:00"))
        self.assertEqual(end.date(), end_of(built_for(20)))
        self.assertEqual(self.warnings(), ["build_expires_soon"])
        self.assert_healthy()
        self.assertIn(f"days left: {days}", health["health_warnings"][0]["message"])
        wait_for(self.told, "the event")
        self.assertEqual(self.told(), [("build.expires_soon", days)])
        wait_for(lambda: self.world.metric("picket_build_days_left") == str(days), "the metric")

        done = self.picket("health")
        self.assertIn(done.returncode, (0, 1))
        self.assertRegex(done.stdout, rf"(?m)^product_expiration_days +: {days}$")
        self.assertIn("build_expires_soon", done.stdout)
        self.assertIn(f"{end.date()}", self.picket("health", "--output", "table").stdout)
        self.assertEqual(json.loads(self.picket("version", "--output", "json").stdout)["data"]["product_expiration_days"], days)

        self.world.restart()
        self.assertEqual(len(self.told()), 1)
        # The profile moves the warning, at once.
        self.world.write_profile({"product": {"expirationWarningDays": 10}})
        wait_for(lambda: not self.warnings(), "the end of the warning")
        # Another build, another end.
        self.world.stamp(built_for(7))
        self.world.restart()
        self.assertEqual([event[0] for event in self.told()], ["build.expires_soon"] * 2)
        self.assertEqual(self.warnings(), ["build_expires_soon"])

    def test_past_its_end_it_protects_and_health_is_red(self):
        self.begin(-5)
        health = self.world.health()
        self.assertEqual((health["healthy"], self.issues(), health["product_expiration_days"]), (False, ["build_expired"], 0))
        self.assertEqual((health["enforcement_level"], health["real_time_protection_active"]), ("real_time", True))
        self.malware_is_denied()
        wait_for(self.told, "the event")
        self.assertEqual(self.told(), [("build.expired", 0)])
        wait_for(lambda: self.world.metric("picket_build_days_left") == "0", "the metric")
        self.assertEqual(self.world.metric('picket_health_issue{name="build_expired"}'), "1")
        self.assertEqual(self.picket("health").returncode, 1)

        self.world.restart()
        self.assertEqual(self.told(), [("build.expired", 0)])
        self.malware_is_denied()
        # Where the profile says so it warns only.
        self.world.write_profile({"product": {"afterExpiration": "warning"}})
        wait_for(lambda: self.warnings() == ["build_expired"], "the warning")
        self.assert_healthy()
        self.malware_is_denied()

    def test_a_clock_behind_counts_as_what_has_passed_for_certain(self):
        self.begin(200)
        self.assertEqual((self.warnings(), self.told()), ([], []))
        # As if the clock stood before the day on which the definitions were signed.
        signed = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=190)
        self.world.write_root("var/lib/picket/definitions/mirror.json",
                              {"accepted": {"issued": signed.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "expires": "2100-01-01T00:00:00.000Z"}})
        self.world.restart()
        self.assertEqual((self.issues(), self.warnings()), (["clock"], ["build_expires_soon"]))
        self.assertIn(self.world.health()["product_expiration_days"], range(7, 11))
        # As if it stood before the day of the build.
        os.unlink(os.path.join(self.world.root, "var/lib/picket/definitions/mirror.json"))
        self.world.stamp(datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=3))
        self.world.restart()
        self.assertEqual((self.issues(), self.warnings()), (["clock"], []))
        self.assertIn(self.world.health()["product_expiration_days"], range(270, 277))

    def test_the_time_that_it_ran_is_kept(self):
        self.begin(200)

        def ran():
            with contextlib.closing(sqlite3.connect(os.path.join(self.world.root, "var/lib/picket/state.db"))) as database:
                (value,), = database.execute("SELECT value FROM facts WHERE CAST(key AS TEXT) = 'value:build.ran_seconds'")
            return int((value.decode() if isinstance(value, bytes) else value).split()[1])

        self.world.restart()
        first = ran()  # of the daemon before: it wrote that when it ended
        time.sleep(2)
        self.world.restart()
        self.assertGreaterEqual(ran(), first + 2)

    def test_the_installer_warns_of_a_program_near_its_end(self):
        with tempfile.TemporaryDirectory() as folder:
            for days_left, status, word in ((60, "pass", "expires"), (20, "warn", "expires"), (-5, "warn", "expired")):
                program = os.path.join(folder, "picket-installer")
                moment = datetime.datetime.combine(built_for(days_left), datetime.time(), datetime.timezone.utc)
                subprocess.run([sys.executable, STAMP, os.path.join(PROGRAMS, "picket-installer"), program, "--built-at",
                                str(int(moment.timestamp()))], check=True)
                os.makedirs(os.path.join(folder, "root"), exist_ok=True)
                done = subprocess.run([program, "check", "--root", os.path.join(folder, "root"), "--output", "json"],
                                      capture_output=True, text=True, timeout=120, check=False)
                check, = (each for each in json.loads(done.stdout)["checks"] if each["id"] == "bundle.expiry")
                self.assertEqual((check["status"], bool(check["fix"])), (status, status == "warn"), done.stdout)
                self.assertIn(word, check["observed"])


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    unittest.main(verbosity=2)
