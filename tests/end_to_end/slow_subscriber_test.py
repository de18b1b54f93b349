"""A subscriber that stops reading cannot grow the hub's memory: the figure is printed."""
import signal
import threading
import unittest

from county import County, Mllp, Receiver, Watch, admission, main, nhs_number, resident_mb

MESSAGES = 30_000
GROWTH_MAX_MB = 96


class SlowSubscriber(unittest.TestCase):
    def test_memory_stays_bounded(self):
        receiver = Receiver()
        county = County(receiver_port=receiver.port).start()
        # Two that stop: a watcher frozen by the operating system, and a webhook that never answers.
        over = threading.Event()
        receiver.behave = lambda path, body: None if over.wait() else 500
        watch = Watch(county, "--role", "social-care-duty", "--agency", "northmarch-council")
        try:
            watch.process.send_signal(signal.SIGSTOP)
            self.flood(county)
        finally:
            over.set()
            watch.stop()
            county.kill()
            receiver.stop()

    def flood(self, county):
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
        connection.close()
        print(f"{MESSAGES} messages with a frozen and a silent subscriber: {before:.0f} MB after a third, {after:.0f} MB "
              f"at the end", flush=True)
        self.assertLess(after - before, GROWTH_MAX_MB)


if __name__ == "__main__":
    main()
