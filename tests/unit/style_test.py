#!/usr/bin/python3
"""The rules of the house that a script can see: names, sizes, READMEs, tests beside sources.

The classes below the rules show, on trees made up for it, that each rule can fail.
"""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "adapters", "broker", "deploy", "schemas", "tests"}
# What a build or a run leaves behind, and git ignores.
LEFT_BEHIND = re.compile(r"^(build.*|run|__pycache__|Testing)$")
SOURCES = (".cpp", ".hpp", ".fbs", ".py", ".sh", ".js", ".mjs")
SNAKE = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
EMPTY_WORDS = {"util", "utils", "utility", "utilities", "helper", "helpers", "manager", "managers", "common", "misc"}
LINES_MAX = 500
FUNCTION_LINES_MAX = 64  # about 60, with signature and closing brace
SHELL = re.compile(
    r"(::|[\s(;=!]|^)(popen|execlp?e?|execvpe?|posix_spawnp|wordexp)\(|(std)?::system\(|(^|[(;=!])\s*system\(|/bin/(ba|da)?sh\b"
)
LONG = re.compile(r"(//|#) Long because: \S+")

# Sources without a test of their own, and where they are tested instead.
TESTED_ELSEWHERE = {
    "adapters/transports/peer_stream.cpp": "tls_server_test: both protocols, plain and through TLS",
    "broker/base/event_walk.cpp": "reads for event_fields and event_json, by whose tests it is held",
    "broker/app/main.cpp": "builds the program and hands over; tests/end_to_end runs it",
    "adapters/transports/asio.cpp": "compiles the Boost.Asio library, holds no code",
    "broker/storage/rocks_check.cpp": "tests/contract/storage damages a real ledger in every file and opens it",
    "broker/storage/rocks_ledger.cpp": "the ledger's contract, kill -9 and full disks in tests/contract/storage",
    "broker/storage/proof_file.cpp": "tests/unit/storage/verify_proof_test.cpp: made here, checked there",
    "broker/storage/rocks_audit.cpp": "tests/contract/storage/ledger_audit_test.cpp",
    "broker/storage/rocks_backup.cpp": "backup_test: copied while it is appended to, audited, opened",
    "broker/storage/rocks_restore.cpp": "tests/unit/server/restore_test.cpp: whole, up to an entry, after erasures",
    "broker/storage/rocks_database.cpp": "tests/contract/storage/ledger_tree_test.cpp",
    "broker/storage/rocks_tree_check.cpp": "tests/contract/storage/ledger_tree_test.cpp",
    "broker/app/audit_commands.cpp": "audit_test and program_test: its options and what they refuse",
    "broker/storage/rocks_recovery.cpp": "tests/contract/storage/ledger_recovery_test.cpp",
    "broker/storage/rocks_state_store.cpp": "the state store's contract in tests/contract/storage",
    # Parts of one thing each, which only mean something over a socket: their owner's test drives them there.
    "broker/client/connection.cpp": "hub_client_test: keys, routing ids, losses over real sockets",
    "broker/client/outbox.cpp": "hub_client_test: order, resending, push-back",
    "broker/client/questions.cpp": "hub_client_test: pages and losses",
    "broker/client/session.cpp": "hub_client_test: Hello, heartbeats, reconnection",
    "broker/client/subscriptions.cpp": "hub_client_test: credit, answers, refusals",
    "broker/client/wake_signal.cpp": "hub_client_test: every call from another thread wakes the client",
    "broker/server/authenticator.cpp": "zmq_transport_test: keys on the list, off it, and taken off it",
    "broker/server/backlog.cpp": "loop_test: peers that do not read, bursts that wait",
    "broker/server/filter_config.cpp": "config_test: every fault of a filter with its place",
    "broker/server/ipc_file.cpp": "zmq_transport_test: left-behind files; hub_test: the file's mode",
    "broker/server/log.cpp": "tests/end_to_end/pipe_test.py reads the hub's log",
    "broker/server/peers.cpp": "loop_test: claims of agency, silence, losses",
    "broker/server/questions.cpp": "loop_test: one a step, and no more than a peer may ask",
    "broker/server/rebuild.cpp": "tests/unit/app/rebuild_test.cpp",
    "broker/server/recover.cpp": "tests/unit/app/recover_test.cpp",
    "broker/server/own_entries.cpp": "tests/unit/app/recover_test.cpp: the record and the filled numbers",
    "broker/core/backups.cpp": "tests/unit/server/backups_test.cpp: who may ask, and what is refused",
    "broker/app/reload.cpp": "tests/end_to_end/split_test.py: keys with an overlap, taken off, a fault, a policy",
    "broker/app/backup.cpp": "tests/end_to_end/backup_test.py",
    "broker/app/restore.cpp": "tests/end_to_end/backup_test.py",
    "broker/app/backup_commands.cpp": "program_test and tests/end_to_end/backup_test.py: its options",
    "broker/server/replays.cpp": "tests/unit/app/history_commands_test.cpp",
}


