#!/usr/bin/python3
"""The sample county's messages are whole, invented, and of test ranges: no identifier in them can be anybody's."""

import csv
import json
import pathlib
import re
import tomllib
import unittest

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "deploy/sample"
MESSAGES = SAMPLE / "messages"
UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
SCHOOLS = {"900101", "900202", "900303"}
AUTHORITIES = {"E10000098", "E10000099"}
SITES = {"RZX01", "RZY02"}
# Ofcom's numbers for drama.
PHONE = re.compile(r"^(01632 960\d{3}|07700900\d{3})$")


def valid_nhs_number(text):
    if not re.fullmatch(r"999\d{7}", text):
        return False
    check = 11 - sum(int(d) * w for d, w in zip(text, range(10, 1, -1))) % 11
    return (0 if check == 11 else check) == int(text[9])


def valid_upn(text):
    """Local authority 999 is nobody's."""
    if not re.fullmatch(r"[A-Z]999\d{9}", text):
        return False
    return UPN_LETTERS[sum(int(d) * w for d, w in zip(text[1:], range(2, 14))) % 23] == text[0]


def steps():
    manifest = tomllib.loads((MESSAGES / "stories.toml").read_text(encoding="utf-8"))
    return [(MESSAGES / story["folder"] / step["file"], step) for story in manifest["story"] for step in story["step"]]


def segments(file):
    charset = "latin-1" if b"|8859/1" in file.read_bytes().split(b"\r")[0] else "utf-8"
    return [line.split("|") for line in file.read_bytes().decode(charset).split("\r") if line]


def rows_of(file, name):
    return [row for row in segments(file) if row[0] == name]


def json_events(file):
    body = json.loads(file.read_text(encoding="utf-8"))
    return body if isinstance(body, list) else [body]


def values_of(node, key):
    """All values of a key, at any depth."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(value, key)


class TheCheckers(unittest.TestCase):
    def test_a_wrong_check_digit_is_found(self):
        self.assertTrue(valid_nhs_number("9990000018"))
        self.assertFalse(valid_nhs_number("9990000019"))
        self.assertFalse(valid_nhs_number("4010232137"), "valid, but not of the test range")

    def test_a_wrong_check_letter_is_found(self):
        self.assertTrue(valid_upn("T999020210001"))
        self.assertFalse(valid_upn("A999020210001"))


class TheStories(unittest.TestCase):
    def test_six_stories_and_thirty_messages_or_more(self):
        folders = {file.parent.name for file, _ in steps()}
        self.assertGreaterEqual(len([f for f in folders if f != "odd-ones"]), 6)
        self.assertGreaterEqual(len(steps()), 30)

    def test_every_file_is_a_step_and_every_step_is_a_file(self):
        named = {file for file, _ in steps()}
        self.assertEqual(len(named), len(steps()), "a file is named twice")
        self.assertEqual(named, {f for f in MESSAGES.rglob("*") if f.is_file() and f.parent != MESSAGES})

    def test_a_story_is_told_in_the_order_of_its_file_names(self):
        files = [file for file, _ in steps()]
        for folder in {file.parent for file in files}:
            told = [file.name for file in files if file.parent == folder]
            self.assertEqual(told, sorted(told))
            times = [name.split("-", 1)[1][:15] for name in told]
            self.assertEqual(times, sorted(times), folder.name)

    def test_channels_are_those_of_the_hub(self):
        hub = tomllib.loads((SAMPLE / "hub.toml").read_text(encoding="utf-8"))
        inward = {c["name"] for c in hub["channel"] if c["direction"] == "in"}
        outward = {c["name"] for c in hub["channel"] if c["direction"] == "out"}
        for file, step in steps():
            self.assertIn(step["channel"], inward, file.name)
            self.assertLessEqual(set(step["gets"]), outward, file.name)
            self.assertTrue(step["happens"] and step["answer"], file.name)

    def test_a_message_that_becomes_no_event_tells_nobody(self):
        for file, step in steps():
            if step["events"] == 0:
                self.assertEqual(step["gets"], {}, file.name)

    def test_message_ids_come_once_but_for_the_duplicate(self):
        seen = {}
        for file, _ in steps():
            if file.suffix == ".hl7":
                seen.setdefault(rows_of(file, "MSH")[0][9], []).append(file.name)
        again = [names for names in seen.values() if len(names) > 1]
        self.assertEqual(len(again), 1)
        self.assertIn("duplicate", again[0][1])

    def test_event_ids_come_once_but_for_the_conflict(self):
        seen = {}
        for file, _ in steps():
            if file.suffix == ".json":
                for event in json_events(file):
                    seen.setdefault(event["id"], []).append(file.name)
        again = [names for names in seen.values() if len(names) > 1]
        self.assertEqual(len(again), 1)
        self.assertIn("conflict", again[0][1])


class TheIdentifiers(unittest.TestCase):
    def test_in_hl7_messages(self):
        for file, step in steps():
            if file.suffix != ".hl7":
                continue
            with self.subTest(file.name):
                self.assertIn(rows_of(file, "MSH")[0][3], SITES)
                numbers = [i.split("^")[0] for i in rows_of(file, "PID")[0][3].split("~") if i.endswith("^NHS^NH")]
                self.assertEqual(len(numbers), 1)
                self.assertEqual(valid_nhs_number(numbers[0]), step.get("error") != "PID-3")
                self.assertTrue(numbers[0].startswith("999"))
                phones = [rows_of(file, "PID")[0][13], *(row[5] for row in rows_of(file, "NK1"))]
                for phone in phones:
                    self.assertRegex(phone.split("^")[0], PHONE)
                for row in rows_of(file, "PV1"):
                    self.assertIn(row[3].split("^")[3], SITES)
                for row in rows_of(file, "ZXX"):
                    self.assertIn(row[1].split("^")[0], SCHOOLS | {""})
                    self.assertIn(row[2].split("^")[0], AUTHORITIES)
                    self.assertTrue(row[3] == "" or valid_upn(row[3]))

    def test_in_the_council_s_events(self):
        for file, step in steps():
            if file.suffix != ".json":
                continue
            with self.subTest(file.name):
                events = json_events(file)
                for number in values_of(events, "nhs_number"):
                    self.assertTrue(valid_nhs_number(number))
                for upn in values_of(events, "upn"):
                    self.assertTrue(valid_upn(upn))
                for phone in values_of(events, "telephone"):
                    self.assertRegex(phone, PHONE)
                for school in values_of(events, "school"):
                    self.assertIn(school["code"], SCHOOLS)
                for authority in values_of(events, "home_authority"):
                    good = authority["code"] in AUTHORITIES
                    self.assertEqual(good, step.get("error") != "person.home_authority.code")

    def test_in_the_school_s_files(self):
        for file, step in steps():
            if file.suffix != ".csv":
                continue
            with self.subTest(file.name):
                rows = list(csv.DictReader(file.read_bytes().decode("windows-1252").splitlines(keepends=True)))
                self.assertEqual(len([r for r in rows if not valid_upn(r["UPN"])]), 1 if step["answer"] == "partly" else 0)
                for row in rows:
                    self.assertIn(row["School URN"], SCHOOLS)
                    self.assertIn(row["Home authority"], AUTHORITIES)
                    self.assertTrue(row["NHS number"] == "" or valid_nhs_number(row["NHS number"]))


if __name__ == "__main__":
    unittest.main()
