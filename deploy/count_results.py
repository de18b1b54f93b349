#!/usr/bin/env python3
"""Adds up JUnit files of CTest and of the extra checks; prints the end of what each failed one said, and
`N passed, N failed, N skipped`."""
import sys
import xml.etree.ElementTree as ElementTree

LINES = 40  # of a failed test's output; all of it was printed where it ran


def main(files):
    passed = failed = skipped = 0
    for file in files:
        for case in ElementTree.parse(file).getroot().iter("testcase"):
            status = case.get("status")
            if status == "fail" or case.find("failure") is not None:
                failed += 1
                print(f"failed: {case.get('name')} ({file})")
                for line in (case.findtext("system-out") or "").strip().splitlines()[-LINES:]:
                    print(f"    {line}")
            elif status in ("notrun", "disabled") or case.find("skipped") is not None:
                skipped += 1
                print(f"skipped: {case.get('name')} ({file})")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
