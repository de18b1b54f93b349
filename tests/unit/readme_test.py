"""What the READMEs name is there: files in backquotes and links."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUFFIXES = (".cpp", ".hpp", ".py", ".sh", ".toml", ".fbs", ".md", ".txt", ".json", ".hl7", ".csv")


def named_files(text):
    """Paths with a slash and a known suffix in backquotes, and the targets of links; no patterns, no placeholders."""
    for code in re.findall(r"`([^`\n]+)`", text):
        for word in code.split():
            if "/" in word and word.endswith(SUFFIXES) and re.fullmatch(r"[\w./-]+", word) and not word.startswith("/"):
                yield word
    for target in re.findall(r"\]\(([^)#\s]+)\)", text):
        if "://" not in target:
            yield target


def missing(readme, root=ROOT):
    places = (readme.parent, root)
    generated = ("build/", "run/", "data/", "../", "done/", "refused/", "schemas/event_", "generated/")
    # Words in capitals stand for any name.
    return sorted({name for name in named_files(readme.read_text())
                   if not name.startswith(generated) and not re.search(r"\b[A-Z]{3,}\b(?!\.md)", name)
                   and not any((place / name).exists() for place in places)})


def proofs():
    """The names of tests, and of what the simulator's model checks."""
    found = set()
    for path in (ROOT / "tests").rglob("*.cpp"):
        found.update(re.findall(r'(?:TEST_CASE|broken)\(\s*"([^"]+)"', path.read_text()))
    for path in (ROOT / "tests").rglob("*.py"):
        found.update(re.findall(r"def (test_\w+)", path.read_text()))
    return found


class Readmes(unittest.TestCase):
    def test_every_file_that_a_readme_names_is_there(self):
        readmes = [p for p in ROOT.rglob("README.md") if not {"build", "run", "node_modules"} & set(p.relative_to(ROOT).parts)]
        self.assertGreater(len(readmes), 10)
        self.assertEqual({str(p.relative_to(ROOT)): names for p in readmes if (names := missing(p))}, {})

    def test_every_promise_names_tests_that_are_there(self):
        promised = [line for line in (ROOT / "broker/README.md").read_text().splitlines()
                    if line.startswith("| ") and '"' in line]
        self.assertGreater(len(promised), 20)
        names = {name for line in promised for name in re.findall(r'"([^"]+)"', line)}
        self.assertEqual(sorted(names - proofs()), [])

    def test_a_name_that_is_not_there_is_found(self):
        self.assertEqual(list(named_files("see `broker/nowhere.cpp --flag` and [x](gone/README.md)")),
                         ["broker/nowhere.cpp", "gone/README.md"])


if __name__ == "__main__":
    unittest.main()
