"""The hub's own protocol spoken by hand: frames from schemas/*.fbs over bare ZeroMQ sockets, as a stranger would speak it."""
import atexit
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import types
import uuid

import zmq

from county import ROOT, nhs_number


def generate():
    """Classes for the tables of the schemas. Nested buffers are plain bytes here: flatc's Python cannot import them."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="carehub-wire-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    for schema in (ROOT / "schemas").glob("*.fbs"):
        plain = re.sub(r' *\(nested_flatbuffer: "[^"]*"\)', "", schema.read_text())
        (directory / schema.name).write_text(plain)
    schemas = [str(directory / f"{name}.fbs") for name in ("event", "ledger", "wire")]
    subprocess.run([shutil.which("flatc"), "--python", "--gen-object-api", "-I", str(directory), "-o",
                    str(directory / "generated"), *schemas], check=True)
    sys.path.insert(0, str(directory / "generated"))


generate()
import flatbuffers  # noqa: E402
from carehub.event import Admission, Date, Event, EventType, Organisation, OrganisationScheme, Person  # noqa: E402
from carehub.ledger import Filter, Range  # noqa: E402
from carehub.wire import (Ack, Credit, Deliver, Frame, Goodbye, Heartbeat, Hello, Message, Page, Publish, PublishItem,  # noqa: E402
                          Subscribe, Welcome)
from carehub.wire.ErrorKind import ErrorKind  # noqa: E402
from carehub.wire.Outcome import Outcome  # noqa: E402

WIRE, EVENT = b"CHWI", b"CHEV"
NAMES = {number: name for name, number in vars(Message.Message).items() if isinstance(number, int)}


def table(kind, **fields):
    """An object of the generated API, such as table(Hello, client="x")."""
    made = getattr(kind, kind.__name__.rsplit(".", 1)[-1] + "T")()
    for name, value in fields.items():
        if name not in vars(made):
            raise AssertionError(f"{kind.__name__} has no field {name}")
        setattr(made, name, value)
    return made


def packed(root, identifier):
    builder = flatbuffers.Builder(1024)
    builder.Finish(root.Pack(builder), file_identifier=identifier)
    return bytes(builder.Output())


def frame(message, verb=None, minor=0):
    """One message as a frame. `verb` lies about which one it is."""
    name = type(message).__name__[:-1]
    number = getattr(Message.Message, name) if verb is None else verb
    return packed(table(Frame, major=1, minor=minor, messageType=number, message=message), WIRE)


def admission(child, agency="elwick-hospital", reason=None):
    """The event of a child's admission, who lives in the county."""
    person = table(Person, nhsNumber=nhs_number(child), birthDate=table(Date, year=2012, month=5, day=3),
                   homeAuthority=table(Organisation, code="E10000099", scheme=OrganisationScheme.OrganisationScheme.gss))
    event = table(Event, id=str(uuid.uuid4()), type=EventType.EventType.admission, sourceAgency=agency,
                  receivedAt=int(time.time() * 1e6), person=person, admission=table(Admission, reasonText=reason))
    return packed(event, EVENT)


def publish(first, events):
    return table(Publish, items=[table(PublishItem, number=first + at, event=list(event))
                                 for at, event in enumerate(events)])


def ack(subscription, *ranges):
    return table(Ack, subscription=subscription, ranges=[table(Range, first=first, last=last) for first, last in ranges])


def heard(data):
    """A frame's verb and message. Of deliveries only the numbers: flatc's Python cannot read a key, an array in a struct."""
    got = Frame.Frame.GetRootAs(data)
    verb = NAMES[got.MessageType()]
    if verb != "Deliver":
        return verb, Frame.FrameT.InitFromObj(got).message
    deliver = Deliver.Deliver()
    deliver.Init(got.Message().Bytes, got.Message().Pos)
    return verb, types.SimpleNamespace(deliveries=[types.SimpleNamespace(sequence=deliver.Deliveries(at).Sequence())
                                                   for at in range(deliver.DeliveriesLength())])