def name_faults(path):
    parts = path.split("/")
    if not path.endswith(SOURCES):
        return []
    found = []
    for part in parts[:-1] + [parts[-1].split(".")[0]]:
        # Pages and samples carry the names that their readers know.
        if parts[0] in ("broker", "adapters", "schemas", "tests") and not SNAKE.match(part) and not re.match(r"^\d", part):
            if part != "__init__":
                found.append(f"{path}: `{part}` is not snake_case")
        if EMPTY_WORDS & set(part.lower().split("_")):
            found.append(f"{path}: `{part}` says nothing. Name the noun of the domain")
    return found


def size_faults(path, text):
    lines = text.count("\n") + 1
    if lines <= LINES_MAX or LONG.search(text) or not path.endswith(SOURCES):
        return []
    return [f"{path}: {lines} lines. Split it along a seam, or say `Long because: ...`"]


def signature_start(lines, number):
    """The first line of the signature that ends on this line with `{`."""
    while number > 1 and len(lines[number - 1]) - len(lines[number - 1].lstrip()) > 2:
        before = lines[number - 2].rstrip()
        if not before or before.endswith((";", "}", "{")):
            break
        number -= 1
    return number


def function_faults(path, text):
    """Functions at the outside of a file or of a class, as clang-format lays them out."""
    if not path.endswith((".cpp", ".hpp")) or path.startswith("tests/"):
        return []
    found = []
    opened = {}
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        code = line.strip()
        indent = len(line) - len(line.lstrip())
        if code.startswith("}") and indent in opened:
            start = opened.pop(indent)
            body = "\n".join(lines[start - 1 : number])
            if number - start + 1 > FUNCTION_LINES_MAX and not LONG.search(body):
                found.append(f"{path}:{start}: a function of {number - start + 1} lines. Split it, or say `Long because: ...`")
        if not code.endswith("{"):
            continue
        start = signature_start(lines, number)
        indent = len(lines[start - 1]) - len(lines[start - 1].lstrip())
        signature = " ".join(lines[start - 1 : number]).strip()
        if indent in (0, 2) and "(" in signature and not re.match(r"(namespace|class|struct|enum|union|extern)\b", signature):
            opened[indent] = start
    return found


def text_faults(path, text):
    found = []
    if path.endswith((".cpp", ".hpp", ".fbs", ".py", ".sh", ".toml", "CMakeLists.txt")):
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b", line):
                found.append(f"{path}:{number}: work that is left open. Finish it, or take it out")
    if path.endswith(".hpp") and "#pragma once" not in text:
        found.append(f"{path}: no #pragma once")
    if path.endswith((".cpp", ".hpp")):
        in_app = path.startswith(("broker/app/", "tests/"))
        for number, line in enumerate(text.splitlines(), 1):
            if not in_app and re.search(r"std::cout\b|\bstd::printf\(|\bputs\(", line):
                found.append(f"{path}:{number}: writes to the console, which only broker/app may")
            match = re.match(r"\s*(?:class|struct) (\w+)", line)
            if match and EMPTY_WORDS & {word.lower() for word in re.findall(r"[A-Z][a-z]+", match.group(1))}:
                found.append(f"{path}:{number}: `{match.group(1)}` says nothing. Name the noun of the domain")
    return found


