#!/usr/bin/env python3
"""Runs picket-installer and kills it while it is in one step. Usage: kill_in_step.py STEP COMMAND…"""
import json
import subprocess
import sys
import time

installer = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while installer.poll() is None:
    try:
        with open("/var/lib/picket/install/journal.json") as file:
            steps = {step["id"]: step["status"] for step in json.load(file)["steps"]}
    except (OSError, ValueError):
        steps = {}
    if steps.get(sys.argv[1]) == "running":
        installer.kill()
        installer.wait()
        sys.exit(0)
    time.sleep(0.005)
sys.exit("it ended before it was in that step")
