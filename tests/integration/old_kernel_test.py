#!/usr/bin/env python3
"""Everything that holds on this kernel must hold on 3.10, the oldest one of the mission: the same tests, with programs
that are refused what came later."""

import errno
import os
import platform
import sys
import unittest

import protection_test
import quarantine_test
from picket_world import World, eicar, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
World.LAUNCHER = (sys.executable, os.path.join(HERE, "as_kernel_3_10.py"))


class WithoutSandbox(World):
    LAUNCHER = (sys.executable, os.path.join(HERE, "without_seccomp.py"))


class Sandbox(unittest.TestCase):
    def test_health_tells_which_layers_there_are(self):
        world = World()
        try:
            self.assertEqual(world.health()["engine_sandbox"], {"seccomp": True, "landlock_abi": 0})
            world.end("engine")
            world.end("gate")
            world.start_gate()
            self.assertIsNone(world.health()["engine_sandbox"])  # nobody has said so yet
        finally:
            world.close()

    def test_e5_a_kernel_without_filters_is_an_issue_and_protects(self):
        world = WithoutSandbox()
        try:
            self.assertEqual(world.health()["engine_sandbox"], {"seccomp": False, "landlock_abi": 0})
            self.assertIn("engine_sandbox_incomplete", [issue["name"] for issue in world.health()["health_issues"]])
            world.write("eicar.com", eicar())
            self.assertEqual(world.open_errno(world.path("eicar.com")), errno.EPERM)
        finally:
            world.close()


class Tier(unittest.TestCase):
    def test_health_names_the_tier_and_what_the_profile_cannot_have(self):
        world = World()
        try:
            self.assertEqual(world.health()["fanotify_tier"], "mount_marks")
            world.write_profile({"realTimeProtection": {"execFailureAction": "deny", "openFailureAction": "allow"}})
            wait_for(lambda: any(issue["name"] == "exec_policy_unavailable" for issue in world.health()["health_issues"]),
                     "the issue")
            world.wait_protected()
        finally:
            world.close()


class Protected(protection_test.Protected):
    pass


class Faults(protection_test.Faults):
    pass


class Quarantine(quarantine_test.Quarantine):
    pass


if __name__ == "__main__":
    if platform.machine() != "x86_64":
        print("skip: as_kernel_3_10.py knows the system calls of x86_64 only")
        sys.exit(77)
    unittest.main(verbosity=2)