def shell_faults(path, text):
    """Programs are started by their path and words alone: a shell, or a search for the name, reads more into them."""
    if not path.startswith(("broker/", "adapters/")) or not path.endswith((".cpp", ".hpp")):
        return []
    return [
        f"{path}:{number}: a shell could be started here. Use posix_spawn with an absolute path and a list of words"
        for number, line in enumerate(text.splitlines(), 1)
        if SHELL.search(line.partition("//")[0])
    ]


def test_faults(path, text):
    if not (path.startswith("tests/") and path.endswith("_test.cpp")):
        return []
    found = []
    for match in re.finditer(r'TEST_CASE\(\s*"([^"]*)"', text):
        if match.group(1).count(" ") < 2:
            found.append(f"{path}: the test `{match.group(1)}` is not a sentence")
    if re.search(r"std::(mt19937|random_device|minstd_rand)", text) and "seed" not in text.lower():
        found.append(f"{path}: a random test that does not show its seed")
    if "TEST_CASE" not in text:
        found.append(f"{path}: a test file without a test")
    return found


def rule_faults(tree):
    """tree: path -> text of every file. One line for each fault that lies in one file."""
    found = []
    for path in sorted(tree):
        text = tree[path]
        found += name_faults(path) + size_faults(path, text) + function_faults(path, text)
        found += text_faults(path, text) + test_faults(path, text)
    return found


def top_level_faults(names):
    return [
        f"{name}: the top level holds {', '.join(sorted(TOP_LEVEL))} and dotfiles"
        for name in sorted(names)
        if name not in TOP_LEVEL and not name.startswith(".") and not LEFT_BEHIND.match(name)
    ]


def room_faults(tree):
    """Folders without a README, and sources without a test beside them."""
    found = []
    folders = {path.rpartition("/")[0] for path in tree if path.endswith(SOURCES)}
    for folder in sorted(folders):
        if folder.split("/")[0] not in ("broker", "adapters", "schemas", "tests", "deploy"):
            continue
        # The README of tests/unit speaks for the folders that mirror the sources, a kept release for all below it.
        covered = folder.startswith("tests/unit/") or "/released/" in folder
        if not covered and folder + "/README.md" not in tree:
            found.append(f"{folder}: no README.md")
    for path in sorted(tree):
        if not path.startswith(("broker/", "adapters/")) or not path.endswith(".cpp") or path in TESTED_ELSEWHERE:
            continue
        room, _, name = path.partition("/")[2].rpartition("/")
        wanted = f"tests/unit/{room}/{name[:-4]}_test.cpp"
        if wanted not in tree:
            found.append(f"{path}: no {wanted}")
    for path in sorted(TESTED_ELSEWHERE):
        if path not in tree and path.rpartition("/")[0] in folders and not path.endswith("main.cpp"):
            found.append(f"{path}: excused from a test, but not there")
    return found


def read_tree():
    tree = {}
    for file in ROOT.rglob("*"):
        parts = file.relative_to(ROOT).parts
        if any(part.startswith(".") or LEFT_BEHIND.match(part) or part == "node_modules" for part in parts):
            continue
        if file.is_file() and (file.suffix in SOURCES + (".md", ".toml") or file.name == "CMakeLists.txt"):
            tree["/".join(parts)] = file.read_text(encoding="utf-8", errors="replace")
    return tree


class TheProject(unittest.TestCase):
    maxDiff = None

    def test_every_file_keeps_the_rules(self):
        tree = read_tree()
        self.assertGreater(len(tree), 50)
        self.assertEqual([], rule_faults(tree))

    def test_the_top_level_holds_the_rooms_and_nothing_else(self):
        self.assertEqual([], top_level_faults(path.name for path in ROOT.iterdir()))


    def test_no_source_of_the_program_starts_a_shell(self):
        tree = read_tree()
        self.assertTrue(any("posix_spawn(" in text for path, text in tree.items() if path.startswith("broker/")))
        self.assertEqual([], [fault for path in sorted(tree) for fault in shell_faults(path, tree[path])])


