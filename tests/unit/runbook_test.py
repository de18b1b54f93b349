"""Every code that the program can show stands in the runbook, and the runbook names none that is gone."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNBOOK = ROOT / "deploy" / "runbook.md"


def sources():
    for room in ("broker", "adapters"):
        yield from sorted((ROOT / room).rglob("*.cpp"))


def codes_of(text):
    """Codes of alarms, notices and channels' alarms that a source can show."""
    found = set(re.findall(r"alarms\.push_back\(\s*(?:core::)?(?:Alarm)?\{\s*\"([\w-]+)\"", text))
    found |= set(re.findall(r"\blog_(?:notice|alarm|failure)\(\s*\"([\w-]+)\"", text))
    return found | set(re.findall(r"code=(CH-[A-Z-]+)", text))


def uncounted_alarms(text):
    """Alarms whose code is not written where they are raised, so that this test could not see it."""
    return len(re.findall(r"alarms\.push_back\(", text)) - len(
        re.findall(r"alarms\.push_back\(\s*(?:(?:core::)?(?:Alarm)?\{\s*\"[\w-]+\"|std::move\()", text))


def rows_of(runbook):
    """The first cell of each row, and whether the row says something in each of its cells."""
    rows = {}
    for line in runbook.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "code" and set(cells[0]) != {"-"}:
            rows[cells[0].strip("`")] = len(cells) == 3 and all(cells)
    return rows


def exit_codes():
    return set(re.findall(r"^\s+\w+ = (\d+),", (ROOT / "broker/app/exit_code.hpp").read_text(), re.MULTILINE))


class Runbook(unittest.TestCase):
    def setUp(self):
        self.rows = rows_of(RUNBOOK.read_text())
        self.codes = set().union(*(codes_of(path.read_text()) for path in sources()))

    def test_every_code_of_the_sources_has_its_line(self):
        self.assertGreater(len(self.codes), 15)
        self.assertEqual(sorted(self.codes - set(self.rows)), [])

    def test_every_exit_code_has_its_line(self):
        self.assertGreaterEqual(len(exit_codes()), 8)
        self.assertEqual(sorted(exit_codes() - set(self.rows)), [])

    def test_no_line_speaks_of_a_code_that_is_gone(self):
        self.assertEqual(sorted(set(self.rows) - self.codes - exit_codes()), [])

    def test_every_line_says_what_it_means_and_what_to_do(self):
        self.assertEqual([code for code, complete in self.rows.items() if not complete], [])

    def test_every_alarm_is_raised_with_its_code_beside_it(self):
        self.assertEqual([str(path.relative_to(ROOT)) for path in sources() if uncounted_alarms(path.read_text())], [])

    def test_a_code_that_is_missing_would_be_found(self):
        text = 'out.alarms.push_back({"new_alarm", text}); log_failure("new-end", x); error("a code=CH-NEW alarm");'
        self.assertEqual(codes_of(text), {"new_alarm", "new-end", "CH-NEW"})
        self.assertEqual(uncounted_alarms("alarms.push_back(made);"), 1)
        self.assertEqual(rows_of("| code | x | y |\n| --- | --- | --- |\n| `a` | b | |\n"), {"a": False})


if __name__ == "__main__":
    unittest.main()
