"""A subscriber that stops reading cannot grow the hub's memory: the figure is printed."""
import signal
import subprocess
import time
import unittest

from county import CAREHUB, County, Mllp, Receiver, admission, nhs_number, wait_until

MESSAGES = 30_000
GROWTH_MAX_MB = 96


def resident_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


class SlowSubscriber(unittest.TestCase):
    def test_memory_stays_bounded(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port).start()
        # Two that stop: a watcher frozen by the operating system, and a webhook that never answers.
        receiver.behave = lambda path, body: time.sleep(3600)
        watch = subprocess.Popen([CAREHUB, "watch", str(county.config), "--role", "social-care-duty", "--agency",
                                  "northmarch-council", "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        watch.send_signal(signal.SIGSTOP)
        connection = Mllp(county.mllp)
        filler = "NTE|1||" + "Text of a usual length for a note. " * 20
        def push(first, count, window=32):
            for index in range(first, first + count):
                connection.send(admission(f"S{index:07d}", nhs_number(10_000 + index % 5000), extra=[filler]))
                if index - first >= window:
                    self.assertIn(b"MSA|AA|", connection.receive())
            for _ in range(min(window, count)):
                self.assertIn(b"MSA|AA|", connection.receive())
        push(0, MESSAGES // 3)
        before = resident_mb(county.hub.pid)
        push(MESSAGES // 3, MESSAGES - MESSAGES // 3)
        after = resident_mb(county.hub.pid)
        print(f"{MESSAGES} messages with a frozen and a silent subscriber: {before:.0f} MB after a third, {after:.0f} MB "
              f"at the end", flush=True)
        self.assertLess(after - before, GROWTH_MAX_MB)
        watch.send_signal(signal.SIGCONT)
        watch.terminate()
        watch.wait(10)
        county.kill()
        receiver.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
