"""The security and clinical safety documents name tests that are there, and each threat and hazard is told whole."""
import pathlib
import re
import tempfile
import unittest

from readme_test import ROOT, missing

DOCUMENTS = [ROOT / "deploy" / name for name in ("security.md", "clinical_safety.md")]
NO_TEST = "no test"  # what a row says where nothing shows its control


def tests_of(root):
    """The names of test cases, of what the simulator's model checks, of CTest's tests and of Python's."""
    found = set()
    for path in (root / "tests").rglob("*.cpp"):
        for literals in re.findall(r'(?:TEST_CASE|broken)\(\s*("[^"\n]*"(?:\s*"[^"\n]*")*)', path.read_text()):
            found.add("".join(re.findall(r'"([^"]*)"', literals)))
    for path in (root / "tests").rglob("*.py"):
        found.update(re.findall(r"def (test_\w+)", path.read_text()))
    for path in (root / "tests").rglob("CMakeLists.txt"):
        found.update(re.findall(r'add_test\(NAME "([^"]+)"', path.read_text()))
    return found


def named_tests(text):
    """In these documents only a test's name stands in double quotes; a Python test may stand without."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    quoted = {" ".join(name.split()) for name in re.findall(r'"([^"]+)"', prose)}
    return quoted | set(re.findall(r"\btest_\w+(?!\.py)\b", re.sub(r"\w+/[\w/.]+", "", prose)))


def unknown_tests(document, root=ROOT):
    return sorted(named_tests(document.read_text()) - tests_of(root))


def rows(text):
    """The cells of each row that begins with an id such as T07 or H12."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and re.fullmatch(r"[A-Z]{1,2}\d\d", cells[0]):
            found.append(cells)
    return found


def poor_rows(text):
    """Ids that come twice, and of rows with an empty cell, or with neither a test nor the word that there is none."""
    all_rows = rows(text)
    ids = [cells[0] for cells in all_rows]
    poor = {name for name in ids if ids.count(name) > 1}
    for cells in all_rows:
        line = " ".join(cells)
        if not all(cells) or not (named_tests(line) or NO_TEST in line):
            poor.add(cells[0])
    return sorted(poor)


SEVERITIES = ("Minor", "Significant", "Considerable", "Major", "Catastrophic")


def matrix_of(text):
    """The risk of each likelihood and severity, as the document's own table has it."""
    found = {}
    line = re.compile(r"^\| (Very high|High|Medium|Low|Very low) ((?:\| \d )+)\|$", re.MULTILINE)
    for likelihood, numbers in line.findall(text):
        found |= {(severity, likelihood): risk for severity, risk in zip(SEVERITIES, re.findall(r"\d", numbers))}
    return found


def wrong_scores(text):
    """Ids of hazards without two scores, with one that is not the matrix's, whose severity differs or whose risk grows;
    and of those that stay at 4 or 5 without the word that they must be controlled before going live."""
    matrix = matrix_of(text)
    wrong = []
    for cells in rows(text):
        scores = [re.fullmatch(r"(\w+), ([\w ]+): (\d)", cell) for cell in cells]
        scores = [score.groups() for score in scores if score]
        if (len(scores) != 2 or any(matrix.get((severity, likelihood)) != risk for severity, likelihood, risk in scores)
                or scores[0][0] != scores[1][0] or scores[0][2] < scores[1][2]
                or (scores[1][2] >= "4" and "must be controlled before going live" not in cells[-1])):
            wrong.append(cells[0])
    return wrong


class Documents(unittest.TestCase):
    def test_every_named_test_is_there(self):
        for document in DOCUMENTS:
            self.assertGreater(len(named_tests(document.read_text())), 40, document.name)
            self.assertEqual(unknown_tests(document), [], document.name)

    def test_every_named_file_is_there(self):
        self.assertEqual({path.name: names for path in DOCUMENTS if (names := missing(path))}, {})

    def test_every_row_is_whole_and_names_its_test(self):
        for document in DOCUMENTS:
            self.assertGreater(len(rows(document.read_text())), 20, document.name)
            self.assertEqual(poor_rows(document.read_text()), [], document.name)

    def test_every_hazard_is_scored_by_the_matrix(self):
        text = (ROOT / "deploy/clinical_safety.md").read_text()
        self.assertEqual(len(matrix_of(text)), 25)
        self.assertEqual(wrong_scores(text), [])

    def test_lines_of_prose_are_no_longer_than_120(self):
        long_lines = [f"{path.name}:{number}" for path in DOCUMENTS
                      for number, line in enumerate(path.read_text().splitlines(), 1)
                      if len(line) > 120 and not line.startswith("|")]
        self.assertEqual(long_lines, [])


class Faults(unittest.TestCase):
    """In a tree that is made up, what is wrong is found."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        for name, text in {
                "tests/unit/door_test.cpp": 'TEST_CASE("the door is shut") {}\n'
                                            'TEST_CASE(\n    "a name of "\n    "two parts") {}\n'
                                            'TEMPLATE_TEST_CASE("two kinds", "", A, B) {}\n',
                "tests/unit/lock_test.py": "def test_it_locks(self): pass\n",
                "tests/unit/CMakeLists.txt": 'add_test(NAME "style: tidy"\n  COMMAND x)\n'}.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.document = self.root / "deploy" / "security.md"
        self.document.parent.mkdir()

    def write(self, text):
        self.document.write_text(text)
        return self.document

    def test_names_that_are_there_are_no_fault(self):
        text = '"the door is shut", "a name of\ntwo parts", "two kinds", "style: tidy", test_it_locks, "test_it_locks"'
        self.assertEqual(unknown_tests(self.write(text), self.root), [])

    def test_a_test_case_that_is_gone_is_found(self):
        self.assertEqual(unknown_tests(self.write('"the door is open", "the door"'), self.root),
                         ["the door", "the door is open"])

    def test_a_python_test_that_is_gone_is_found(self):
        self.assertEqual(unknown_tests(self.write("see test_it_opens"), self.root), ["test_it_opens"])

    def test_a_file_that_is_gone_is_found(self):
        self.assertEqual(missing(self.write("`tests/unit/lock_test.py` and `tests/unit/gone_test.py`"), self.root),
                         ["tests/unit/gone_test.py"])

    def test_a_row_that_is_not_whole_is_found(self):
        self.assertEqual(poor_rows('| T01 | a | "x" |\n| T02 | | "x" |\n| T03 | a | b |\n| T04 | a | no test |\n'
                                   '| T05 | a | "x" |\n| T05 | b | "x" |\n'), ["T02", "T03", "T05"])

    def test_a_score_that_the_matrix_does_not_give_is_found(self):
        matrix = "| High | 2 | 3 | 3 | 4 | 5 |\n| Low | 1 | 2 | 2 | 3 | 4 |\n"
        self.assertEqual(wrong_scores(matrix + "| H01 | Major, High: 4 | Major, Low: 3 |\n"
                                      "| H02 | Major, High: 3 | Major, Low: 3 |\n"
                                      "| H03 | Major, High: 4 | Minor, Low: 1 |\n"
                                      "| H04 | Major, High: 4 |\n"
                                      "| H05 | Major, Low: 3 | Major, High: 4 |\n"
                                      "| H06 | Major, High: 4 | Major, High: 4 | nothing |\n"
                                      "| H07 | Major, High: 4 | Major, High: 4 | "
                                      "must be controlled before going live |\n"),
                         ["H02", "H03", "H04", "H05", "H06"])


if __name__ == "__main__":
    unittest.main()