def subscribe(name, role="social-care-duty", credit=256):
    return table(Subscribe, name=name, role=role, credit=credit, durable=True, filter=table(Filter))


class Peer:
    """A bare DEALER with a routing id of the test's choice."""

    def __init__(self, endpoint, keys=None, server=None, routing_id=None, watch=False):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.rcvhwm = 0
        self.routing_id = routing_id or b"t" + os.urandom(31)
        self.socket.setsockopt(zmq.ROUTING_ID, self.routing_id)
        if keys:
            self.socket.curve_publickey, self.socket.curve_secretkey = keys
            self.socket.curve_serverkey = server
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED) if watch else None
        self.socket.connect(endpoint)
        self.heard = []
        self.said = time.monotonic()
        self.greeted = False

    def say(self, message):
        self.socket.send(message if isinstance(message, bytes) else frame(message))
        self.said = time.monotonic()

    def keep_alive(self):
        """The hub lets go of who says nothing for ten seconds."""
        if not self.socket.closed and time.monotonic() - self.said > 2:
            self.say(table(Heartbeat, at=0))

    def read(self, seconds):
        """One more frame, if it comes in time: its verb's name and its message."""
        self.keep_alive()
        if not self.socket.poll(int(seconds * 1000)):
            return False
        self.heard.append(heard(self.socket.recv()))
        return True

    def hear(self, verb, seconds=240):
        """The next message of that verb; what comes before it is kept."""
        end = time.monotonic() + seconds
        while True:
            for at, (name, message) in enumerate(self.heard):
                if name == verb:
                    del self.heard[at]
                    return message
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s for {verb}; heard {[name for name, _ in self.heard]}")
            self.read(0.2)

    def greet(self, agency="", client="test"):
        self.say(table(Hello, client=client, agency=agency))
        welcome = self.hear("Welcome")
        self.greeted = True
        return welcome

    def subscribe(self, name, **options):
        self.say(subscribe(name, **options))
        return self.hear("Subscribed")

    def receipts(self, first, events):
        """Publishes and waits for each one's receipt; their sequences."""
        self.say(publish(first, events))
        outcomes = {}
        while len(outcomes) < len(events):
            for outcome in self.hear("Published").outcomes:
                if outcome.outcome != Outcome.receipt:
                    raise AssertionError(f"no receipt but outcome {outcome.outcome}: {outcome.text}")
                outcomes[outcome.number] = outcome.sequence
        return [outcomes[first + at] for at in range(len(events))]

    def take(self, subscription):
        """Acks the next deliveries and returns their credit; their sequences."""
        got = [each.sequence for each in self.hear("Deliver").deliveries]
        self.say(ack(subscription, *((each, each) for each in got)))
        self.say(table(Credit, subscription=subscription, amount=len(got)))
        return got

    def leave(self):
        """Says Goodbye, so that what was in flight is not held against anybody."""
        self.say(table(Goodbye))
        self.socket.close(1000)

    def close(self):
        if self.socket.closed:
            return
        if self.monitor:
            self.socket.disable_monitor()
            self.monitor.close(0)
        self.socket.close(0)


class Neighbours(threading.Thread):
    """A publisher and a subscriber that behave, and exchange events for as long as they are left in peace."""

    def __init__(self, publisher, subscriber, name="neighbours"):
        super().__init__(daemon=True)
        self.publisher, self.subscriber, self.subscription = publisher, subscriber, name
        self.exchanged = 0
        self.fault = None
        self.over = threading.Event()

    def run(self):
        try:
            self.publisher().greet()
            self.subscriber().greet()
            self.subscriber().subscribe(self.subscription)
            while not self.over.wait(0.02):
                self.exchange(self.exchanged)
                self.exchanged += 1
        except Exception as fault:  # told by the test that waits for more
            self.fault = fault

    def exchange(self, index):
        sequence, = self.publisher().receipts(index + 1, [admission(400_000 + index % 90_000)])
        while True:
            if sequence in self.subscriber().take(self.subscription):
                return
