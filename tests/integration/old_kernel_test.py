#!/usr/bin/env python3
"""Everything that holds on this kernel must hold on 3.10, the oldest one of the mission: the same tests, with programs
that are refused what came later."""

import os
import platform
import sys
import unittest

import protection_test
import quarantine_test
from picket_world import World, wait_for

World.LAUNCHER = (sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "as_kernel_3_10.py"))


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