class TheRooms(unittest.TestCase):
    maxDiff = None

    def test_every_folder_has_a_readme_and_every_source_a_test(self):
        self.assertEqual([], room_faults(read_tree()))


class TheRules(unittest.TestCase):
    def check(self, path, text, fault):
        found = rule_faults({path: text})
        if fault is None:
            self.assertEqual([], found)
        else:
            self.assertTrue(any(fault in line for line in found), f"{path}: {found}")

    def test_names(self):
        self.check("broker/base/CamelCase.cpp", "", "snake_case")
        self.check("broker/base/string_utils.cpp", "", "says nothing")
        self.check("adapters/common/x.cpp", "", "says nothing")
        self.check("broker/base/x.hpp", "#pragma once\nclass QueueManager {};\n", "says nothing")
        self.check("broker/base/clock.cpp", "int x;\n", None)

    def test_sizes(self):
        self.check("broker/base/x.cpp", "\n" * 600, "601 lines")
        self.check("broker/base/x.cpp", "// Long because: one table of codes.\n" + "\n" * 600, None)
        body = "  work();\n" * 70
        self.check("broker/base/x.cpp", "void f() {\n" + body + "}\n", "a function of 72 lines")
        self.check("broker/base/x.cpp", "void f(int a,\n       int b) {\n" + body + "}\n", "a function of")
        self.check("broker/base/x.cpp", "class A {\n  void f() {\n" + body.replace("  w", "    w") + "  }\n};\n", "a function of")
        self.check("broker/base/x.cpp", "void f() {\n  // Long because: a list.\n" + body + "}\n", None)
        self.check("broker/base/x.cpp", "namespace a {\n" + "int x;\n" * 70 + "}\n", None)

    def test_texts(self):
        self.check("broker/base/x.cpp", "// TO" "DO later\n", "left open")
        self.check("broker/base/x.hpp", "int x;\n", "pragma once")
        self.check("broker/core/x.cpp", "std::cout << 1;\n", "console")
        self.check("broker/app/x.cpp", "std::cout << 1;\n", None)

    def test_shells(self):
        for line in ("  system(text);", "  return std::system(text);", "  if (::system(text) != 0) {", "  auto* in = popen(text);",
                     "  ::execvp(name, words);", "  posix_spawnp(&id, name);", '  run("/bin/sh", "-c");'):
            self.assertEqual(1, len(shell_faults("broker/app/x.cpp", line)), line)
        for line in ("  std::string system(message.text());", "  ::posix_spawn(&id, path);", "  // no system( here", "  exec(sql);"):
            self.assertEqual([], shell_faults("adapters/formats/x.cpp", line), line)

    def test_tests(self):
        self.check("tests/unit/base/x_test.cpp", 'TEST_CASE("parse") {}\n', "not a sentence")
        self.check("tests/unit/base/x_test.cpp", "int x;\n", "without a test")
        self.check("tests/unit/base/x_test.cpp", 'TEST_CASE("it is so") { std::mt19937 random(1); }\n', "seed")
        self.check("tests/unit/base/x_test.cpp", 'TEST_CASE("it is so") {}\n', None)

    def test_rooms(self):
        self.assertEqual(
            ["broker/base: no README.md", "broker/base/x.cpp: no tests/unit/base/x_test.cpp"],
            [line for line in room_faults({"broker/base/x.cpp": ""}) if "excused" not in line],
        )
        complete = {"broker/care/x.cpp": "", "broker/care/README.md": "", "tests/unit/care/x_test.cpp": ""}
        self.assertEqual([], room_faults(complete))

    def test_top_level(self):
        self.assertEqual(1, len(top_level_faults(["broker", ".clang-format", "notes.txt", "build-debug"])))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
