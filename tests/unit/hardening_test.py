#!/usr/bin/python3
"""What the compiler and the linker were asked for stands in the program: hardening_test.py PROGRAM."""

import platform
import subprocess
import sys
import unittest

PROGRAM = ""


def readelf(*options):
    return subprocess.run(("readelf", "--wide", *options, PROGRAM), check=True, capture_output=True, text=True).stdout


class TheProgram(unittest.TestCase):
    def test_is_loaded_at_an_address_that_nobody_knows_before(self):
        self.assertRegex(readelf("--file-header"), r"Type:\s+DYN")
        self.assertIn("PIE", readelf("--dynamic"))

    def test_has_its_tables_of_addresses_filled_and_locked_at_start(self):
        self.assertIn("GNU_RELRO", readelf("--program-headers"))
        self.assertRegex(readelf("--dynamic"), r"FLAGS\S*\s.*NOW")

    def test_runs_nothing_that_can_be_written(self):
        segments = [line.split() for line in readelf("--program-headers").splitlines() if "0x" in line]
        flags = {words[0]: "".join(words[6:-1]) for words in segments if words[0] in ("GNU_STACK", "LOAD")}
        self.assertEqual(flags["GNU_STACK"], "RW")
        for words in segments:
            if words[0] == "LOAD":
                self.assertFalse({"W", "E"} <= set("".join(words[6:-1])), words)

    def test_looks_after_its_stack_and_its_copies(self):
        symbols = readelf("--dyn-syms")
        self.assertIn("__stack_chk_fail", symbols)
        # A check that only level 3 leaves where the size is known no sooner than the program runs.
        self.assertRegex(symbols, r"__(memcpy|memmove|memset|snprintf|read|fread)_chk")

    @unittest.skipUnless(platform.machine() == "x86_64", "other processors have no such marks")
    @unittest.skipUnless(platform.machine() == "x86_64", "other processors have no such marks")
    def test_marks_where_jumps_may_land(self):
        # Debian 12's own start files lack the mark for the whole program: the processor checks where a system's have it.
        code = subprocess.run(("objdump", "--disassemble=main", PROGRAM), check=True, capture_output=True, text=True)
        self.assertIn("endbr64", code.stdout)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
