#!/usr/bin/python3
"""Reads every #include and fails on one that the rooms' order forbids.

    schemas <- base <- storage <- core <- care <- server <- app
    schemas, base <- client <- adapters <- app

The classes below the rules show, on trees made up for it, that each rule can fail.
"""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("broker", "adapters", "schemas", "tests")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Room -> rooms it may include, itself and schemas aside.
BELOW = {
    "schemas": set(),
    "base": set(),
    "storage": {"base"},
    "core": {"base", "storage"},
    "care": {"base", "storage", "core"},
    "server": {"base", "storage", "core", "care"},
    "client": {"base"},
    "formats": {"base", "client"},
    "transports": {"base", "client"},
    "channel": {"base", "client", "formats", "transports"},
}
# What is special to one kind of agency, and the adapters that people look at.
for kind in ("hospital", "council", "school", "notices", "console"):
    BELOW[kind] = {"base", "client", "formats", "transports", "channel"}
BELOW["app"] = set(BELOW) - {"schemas"}

ROOM_FOLDERS = {room: "broker/" + room for room in ("base", "storage", "core", "care", "server", "client", "app")}
ROOM_FOLDERS |= {room: "adapters/" + room for room in BELOW if room not in ROOM_FOLDERS and room != "schemas"}
ROOM_FOLDERS["schemas"] = "schemas"

# A unit test may use what its room may, and what its CMake line links beside it.
BESIDE_IN_UNIT_TESTS = {"server": {"client"}}

# Libraries that only some files may include: pattern of the header -> pattern of the files.
LIBRARIES = [
    ("RocksDB", r"^rocksdb/", r"^broker/storage/rocks_|^tests/(unit/storage|contract|crash|simulation)/"),
    ("ZeroMQ", r"^zmq", r"^broker/(server|client)/|^tests/"),
    ("toml++", r"^toml\+\+/|^toml\.hpp", r"^broker/base/config_reader\.cpp$"),
    ("CLI11", r"^CLI/", r"^broker/app/.*\.cpp$"),
    ("Catch2", r"^catch2/", r"^tests/"),
]
# core decides: no sockets, threads, files or logger. formats are pure functions.
FORBIDDEN = [
    ("broker/core/", r"^(thread|mutex|shared_mutex|condition_variable|future|fstream|filesystem|sys/socket\.h|fcntl\.h)$|"
                     r"^(spdlog|boost/asio|boost/beast)/"),
    ("adapters/formats/", r"^(thread|future|fstream|sys/socket\.h)$|^(spdlog|boost/asio|boost/beast)/"),
]
# Headers that a room keeps to itself.
INTERNAL = {"broker/base/event_walk.hpp": "broker/base/"}
# Interfaces that a room declares for those below it to implement or to call.
SEAMS = {"adapters/channel/pipe.hpp": {"formats", "transports"}}


def room_of(path):
    """The room whose rules hold for a file, or None for tests that may use every room."""
    for room, folder in ROOM_FOLDERS.items():
        if path.startswith(folder + "/"):
            return room
    return None


def unit_room_of(path):
    parts = path.split("/")
    return parts[2] if parts[:2] == ["tests", "unit"] and len(parts) > 3 and parts[2] in BELOW else None


def may_include(path, header_room):
    room = room_of(path)
    if room is None:
        room = unit_room_of(path)
        if room is None:
            return True
        if header_room in BESIDE_IN_UNIT_TESTS.get(room, set()):
            return True
    return header_room in ("schemas", room) or header_room in BELOW[room]


def project_fault(path, header, tree):
    """Why `path` may not include the project's own `header`, or None."""
    if header.split("/")[0] not in FOLDERS:
        return "is not spelled from the project's root"
    if header.startswith("tests/") and not path.startswith("tests/"):
        return "is a test's, and this is not a test"
    generated = header.startswith("schemas/") and header.endswith("_generated.h")
    if not generated and header not in tree:
        return "does not exist"
    keeper = INTERNAL.get(header)
    if keeper and not path.startswith(keeper):
        return "belongs to " + keeper + " alone"
    if room_of(path) in SEAMS.get(header, set()) or unit_room_of(path) in SEAMS.get(header, set()):
        return None
    header_room = room_of(header)
    if header_room is None and not header.startswith("tests/"):
        return "lies in no room that this test knows: add it to BELOW"
    if header_room is not None and not may_include(path, header_room):
        return "is in " + header_room + ", which this file's room may not include"
    return None


def library_fault(path, header):
    for name, headers, files in LIBRARIES:
        if re.search(headers, header) and not re.search(files, path):
            return "is " + name + ", which only " + files + " may include"
    for folder, headers in FORBIDDEN:
        if path.startswith(folder) and re.search(headers, header):
            return "brings in what " + folder + " keeps out"
    return None


def faults(tree):
    """tree: path -> text of every source. Returns one line for each wrong include."""
    found = []
    for path in sorted(tree):
        if room_of(path) is None and not path.startswith("tests/"):
            found.append(f"{path}: lies in no room that this test knows: add it to BELOW")
            continue
        for number, line in enumerate(tree[path].splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, header = match.groups()
            fault = library_fault(path, header)
            if fault is None and quote == '"':
                fault = project_fault(path, header, tree)
            if fault:
                found.append(f"{path}:{number}: {header} {fault}")
    return found


def read_tree():
    tree = {}
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".cpp", ".hpp", ".h") and file.is_file():
                tree[file.relative_to(ROOT).as_posix()] = file.read_text(encoding="utf-8", errors="replace")
    return tree


class TheProject(unittest.TestCase):
    def test_every_include_keeps_the_order_of_the_rooms(self):
        tree = read_tree()
        self.assertGreater(len(tree), 30)
        self.assertEqual([], faults(tree))


