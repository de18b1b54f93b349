"""The same configuration as one process, and split over processes."""
import pathlib
import subprocess
import unittest

from county import CAREHUB, County, Mllp, Receiver, admission, free_port, nhs_number, wait_until


class Split(unittest.TestCase):
    def test_broker_and_adapters_in_processes_of_their_own(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port)
        county.start(command="broker")
        logs = open(county.directory / "adapters.log", "wb")
        adapters = {name: subprocess.Popen([CAREHUB, "adapter", str(county.config), "--channel", name], stdout=logs,
                                           stderr=logs, stdin=subprocess.DEVNULL)
                    for name in ("elwick-adt", "council-duty-desk")}
        try:
            def ask(control_id, index):
                def attempt():
                    try:
                        return Mllp(county.mllp).ask(admission(control_id, nhs_number(index)), 5)
                    except OSError:
                        return None
                return wait_until(attempt, f"an answer to {control_id}")
            self.assertIn(b"MSA|AA|", ask("SPLIT1", 601))
            wait_until(lambda: len(receiver.at("/duty-desk")) == 1, "the duty desk's event")

            # The broker restarts under its adapters; they find it again and nothing is lost.
            county.kill()
            county.start(command="broker")
            self.assertIn(b"MSA|AA|", ask("SPLIT2", 602))
            wait_until(lambda: len({e["id"] for e in receiver.at("/duty-desk")}) == 2, "the event after the restart")

            # An adapter is killed while events wait; another takes its place at the cursor.
            adapters["council-duty-desk"].kill()
            adapters["council-duty-desk"].wait()
            self.assertIn(b"MSA|AA|", ask("SPLIT3", 603))
            adapters["council-duty-desk"] = subprocess.Popen(
                [CAREHUB, "adapter", str(county.config), "--channel", "council-duty-desk"], stdout=logs, stderr=logs,
                stdin=subprocess.DEVNULL)
            wait_until(lambda: len({e["id"] for e in receiver.at("/duty-desk")}) == 3, "the event that waited")
        finally:
            for adapter in adapters.values():
                adapter.terminate()
                adapter.wait(30)
            self.assertEqual(county.stop(), 0)
            receiver.stop()
        self.assertEqual([a.returncode for a in adapters.values()], [0, 0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
