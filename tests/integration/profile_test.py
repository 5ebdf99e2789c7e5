#!/usr/bin/env python3
"""Profiles on a running host: in force at once, refused with a place, held against local changes, and on record."""

import json
import os
import subprocess
import sys
import time
import unittest

from picket_world import PROGRAMS, World, wait_for

WITHIN = 1.0  # seconds from the file's landing to its being in force


class Gate(World):
    """Without an engine: a profile is in force whether or not there is one."""

    def start_engine(self, workers=2):
        pass

    def wait_protected(self):
        return wait_for(self.health, "health")


class Profiles(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.world = Gate()
        self.addCleanup(self.world.close)

    def picket(self, *arguments):
        return subprocess.run([os.path.join(PROGRAMS, "picket"), "--socket", self.world.socket_path("control"), *arguments],
                              capture_output=True, text=True, timeout=120, check=False)

    def managed(self, name):
        return os.path.join(self.world.root, "etc/picket/managed.d", name)

    def author(self, name, text):
        path = self.world.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def set_level(self, level):
        self.world.write_profile({"antivirusEngine": {"enforcementLevel": level}})
        wait_for(lambda: self.world.health()["enforcement_level"] == level, "the level " + level)

    def weakened(self, reason):
        return [event for event in self.world.events("protection.weakened") if event["reason"] == reason]

    # --- in force

    def test_a_file_is_in_force_within_a_second_of_its_landing_and_gone_within_another(self):
        gate = self.world.processes["gate"].pid
        for step in range(6):
            level = ("audit", "real_time")[step % 2]
            landed = time.monotonic()
            self.world.write_profile({"antivirusEngine": {"enforcementLevel": level}})
            wait_for(lambda level=level: self.world.health()["enforcement_level"] == level, "the level", WITHIN)
            self.assertLess(time.monotonic() - landed, WITHIN)
        self.set_level("audit")
        os.unlink(self.managed("50-test.json"))
        wait_for(lambda: self.world.health()["enforcement_level"] == "real_time", "the removal", WITHIN)
        self.assertEqual(self.world.processes["gate"].pid, gate)
        self.assertIsNone(self.world.processes["gate"].poll())

    def test_a_set_that_is_being_copied_counts_as_a_whole(self):
        changes = len(self.world.events("profile.changed"))
        for number in range(20):
            self.world.write_profile({"engine": {"workers": 1 + number % 3}}, f"{60 + number}-part.json")
            time.sleep(0.01)
        wait_for(lambda: len(self.world.health()["profile_sources"]) == 21, "the whole set")
        self.assertLessEqual(len(self.world.events("profile.changed")) - changes, 2)

    def test_a_bad_file_leaves_the_last_good_one_and_health_says_where_also_after_a_restart(self):
        self.set_level("audit")
        with open(self.managed(".bad"), "w", encoding="utf-8") as file:
            file.write('{\n  "antivirusEngine": {\n    "enforcementLevl": "passive"\n  }\n}\n')
        os.chmod(self.managed(".bad"), 0o644)
        os.rename(self.managed(".bad"), self.managed("70-bad.json"))

        def refused():
            health = self.world.health()
            return health if health["profile_status"] == "last_good" else None

        for _ in range(2):
            health = wait_for(refused, "the refusal")
            self.assertEqual(health["enforcement_level"], "audit")
            self.assertFalse(health["healthy"])
            issue = [issue for issue in health["health_issues"] if issue["name"] == "profile_refused"][0]
            self.assertIn(self.managed("70-bad.json") + ":3:5: antivirusEngine.enforcementLevl: no such key", json.dumps(issue))
            self.assertIn("did you mean enforcementLevel?", json.dumps(issue))
            self.world.end("gate", 15)
            self.world.start_gate()
        self.assertTrue(self.world.events("profile.refused"))
        os.rename(self.managed("70-bad.json"), self.managed("70-bad.json.off"))
        wait_for(lambda: self.world.health()["profile_status"] == "in_force", "the mended set")

    # --- layers

    def refused(self, *arguments):
        done = self.picket(*arguments)
        self.assertEqual(done.returncode, 5, (arguments, done.stdout, done.stderr))
        self.assertIn(self.managed("50-test.json"), done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_what_is_managed_cannot_be_changed_locally_and_the_file_is_named(self):
        excluded = self.world.path("managed")
        self.world.write_profile({
            "antivirusEngine": {
                "enforcementLevel": "real_time", "scanArchives": True, "allowedThreats": ["Managed-Threat"],
                "threatTypeSettings": [{"key": "archive_bomb", "value": "block"}],
                "exclusions": [{"$type": "excludedPath", "path": excluded, "isDirectory": True}]},
            "logging": {"level": "info"}})
        wait_for(lambda: self.managed("50-test.json") in self.world.health()["profile_sources"], "the profile")
        self.refused("config", "enforcement-level", "--value", "passive")
        self.refused("config", "passive-mode", "--value", "enabled")
        self.refused("config", "real-time-protection", "--value", "disabled")
        self.refused("config", "scan-archives", "--value", "disabled")
        self.refused("log", "level", "set", "--level", "debug")
        self.refused("exclusion", "folder", "remove", "--path", excluded)
        self.refused("threat", "allowed", "remove", "--name", "Managed-Threat")
        self.refused("threat", "policy", "set", "--type", "archive_bomb", "--action", "off")
        # What the profile leaves open is still the host's.
        self.assertEqual(self.picket("exclusion", "extension", "add", "--name", "iso").returncode, 0)
        listed = json.loads(self.picket("exclusion", "list", "--output", "json").stdout)["data"]["exclusions"]
        self.assertEqual({entry["value"]: entry["source"] for entry in listed},
                         {excluded: self.managed("50-test.json"), "iso": "local"})
        # The strict policies: local elements do not count, and none can be added.
        self.world.write_profile({
            "antivirusEngine": {"disallowedThreatActions": ["allow"], "threatTypeSettingsMergePolicy": "admin_only"},
            "exclusionSettings": {"mergePolicy": "admin_only"}})
        wait_for(lambda: not json.loads(self.picket("exclusion", "list", "--output", "json").stdout)["data"]["exclusions"],
                 "the end of the local exclusion")
        self.refused("exclusion", "folder", "add", "--path", self.world.path("other"))
        self.refused("threat", "allowed", "add", "--name", "Some-Threat")
        self.refused("threat", "policy", "set", "--type", "archive_bomb", "--action", "off")

    # --- on record

    def test_whatever_weakens_protection_is_an_event_that_names_whose_word_it_is(self):
        settings = os.path.join(self.world.root, "var/lib/picket/settings.json")
        self.assertEqual(self.picket("exclusion", "folder", "add", "--path", self.world.path("free")).returncode, 0)
        local = wait_for(lambda: self.weakened("exclusion"), "the event of the exclusion")[0]
        self.assertEqual((local["uid"], local["path"]), (0, settings))
        self.assertGreater(local["pid"], 0)
        self.assertIn("new exclusion: folder " + self.world.path("free"), local["message"])
        self.assertIn("uid 0", local["message"])
        self.picket("config", "scan-archives", "--value", "disabled")
        self.assertEqual(wait_for(lambda: self.weakened("scan_archives"), "archives")[0]["uid"], 0)
        self.picket("threat", "policy", "set", "--type", "archive_bomb", "--action", "off")
        self.assertEqual(wait_for(lambda: self.weakened("threat_type"), "the policy")[0]["path"], settings)
        self.world.write_profile({"antivirusEngine": {"scheduledScan": "enabled", "enforcementLevel": "passive"},
                                  "realTimeProtection": {"openFailureAction": "deny"}})
        level = wait_for(lambda: self.weakened("enforcement_level"), "the level")[0]
        self.assertEqual(level["path"], self.managed("50-test.json"))
        self.assertNotIn("uid", level)
        self.assertIn("lowered from real_time to passive", level["message"])
        os.unlink(self.managed("50-test.json"))
        for reason in ("failure_action", "scheduled_scan"):
            event = wait_for(lambda reason=reason: self.weakened(reason), reason)[0]
            self.assertEqual(event["path"], self.managed("50-test.json"))
            self.assertIn("50-test.json no longer says otherwise", event["message"])
        self.assertEqual(len(self.weakened("enforcement_level")), 1)

    def test_what_changed_while_the_daemon_was_not_running_is_an_event_at_its_start(self):
        self.world.end("gate", 15)
        settings = os.path.join(self.world.root, "var/lib/picket/settings.json")
        with open(settings, "w", encoding="utf-8") as file:
            json.dump({"schema": 1, "antivirusEngine": {"scanArchives": False}}, file)
        os.chmod(settings, 0o600)
        for _ in range(2):  # and once only
            self.world.start_gate()
            event = wait_for(lambda: self.weakened("scan_archives"), "the event")
            self.assertEqual(len(event), 1)
            self.assertEqual(event[0]["path"], settings)
            self.assertNotIn("uid", event[0])
            self.world.end("gate", 15)
        self.world.start_gate()

    # --- authored files

    def test_an_authored_file_is_rendered_lands_and_is_in_force(self):
        self.author("site/base/common.yaml", "extends: database-host\nlogging: {level: warning}\n")
        site = self.author("site/web.yaml",
                           "# the web servers of this site\n"
                           "extends: ./base/common.yaml\n"
                           "antivirusEngine:\n"
                           "  exclusions:\n"
                           "    - &folder {$type: excludedPath, isDirectory: true, path: /srv/a}\n"
                           "    - {<<: *folder, path: /srv/b}\n")
        self.assertEqual(self.picket("profile", "validate", site).stdout, site + ": valid\n")
        rendered = self.picket("profile", "render", site)
        self.assertEqual(rendered.returncode, 0, rendered.stderr)
        document = json.loads(rendered.stdout)
        self.assertEqual(rendered.stdout, json.dumps(document, indent=2, sort_keys=True) + "\n")
        self.assertEqual(document["realTimeProtection"]["openDeadlineMs"], 5000)
        self.assertEqual(len(document["antivirusEngine"]["exclusions"]), 2)
        self.world.write_profile(document)
        wait_for(lambda: self.world.health()["log_level"] == "warning", "the profile")
        self.assertEqual(self.picket("profile", "diff", site, "--running").returncode, 0)
        with open(self.managed(".60"), "w", encoding="utf-8") as file:
            file.write('{"extends": "passive"}')
        os.chmod(self.managed(".60"), 0o644)
        os.rename(self.managed(".60"), self.managed("60-raw.json"))
        health = wait_for(lambda: (lambda h: h if h["profile_status"] == "last_good" else None)(self.world.health()), "the refusal")
        self.assertIn("60-raw.json:1:2: extends", json.dumps(health["health_issues"]))
        self.assertEqual(health["enforcement_level"], "real_time")

    def test_what_is_wrong_with_an_authored_file_is_one_line_with_its_place(self):
        cases = {
            "cycle.yaml": ("extends: ./cycle.yaml\n", "cycle.yaml:1:1: extends: \"./cycle.yaml\" comes round"),
            "escape.yaml": ("engine: {}\nextends: ../../etc/x.yaml\n", "escape.yaml:2:1: extends: \"../../etc/x.yaml\" leads out"),
            "name.yaml": ("extends: baseline-sever\n", "did you mean baseline-server?"),
            "bomb.yaml": ("".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]\n" for i in range(9)), "more than 100000 values")}
        for name, (text, expected) in cases.items():
            path = self.author(name, text)
            for verb in ("render", "validate"):
                done = self.picket("profile", verb, path)
                self.assertEqual(done.returncode, 41, (name, done))
                said = done.stderr if verb == "render" else done.stdout
                self.assertIn(expected, said)
                self.assertEqual(len(said.strip().splitlines()), 2 if verb == "render" else 1, said)

    def test_a_profile_of_defender_is_imported_with_a_report_and_lands(self):
        theirs = self.author("mdatp_managed.json",
                             '{"antivirusEngine": {\n "enforcementLevel": "on_demand",\n "maximumOnDemandScanThreads": "4",\n'
                             ' "exclusions": [{"$type": "excludedFileName", "name": "/usr/bin/rsync"}],\n "info": 1}}\n')
        ours = self.world.path("imported.json")
        done = self.picket("profile", "import-mde", theirs, "-o", ours)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(theirs + ":3:2: antivirusEngine.maximumOnDemandScanThreads: converted: \"4\" is a number", done.stdout)
        self.assertIn("weakens protection: enforcement level lowered from real_time to on_demand", done.stdout)
        self.assertIn("1 taken, 2 converted, 1 dropped; 2 protect less than Picket's defaults", done.stdout)
        self.assertEqual(self.picket("profile", "validate", ours).returncode, 0)
        piped = self.picket("profile", "import-mde", theirs)
        with open(ours, encoding="utf-8") as file:
            self.assertEqual(piped.stdout, file.read())
        self.assertIn("weakens protection", piped.stderr)
        report = json.loads(self.picket("profile", "import-mde", theirs, "--output", "json").stdout)["data"]
        self.assertEqual((report["taken"], report["converted"], report["dropped"], report["weakening"]), (1, 2, 1, 2))
        self.world.write_profile(report["document"])
        wait_for(lambda: self.world.health()["enforcement_level"] == "on_demand", "the imported profile")
        self.assertEqual(self.weakened("enforcement_level")[0]["path"], self.managed("50-test.json"))
        self.assertEqual(self.picket("profile", "import-mde", self.author("bad.json", "{\n \"a\" 1}")).returncode, 41)
        self.assertEqual(self.picket("profile", "import-mde", self.world.path("none.json")).returncode, 1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root (fanotify, mount)")
        sys.exit(77)
    unittest.main(verbosity=2)