class TheRules(unittest.TestCase):
    HEADERS = {folder + "/x.hpp": "" for folder in ROOM_FOLDERS.values()}

    def check(self, path, include, wrong):
        tree = dict(self.HEADERS)
        tree["tests/fakes/x.hpp"] = ""
        tree["broker/base/event_walk.hpp"] = ""
        tree["adapters/channel/pipe.hpp"] = ""
        tree[path] = f"#pragma once\n#include {include}\n"
        found = faults(tree)
        self.assertEqual(wrong, len(found) > 0, f"{path} includes {include}: {found}")
        if wrong:
            self.assertTrue(found[0].startswith(path + ":2: "), found)

    def test_a_room_may_not_include_one_above_it(self):
        order = ["base", "storage", "core", "care", "server", "app"]
        for low, lower in enumerate(order):
            for high, higher in enumerate(order):
                if low != high:
                    self.check(f"broker/{lower}/y.cpp", f'"broker/{higher}/x.hpp"', wrong=high > low)

    def test_adapters_and_client_see_nothing_of_the_broker(self):
        for folder in ("broker/client", "adapters/channel", "adapters/formats", "adapters/transports", "adapters/council"):
            for hidden in ("storage", "core", "care", "server", "app"):
                self.check(folder + "/y.cpp", f'"broker/{hidden}/x.hpp"', wrong=True)
            self.check(folder + "/y.cpp", '"broker/base/x.hpp"', wrong=False)
            self.check(folder + "/y.cpp", '"schemas/event_generated.h"', wrong=False)

    def test_the_broker_sees_nothing_of_client_and_adapters(self):
        for room in ("base", "storage", "core", "care", "server"):
            self.check(f"broker/{room}/y.cpp", '"broker/client/x.hpp"', wrong=True)
            self.check(f"broker/{room}/y.cpp", '"adapters/channel/x.hpp"', wrong=True)

    def test_formats_and_transports_do_not_know_each_other(self):
        self.check("adapters/formats/y.cpp", '"adapters/transports/x.hpp"', wrong=True)
        self.check("adapters/transports/y.cpp", '"adapters/formats/x.hpp"', wrong=True)
        self.check("adapters/channel/y.cpp", '"adapters/formats/x.hpp"', wrong=False)
        self.check("adapters/transports/y.cpp", '"adapters/channel/pipe.hpp"', wrong=False)
        self.check("adapters/transports/y.cpp", '"adapters/channel/x.hpp"', wrong=True)
        self.check("adapters/channel/y.cpp", '"adapters/hospital/x.hpp"', wrong=True)
        self.check("adapters/hospital/y.cpp", '"adapters/channel/x.hpp"', wrong=False)
        self.check("adapters/hospital/y.cpp", '"adapters/school/x.hpp"', wrong=True)

    def test_libraries_stay_where_they_belong(self):
        self.check("broker/storage/ledger.cpp", "<rocksdb/db.h>", wrong=True)
        self.check("broker/storage/rocks_ledger.cpp", "<rocksdb/db.h>", wrong=False)
        self.check("broker/server/y.cpp", "<rocksdb/db.h>", wrong=True)
        self.check("adapters/channel/y.cpp", "<zmq.hpp>", wrong=True)
        self.check("broker/app/y.cpp", "<zmq.h>", wrong=True)
        self.check("broker/client/y.cpp", "<zmq.hpp>", wrong=False)
        self.check("broker/core/y.cpp", "<toml++/toml.h>", wrong=True)
        self.check("broker/base/config_reader.cpp", "<toml++/toml.h>", wrong=False)
        self.check("broker/server/y.cpp", "<CLI/CLI.hpp>", wrong=True)
        self.check("broker/base/y.cpp", "<catch2/catch.hpp>", wrong=True)

    def test_core_has_no_threads_files_sockets_or_logger(self):
        for header in ("<thread>", "<mutex>", "<fstream>", "<filesystem>", "<sys/socket.h>", "<spdlog/spdlog.h>",
                       "<boost/asio/ip/tcp.hpp>"):
            self.check("broker/core/y.cpp", header, wrong=True)
        self.check("broker/core/y.cpp", "<vector>", wrong=False)
        self.check("adapters/formats/y.cpp", "<boost/asio/ip/tcp.hpp>", wrong=True)

    def test_unit_tests_keep_to_their_room(self):
        self.check("tests/unit/base/y_test.cpp", '"broker/storage/x.hpp"', wrong=True)
        self.check("tests/unit/storage/y_test.cpp", '"broker/storage/x.hpp"', wrong=False)
        self.check("tests/unit/storage/y_test.cpp", '"tests/fakes/x.hpp"', wrong=False)
        self.check("tests/unit/channel/y_test.cpp", '"broker/server/x.hpp"', wrong=True)
        self.check("tests/crash/y_test.cpp", '"broker/server/x.hpp"', wrong=False)
        self.check("broker/base/y.cpp", '"tests/fakes/x.hpp"', wrong=True)

    def test_paths_are_spelled_from_the_root_and_exist(self):
        self.check("broker/base/y.cpp", '"x.hpp"', wrong=True)
        self.check("broker/base/y.cpp", '"../base/x.hpp"', wrong=True)
        self.check("broker/base/y.cpp", '"broker/base/absent.hpp"', wrong=True)
        self.check("broker/storage/y.cpp", '"broker/base/event_walk.hpp"', wrong=True)

    def test_a_new_folder_must_be_given_its_place(self):
        self.assertEqual(1, len(faults({"broker/novel/y.cpp": ""})))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
