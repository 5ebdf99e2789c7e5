#!/usr/bin/env python3
"""Opens a file every few milliseconds and says when that was allowed: open_often.py FILE STOPFILE. FILE holds what is to
be denied. Ends when STOPFILE is there. Prints JSON: opens, denied, and gaps, each a stretch in which opens were let
through, in milliseconds: from the last denial before it to the first one after it."""
import errno
import json
import os
import sys
import time

INTERVAL = 0.002


def denied(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        if error.errno == errno.EPERM:
            return True
        raise
    return False


def main():
    path, stop = sys.argv[1:]
    opens = denials = 0
    last_denial = None
    open_gap = False
    slowest = 0.0
    gaps = []
    while not os.path.exists(stop):
        began = time.monotonic()
        refused = denied(path)
        now = time.monotonic()
        slowest = max(slowest, now - began)
        opens += 1
        denials += refused
        if refused and open_gap:
            gaps.append(round((now - last_denial) * 1000))
            open_gap = False
        elif not refused:
            open_gap = True
        if refused:
            last_denial = now
        time.sleep(INTERVAL)
    print(json.dumps({"opens": opens, "denied": denials, "gaps_ms": gaps, "ends_open": open_gap,
                      "slowest_open_ms": round(slowest * 1000)}))


if __name__ == "__main__":
    main()
