#!/usr/bin/python3
"""Lets every fuzz target look for as long as one likes, and keeps what it found.

  tests/fuzz/grow.py --minutes 60 --corpus FOLDER              every target, the time shared among them
  tests/fuzz/grow.py --minutes 10 --corpus FOLDER http csv     these

What reached something new lies in FOLDER/TARGET afterwards, of each as little as reaches all of it, and is where the next
time begins. What made a target fall is named, and the exit code is 1.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/fuzz"


def targets():
    """The command of each target's CTest test, by its name."""
    shown = subprocess.run(
        ["ctest", "--test-dir", BUILD, "--show-only=json-v1", "-L", "fuzz"], check=True, capture_output=True, text=True
    )
    tests = json.loads(shown.stdout)["tests"]
    commands = {test["name"].removeprefix("fuzz: "): test["command"] for test in tests if "command" in test}
    # What stands before the target is for runs that are to say the same each time.
    return {name: command[next(i for i, word in enumerate(command) if "/fuzz_" in word) :] for name, command in commands.items()}


def smallest(binary, folder):
    """Leaves in the folder the least that reaches what all of it reaches."""
    kept = folder.with_name(folder.name + ".kept")
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    merged = subprocess.run([binary, "-merge=1", "-max_len=8192", kept, folder], capture_output=True, check=False)
    if merged.returncode != 0 or not any(kept.iterdir()):
        shutil.rmtree(kept)
        return
    shutil.rmtree(folder)
    kept.rename(folder)


def grow(command, folder, seconds):
    """True: nothing made the target fall."""
    folder.mkdir(parents=True, exist_ok=True)
    fixed = ("-runs=", "-seed=", "-use_cmp=")
    options = [option for option in command[1:] if not option.startswith(fixed)]
    ran = subprocess.run([command[0], f"-max_total_time={seconds}", *options, folder], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        print("\n".join(ran.stderr.splitlines()[-15:]), file=sys.stderr)
    smallest(command[0], folder)
    return ran.returncode == 0


def main():
    parser = argparse.ArgumentParser(description="Lets every fuzz target look for a time, and keeps what it found.")
    parser.add_argument("--minutes", type=float, required=True, help="of all targets together")
    parser.add_argument("--corpus", type=pathlib.Path, required=True, help="the folder that grows")
    parser.add_argument("target", nargs="*", help="such as http; none: all")
    asked = parser.parse_args()
    known = targets()
    wanted = asked.target or sorted(known)
    for name in wanted:
        if name not in known or not pathlib.Path(known[name][0]).exists():
            sys.exit(f"{name}: no such target is built. Build it: cmake --preset fuzz && cmake --build --preset fuzz")
    seconds = max(1, int(asked.minutes * 60 / len(wanted)))
    fell = []
    for name in wanted:
        folder = asked.corpus / name
        if not grow(known[name], folder, seconds):
            fell.append(name)
        print(f"{name}: {sum(1 for _ in folder.iterdir())} inputs kept", flush=True)
    if fell:
        sys.exit(f"fell: {', '.join(fell)}. What did it lies in {BUILD / 'found'}")


if __name__ == "__main__":
    main()
