"""Clients that mean harm, each by name: refused or bounded, counted, and without effect on those who behave."""
import os
import resource
import socket
import subprocess
import threading
import time
import unittest

import zmq

import wire
from county import CAREHUB, County, free_port, main, resident_mb, wait_until
from wire import (ErrorKind, Neighbours, Outcome, Peer, ack, admission, frame, publish, subscribe, table)

GROWTH_MAX_MB = 160
CREDIT_MAX = 4096           # broker/base/limits.hpp
CONNECTIONS_PER_KEY = 64    # broker/server/zmq_transport.hpp
AGENCIES = ("elwick-hospital", "northmarch-council", "holm-school")


class Trickle(threading.Thread):
    """A line between a client and the hub that takes almost nothing of what the hub says, once `slow` is set."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.hub_port = port
        self.slow = threading.Event()
        self.over = threading.Event()
        self.listener = socket.socket()
        self.port = free_port()
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen()

    def run(self):
        client, _ = self.listener.accept()
        self.listener.close()  # nobody comes back through here
        hub = socket.socket()
        hub.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel makes it the smallest that there is
        hub.connect(("127.0.0.1", self.hub_port))
        threading.Thread(target=self.pump, args=(client, hub, None), daemon=True).start()
        self.pump(hub, client, self.slow)
        client.close()
        hub.close()

    def pump(self, source, sink, slow):
        try:
            while not self.over.is_set():
                slowed = slow is not None and slow.is_set()
                part = source.recv(1 if slowed else 65536)
                if not part:
                    return
                sink.sendall(part)
                if slowed:
                    self.over.wait(1)
        except OSError:
            return


class Adversaries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.peers = []
        cls.port = free_port()
        cls.endpoint = f"tcp://127.0.0.1:{cls.port}"
        cls.county = County(replace=[('listen = ["ipc://hub.sock"]',
            f'listen = ["ipc://hub.sock", "{cls.endpoint}"]\ncurve_secret_file = "hub.secret"')])
        subprocess.run([CAREHUB, "keys", str(cls.county.directory / "hub")], check=True, capture_output=True)
        cls.server = (cls.county.directory / "hub.public").read_text().strip().encode()
        cls.keys = {agency: zmq.curve_keypair() for agency in AGENCIES}
        with open(cls.county.config, "a") as config:
            for agency, (public, _) in cls.keys.items():
                config.write(f'\n[[client]]\nname = "{agency}"\nagency = "{agency}"\npublic_key = "{public.decode()}"\n')
        # As a login shell or systemd would start it: the hub itself asks for as many files as it may have.
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        cls.county.start(command="broker", preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard)))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.publisher, cls.subscriber = cls.peer("elwick-hospital"), cls.peer("northmarch-council")
        cls.neighbours = Neighbours(lambda: cls.publisher, lambda: cls.subscriber)
        cls.neighbours.start()
        cls.peers = []  # of the one test that runs; those two have a thread of their own

    @classmethod
    def tearDownClass(cls):
        cls.neighbours.over.set()
        cls.neighbours.join(240)
        for peer in (cls.publisher, cls.subscriber):
            peer.close()
        if cls.county.stop() != 0:
            raise AssertionError(cls.county.log.read_text()[-4000:])

    @classmethod
    def peer(cls, agency, endpoint=None, **options):
        peer = Peer(endpoint or cls.endpoint, keys=cls.keys[agency], server=cls.server, **options)
        cls.peers.append(peer)
        return peer

    def setUp(self):
        self.exchange(3)
        # Whoever came in the test before is gone, for the hub, too: those two are left, and who asks for the counts.
        self.wait(lambda: self.counts()["connections"] <= 3, "the end of the connections before")
        self.before = self.counts()
        self.resident_before = resident_mb(self.county.hub.pid)

    def tearDown(self):
        self.exchange(10)
        while self.peers:
            self.peers.pop().close()
        grown = resident_mb(self.county.hub.pid) - self.resident_before
        self.assertLess(grown, GROWTH_MAX_MB, "the hub's memory in MB")

    def wait(self, condition, what):
        """With everybody who said Hello staying in touch meanwhile."""
        def is_so():
            for peer in self.peers:
                if peer.greeted:
                    peer.keep_alive()
            return condition()
        return wait_until(is_so, what, 240)

    def exchange(self, events):
        """The neighbours exchange so many more events."""
        until = self.neighbours.exchanged + events
        self.wait(lambda: self.neighbours.exchanged >= until or self.neighbours.fault, f"{events} more events")
        self.assertIsNone(self.neighbours.fault)

    def counts(self):
        return {row["kind"]: row["count"] for row in self.county.rows("status") if "count" in row}

    def counted(self, kind, more):
        """The hub has counted so many more since the test began."""
        self.wait(lambda: self.counts()[kind] >= self.before[kind] + more, f"{more} more {kind}")

    def rejected(self, peer, message):
        peer.say(message)
        return peer.hear("Rejected")

    def test_frames_that_are_not_flatbuffers(self):
        whole = frame(table(wire.Hello, client="x", agency="holm-school"))
        bad = [b"", b"\xff" * 100, os.urandom(4096), whole[: len(whole) // 2], whole[:4] + b"NONE" + whole[8:],
               b"\xff\xff\xff\x7f" + whole[4:]]
        # A verb without what it says, which FlatBuffers' verifier lets pass.
        bad += [wire.packed(table(wire.Frame, major=1, minor=0, messageType=verb), wire.WIRE)
                for verb in (1, 4, 6, 10, 11, 13, 15)]
        for each in bad:
            peer = self.peer("holm-school")
            told = self.rejected(peer, each)
            self.assertEqual((told.kind, told.closing), (ErrorKind.invalid, True))
            peer.close()
        self.counted("frames_refused", len(bad))
        many = self.peer("holm-school")
        many.socket.send_multipart([b"a", b"b", b"c"])
        self.counted("frames_unaddressed", 1)
        many.close()
        for each in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(65536)):
            with socket.create_connection(("127.0.0.1", self.port), timeout=240) as bare:
                try:
                    bare.sendall(each)
                    while bare.recv(4096):
                        pass
                except ConnectionError:
                    pass  # cut off, which is as good

    def test_verified_but_absurd_lengths(self):
        peer = self.peer("elwick-hospital")
        peer.greet()
        # A hundred thousand items that are all the same one, and an event whose texts are all the same long one.
        builder = wire.flatbuffers.Builder(1 << 20)
        item = table(wire.PublishItem, number=1, event=list(admission(1))).Pack(builder)
        wire.Publish.PublishStartItemsVector(builder, 100_000)
        for _ in range(100_000):
            builder.PrependUOffsetTRelative(item)
        peer.say(self.finished(builder, "Publish", builder.EndVector()))
        peer.say(self.shared_originals())
        for _ in range(2):
            self.wait(lambda: peer.read(0.2) or peer.heard, "an answer")
        self.assertTrue({name for name, _ in peer.heard} <= {"Rejected", "Published", "Heartbeat"}, peer.heard)
        for name, message in peer.heard:
            if name == "Published":
                self.assertNotIn(Outcome.receipt, [each.outcome for each in message.outcomes])
        peer.close()

        council = self.peer("northmarch-council")
        council.greet()
        told = self.rejected(council, self.wide_filter())
        self.assertEqual(told.kind, ErrorKind.invalid)
        self.counted("frames_refused", 3)
        council.close()

        # Longer than any frame may be: the connection ends before the hub's loop sees a byte of it.
        large = self.peer("holm-school", watch=True)
        large.greet()
        large.say(b"\0" * (9 << 20))
        self.assertTrue(large.monitor.poll(240_000), "the connection was not cut off")
        large.close()

    def finished(self, builder, verb, vector):
        """A frame whose message has `vector` as its first field."""
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, vector, 0)
        message = builder.EndObject()
        wire.Frame.FrameStart(builder)
        wire.Frame.FrameAddMajor(builder, 1)
        wire.Frame.FrameAddMessageType(builder, getattr(wire.Message.Message, verb))
        wire.Frame.FrameAddMessage(builder, message)
        builder.Finish(wire.Frame.FrameEnd(builder), file_identifier=wire.WIRE)
        return bytes(builder.Output())

    def shared_originals(self):
        """A thousand items with one original of a megabyte: a gigabyte, to whoever believes the lengths."""
        builder = wire.flatbuffers.Builder(2 << 20)
        original = builder.CreateByteVector(b"o" * (1 << 20))
        items = []
        for number in range(1000):
            event = builder.CreateByteVector(admission(number))
            wire.PublishItem.PublishItemStart(builder)
            wire.PublishItem.PublishItemAddNumber(builder, 1000 + number)
            wire.PublishItem.PublishItemAddEvent(builder, event)
            wire.PublishItem.PublishItemAddOriginal(builder, original)
            items.append(wire.PublishItem.PublishItemEnd(builder))
        wire.Publish.PublishStartItemsVector(builder, len(items))
        for item in items:
            builder.PrependUOffsetTRelative(item)
        return self.finished(builder, "Publish", builder.EndVector())

    def wide_filter(self):
        """A subscription whose filter names one text of a megabyte a hundred thousand times."""
        builder = wire.flatbuffers.Builder(2 << 20)
        text = builder.CreateString("u" * (1 << 20))
        wire.Filter.FilterStartHomeAuthoritiesVector(builder, 100_000)
        for _ in range(100_000):
            builder.PrependUOffsetTRelative(text)
        authorities = builder.EndVector()
        wire.Filter.FilterStart(builder)
        wire.Filter.FilterAddHomeAuthorities(builder, authorities)
        wanted = wire.Filter.FilterEnd(builder)
        name, role = builder.CreateString("wide"), builder.CreateString("social-care-duty")
        wire.Subscribe.SubscribeStart(builder)
        wire.Subscribe.SubscribeAddName(builder, name)
        wire.Subscribe.SubscribeAddRole(builder, role)
        wire.Subscribe.SubscribeAddFilter(builder, wanted)
        message = wire.Subscribe.SubscribeEnd(builder)
        wire.Frame.FrameStart(builder)
        wire.Frame.FrameAddMajor(builder, 1)
        wire.Frame.FrameAddMessageType(builder, wire.Message.Message.Subscribe)
        wire.Frame.FrameAddMessage(builder, message)
        builder.Finish(wire.Frame.FrameEnd(builder), file_identifier=wire.WIRE)
        return bytes(builder.Output())

    def test_unknown_verbs(self):
        peer = self.peer("holm-school")
        peer.greet()
        verbs = (frame(table(wire.Heartbeat, at=1), verb=200), frame(table(wire.Heartbeat, at=1), verb=255),
                 frame(table(wire.Welcome, hub="I am the hub")), frame(table(wire.Page, number=1)))
        for each in verbs:
            told = self.rejected(peer, each)
            self.assertEqual((told.kind, told.closing), (ErrorKind.invalid, False))
        told = self.rejected(peer, frame(table(wire.Heartbeat, at=1), minor=9))
        self.assertTrue(told.closing)
        self.counted("frames_refused", len(verbs) + 1)
        peer.close()

    def test_a_client_that_lies_about_its_name(self):
        liar = self.peer("holm-school")
        told = self.rejected(liar, table(wire.Hello, client="x", agency="northmarch-council"))
        self.assertEqual((told.kind, told.closing), (ErrorKind.denied, True))
        self.counted("frames_refused", 1)
        liar.close()
        liar = self.peer("holm-school")
        liar.greet()
        liar.say(publish(1, [admission(1)]))  # an event that says it is the hospital's
        outcome, = liar.hear("Published").outcomes
        self.assertEqual((outcome.outcome, outcome.kind), (Outcome.refused, ErrorKind.denied))
        told = self.rejected(liar, subscribe("desk", role="social-care-duty"))
        self.assertEqual(told.kind, ErrorKind.denied)
        told = self.rejected(liar, subscribe(self.neighbours.subscription, role="school-pastoral"))
        self.assertIn(told.kind, (ErrorKind.denied, ErrorKind.conflict))
        self.counted("frames_refused", 3)
        self.counted("publications_refused", 1)
        liar.close()
        stranger = Peer(self.endpoint, keys=zmq.curve_keypair(), server=self.server)
        stranger.say(table(wire.Hello, client="x", agency="holm-school"))
        self.counted("keys_refused", 1)
        self.assertFalse(stranger.read(0))
        stranger.close()

    def test_another_takes_a_routing_id(self):
        hospital = self.peer("elwick-hospital")
        hospital.greet()
        victim = self.peer("northmarch-council")
        victim.greet()
        victim.subscribe("victim-of-a-thief")
        hospital.receipts(1, [admission(100)])
        victim.hear("Deliver")

        during = self.peer("holm-school", routing_id=victim.routing_id)  # while it is in use
        during.say(table(wire.Hello, client="x"))
        self.exchange(10)
        self.assertFalse(during.read(0))
        hospital.receipts(2, [admission(101)])
        victim.hear("Deliver")
        during.close()

        victim.close()
        self.counted("connections_lost", 1)
        thief = self.peer("holm-school", routing_id=victim.routing_id)  # and after it has gone
        hospital.receipts(3, [admission(number) for number in range(102, 112)])
        self.exchange(10)
        thief.say(table(wire.Hello, client="x"))
        self.assertTrue(self.wait(lambda: thief.read(0.2), "an answer to the thief"))
        self.assertEqual(thief.heard[0][0], "Welcome", "something came before anything was said")
        self.exchange(10)
        while thief.read(0):
            pass
        self.assertTrue({name for name, _ in thief.heard} <= {"Welcome", "Heartbeat"})
        thief.close()

        back = self.peer("northmarch-council")
        back.greet()
        back.subscribe("victim-of-a-thief")
        got = set()
        while len(got) < 12:
            got.update(back.take("victim-of-a-thief"))
        back.close()
        hospital.close()

    def test_replays_somebody_elses_acks(self):
        hospital = self.peer("elwick-hospital")
        hospital.greet()
        victim = self.peer("northmarch-council")
        victim.greet()
        victim.subscribe("victim-of-acks")
        sequence, = hospital.receipts(1, [admission(200)])
        while sequence not in [each.sequence for each in victim.hear("Deliver").deliveries]:
            pass
        overheard = frame(ack("victim-of-acks", (sequence, sequence)))
        for agency in ("holm-school", "northmarch-council", "elwick-hospital"):
            other = self.peer(agency)
            other.greet()
            other.say(overheard)
            other.say(overheard)
            self.rejected(other, frame(table(wire.Heartbeat, at=1), verb=200))  # both were read
            other.close()
        victim.leave()
        back = self.peer("northmarch-council")
        back.greet()
        back.subscribe("victim-of-acks")
        while sequence not in [each.sequence for each in back.hear("Deliver").deliveries]:
            pass
        self.counted("answers_ignored", 6)
        back.close()
        hospital.close()

    def test_acks_of_what_was_not_delivered(self):
        hospital = self.peer("elwick-hospital")
        hospital.greet()
        liar = self.peer("northmarch-council")
        liar.greet()
        liar.subscribe("liar-about-acks", credit=1)
        first, second = hospital.receipts(1, [admission(300), admission(301)])
        huge = (1 << 64) - 1
        liar.say(ack("liar-about-acks", (second + 1, huge), (huge, second), (0, 0), (huge, huge)))
        liar.say(ack("liar-about-acks", *[(second, huge)] * 10_000))
        liar.say(ack("no such subscription", (1, huge)))
        liar.say(table(wire.Ack))
        self.counted("answers_ignored", 4)
        liar.leave()
        back = self.peer("northmarch-council")
        back.greet()
        back.subscribe("liar-about-acks")
        got = set()
        until = time.monotonic() + 300
        while not {first, second} <= got:
            self.assertLess(time.monotonic(), until, "what was not acked did not come again")
            got.update(back.take("liar-about-acks"))
        back.close()
        hospital.close()

    def test_asks_for_unlimited_credit(self):
        hospital = self.peer("elwick-hospital")
        hospital.greet()
        greedy = self.peer("northmarch-council")
        greedy.greet()
        most = (1 << 32) - 1
        greedy.subscribe("greedy", credit=most)
        for _ in range(10):
            greedy.say(table(wire.Credit, subscription="greedy", amount=most))
        events = CREDIT_MAX + 500
        for first in range(0, events, 200):
            hospital.receipts(1 + first, [admission(10_000 + first + at) for at in range(min(200, events - first))])
            greedy.keep_alive()
        got = []
        while len(got) < CREDIT_MAX:
            got += greedy.hear("Deliver").deliveries
        self.exchange(10)
        self.rejected(greedy, frame(table(wire.Heartbeat, at=1), verb=200))  # what was sent before has come
        while any(name == "Deliver" for name, _ in greedy.heard):
            got += greedy.hear("Deliver").deliveries
        self.assertEqual(len(got), CREDIT_MAX)
        self.counted("excess_credit", 11)
        greedy.close()
        hospital.close()

    def test_opens_ten_thousand_connections(self):
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        files_before = self.hub_files()
        bare = []
        try:
            for _ in range(min(10_000, most - 1_000)):
                bare.append(socket.create_connection(("127.0.0.1", self.port), timeout=240))
            self.exchange(10)
            peers = [self.peer("holm-school") for _ in range(3 * CONNECTIONS_PER_KEY)]
            for each in peers:
                each.say(table(wire.Hello, client="x"))
            heard = {"Welcome": 0, "Rejected": 0}
            for each in peers:
                self.wait(lambda: each.read(0.2), "an answer")
                heard[each.heard[0][0]] += 1
            self.assertEqual(heard, {"Welcome": CONNECTIONS_PER_KEY, "Rejected": 2 * CONNECTIONS_PER_KEY})
            self.counted("frames_beyond_limit", 2 * CONNECTIONS_PER_KEY)
            council = self.peer("northmarch-council")  # others are let in
            council.greet()
            council.close()
            for each in peers:
                each.close()
        finally:
            for each in bare:
                each.close()
        print(f"{len(bare)} bare connections", flush=True)
        self.wait(lambda: self.hub_files() < files_before + 100, "the files of connections that are gone")
        told = [line for line in self.county.log.read_text().splitlines() if "too_many_connections" in line]
        self.assertEqual(len(told), 1, told)
        school = self.peer("holm-school")  # room again
        self.wait(lambda: self.counts()["connections"] <= self.before["connections"], "the end of what was opened")
        school.greet()
        school.close()

    def hub_files(self):
        try:
            return len(os.listdir(f"/proc/{self.county.hub.pid}/fd"))
        except PermissionError:  # only root looks into a hub
            return 0

    def test_reads_one_byte_a_second(self):
        hospital = self.peer("elwick-hospital")
        hospital.greet()
        line = Trickle(self.port)
        line.start()
        slow = self.peer("northmarch-council", endpoint=f"tcp://127.0.0.1:{line.port}")
        slow.greet()
        slow.subscribe("trickle", credit=CREDIT_MAX)
        line.slow.set()
        slow.greeted = False  # it says nothing more, either
        reason = "Text of some length. " * 1_000
        for first in range(0, 2_000, 100):
            hospital.receipts(1 + first, [admission(20_000 + first + at, reason=reason) for at in range(100)])
        self.exchange(10)
        self.counted("connections_lost", 1)
        line.over.set()
        slow.close()
        back = self.peer("northmarch-council")  # nothing is lost of what could not be read
        back.greet()
        back.subscribe("trickle", credit=CREDIT_MAX)
        got = set()
        while len(got) < 2_000:
            got.update(back.take("trickle"))
        back.close()
        hospital.close()


if __name__ == "__main__":
    main()
