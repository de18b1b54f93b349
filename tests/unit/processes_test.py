"""deploy/run.sh uses again, and stops, only what is its own: never a stranger who has a stale process id by now."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Processes(unittest.TestCase):
    def setUp(self):
        self.tree = pathlib.Path(tempfile.mkdtemp(prefix="carehub-test-"))
        self.addCleanup(shutil.rmtree, self.tree)
        (self.tree / "run").mkdir()
        (self.tree / "deploy/sample").mkdir(parents=True)
        self.hub = self.tree / "bin/carehub"
        self.hub.parent.mkdir()
        shutil.copy(shutil.which("sleep"), self.hub)
        (self.tree / "deploy/sample/partners.py").write_text("import time\ntime.sleep(600)\n")

    def start(self, name, *command, directory=None):
        process = subprocess.Popen(command, cwd=directory or self.tree)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        (self.tree / f"run/{name}.pid").write_text(f"{process.pid}\n")
        return process

    def ask(self, question):
        """The exit code of a line of shell that has deploy/processes.sh."""
        return subprocess.run(["bash", "-euo", "pipefail", "-c", f'run=run carehub=bin/carehub; . "$0"; {question}',
                               str(ROOT / "deploy/processes.sh")], cwd=self.tree, stdout=subprocess.DEVNULL).returncode

    def test_the_hub_and_the_partners_are_known_and_stopped(self):
        hub = self.start("hub", str(self.hub), "600")
        partners = self.start("partners", "python3", "deploy/sample/partners.py")
        self.assertEqual(self.ask("running hub && running partners && of_this_build"), 0)
        self.assertEqual(self.ask("stop hub partners"), 0)
        self.assertLess(hub.wait(120), 0)
        self.assertLess(partners.wait(120), 0)
        self.assertEqual(list((self.tree / "run").iterdir()), [])

    def test_a_hub_that_was_built_anew_since_is_known_as_an_old_one_and_stopped(self):
        hub = self.start("hub", str(self.hub), "600")
        self.hub.unlink()
        self.assertEqual(self.ask("running hub"), 0)
        self.assertNotEqual(self.ask("of_this_build"), 0)
        shutil.copy(shutil.which("sleep"), self.hub)
        self.assertNotEqual(self.ask("of_this_build"), 0)
        self.assertEqual(self.ask("stop hub"), 0)
        self.assertLess(hub.wait(120), 0)

    def test_strangers_with_a_stale_process_id_are_left_alone(self):
        strangers = [self.start("hub", "sleep", "600"),
                     self.start("partners", "python3", "deploy/sample/partners.py", directory=self.elsewhere())]
        self.assertNotEqual(self.ask("running hub"), 0)
        self.assertNotEqual(self.ask("running partners"), 0)
        self.assertEqual(self.ask("stop hub partners"), 0)
        self.assertEqual([stranger.poll() for stranger in strangers], [None, None])

    def elsewhere(self):
        """Another clone of the project."""
        other = self.tree / "other"
        shutil.copytree(self.tree / "deploy", other / "deploy")
        return other

    def test_a_process_id_that_is_gone_or_no_number_is_nobody(self):
        for text in ("", "0\n", "-1\n", "not a number\n", "4194305\n"):
            (self.tree / "run/hub.pid").write_text(text)
            self.assertNotEqual(self.ask("running hub"), 0, text)
            self.assertEqual(self.ask("stop hub"), 0, text)


if __name__ == "__main__":
    unittest.main()
