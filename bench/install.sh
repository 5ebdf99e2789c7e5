#!/usr/bin/env bash
# ./dev bench install: the preflight checks, and a host from nothing to protected, in a throw-away host.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lab/lab.sh
. tests/lab/assert.sh
missing=$(lab_missing)
[ -z "$missing" ] || { echo "skip: no lab host: $missing"; exit 0; }
./dev package --distribution >/dev/null
with_bundle_host bench
in_host python3 -c '
import subprocess, time
times = []
for _ in range(9):
    start = time.monotonic()
    subprocess.run(["/root/picket-installer", "check"], stdout=subprocess.DEVNULL)
    times.append(time.monotonic() - start)
print(sorted(times)[4] * 1000)' >"$scratch/check"
in_host /root/picket-installer install --onboarding /root/acme.zip --output json >"$scratch/install.json"
python3 - "$scratch" build/bench/install.json <<'END'
import json, os, platform, sys
folder, output = sys.argv[1:]
check = float(open(f"{folder}/check").read())
steps = json.load(open(f"{folder}/install.json"))["steps"]
package = sum(step["ms"] for step in steps if "package" in step["id"])
total = sum(step["ms"] for step in steps)
result = {"machine": f"{os.cpu_count()} processors, kernel {platform.release()}", "check_ms": round(check),
          "install_ms": total, "install_without_package_manager_ms": total - package,
          "steps": {step["id"]: step["ms"] for step in steps}}
json.dump(result, open(output, "w"), indent=1)
print(result["machine"])
for name in ("check_ms", "install_ms", "install_without_package_manager_ms"):
    print(f"{name:<40} {result[name]:>8}")
END
