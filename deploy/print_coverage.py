#!/usr/bin/env python3
"""Prints the line coverage that gcovr summed up: one line for each room, and the total."""
import json
import sys
from collections import defaultdict
from pathlib import PurePosixPath


def main(file):
    with open(file, encoding="utf-8") as summary:
        files = json.load(summary)["files"]
    rooms = defaultdict(lambda: [0, 0])
    for measured in files:
        for name in (str(PurePosixPath(measured["filename"]).parent), "total"):
            rooms[name][0] += measured["line_covered"]
            rooms[name][1] += measured["line_total"]
    if not rooms["total"][1]:
        print(f"{file} names no line of broker/ or adapters/: were the tests built with CAREHUB_COVERAGE?")
        return 1
    for name, (covered, lines) in sorted(rooms.items(), key=lambda room: (room[0] == "total", room[0])):
        print(f"  {name:<22}{100 * covered / lines if lines else 100:6.1f} %  {covered:>6} of {lines} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
