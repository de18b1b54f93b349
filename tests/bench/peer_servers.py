"""The peers: how each server is started on a directory of its own, and the smallest client of each that keeps a window of
unconfirmed events and acks every delivery."""
import collections
import json
import os
import socket
import struct
import subprocess
import time

SUBSCRIBERS = 3
SILENCE_S = 60


class Missing(Exception):
    """A peer that cannot be measured here, and why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connected(port, within_s=30):
    until = time.monotonic() + within_s
    while True:
        try:
            made = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        except OSError:
            if time.monotonic() > until:
                raise Missing("its server does not listen") from None
            time.sleep(0.05)


def payload(number, bytes_):
    """The moment of leaving and the number, then filling: what a subscriber needs for the latency."""
    return struct.pack("<dQ", time.monotonic(), number) + b"x" * (bytes_ - 16)


class Lines:
    """Reads what a text protocol answers, many answers a system call."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""
        self.at = 0

    def more(self):
        got = self.connection.recv(1 << 18)
        if not got:
            raise Missing("its server closed the connection")
        self.buffer = self.buffer[self.at:] + got
        self.at = 0

    def line(self):
        while (end := self.buffer.find(b"\r\n", self.at)) < 0:
            self.more()
        found = self.buffer[self.at:end]
        self.at = end + 2
        return found

    def exactly(self, size):
        while len(self.buffer) - self.at < size:
            self.more()
        found = self.buffer[self.at:self.at + size]
        self.at += size
        return found

    def waits(self):
        return self.at < len(self.buffer)


# Redis: a stream, a group for each subscriber. XADD answers when the append-only file is synced (appendfsync always).

def resp(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def resp_answer(lines):
    kind = lines.line()
    if kind[:1] in b"+:":
        return kind[1:]
    if kind[:1] == b"-":
        raise Missing("it answers " + kind.decode())
    size = int(kind[1:])
    if kind[:1] == b"$":
        return None if size < 0 else lines.exactly(size + 2)[:-2]
    return None if size < 0 else [resp_answer(lines) for _ in range(size)]


class Redis:
    name = "Redis streams, appendfsync always"
    durable = "yes"
    program = "redis-server"

    def start(self, directory):
        self.port = free_port()
        return subprocess.Popen([self.program, "--port", str(self.port), "--dir", str(directory), "--appendonly", "yes",
                                 "--appendfsync", "always", "--save", "", "--daemonize", "no", "--bind", "127.0.0.1"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def prepare(self):
        connection = connected(self.port)
        lines = Lines(connection)
        for each in range(SUBSCRIBERS):
            connection.sendall(resp("XGROUP", "CREATE", "events", f"group{each}", "0", "MKSTREAM"))
            resp_answer(lines)

    def publish(self, events, window, bytes_):
        connection = connected(self.port)
        lines = Lines(connection)
        sent = received = 0
        while received < events:
            batch = []
            while sent < events and sent - received < window:
                batch.append(resp("XADD", "events", "*", "e", payload(sent, bytes_)))
                sent += 1
            if batch:
                connection.sendall(b"".join(batch))
            resp_answer(lines)
            received += 1
            while lines.waits() and received < sent:
                resp_answer(lines)
                received += 1

    def subscribe(self, which, events, seen):
        connection = connected(self.port)
        lines = Lines(connection)
        group = f"group{which}"
        count = 0
        while count < events:
            connection.sendall(resp("XREADGROUP", "GROUP", group, "one", "COUNT", 512, "BLOCK", SILENCE_S * 1000,
                                    "STREAMS", "events", ">"))
            answer = resp_answer(lines)
            if answer is None:
                raise Missing("deliveries ceased")
            entries = answer[0][1]
            now = time.monotonic()
            for entry in entries:
                seen.append(now - struct.unpack_from("<d", entry[1][1])[0])
            connection.sendall(resp("XACK", "events", group, *[entry[0] for entry in entries]))
            resp_answer(lines)
            count += len(entries)


# NATS JetStream: a file stream, a durable push consumer for each subscriber, acks explicit. Written to the protocol's
# description, since Debian has no client. The file store syncs on its own schedule, not before it confirms.

class Nats:
    name = "NATS JetStream, file store"
    durable = "no (page cache)"
    program = "nats-server"

    def start(self, directory):
        self.port = free_port()
        return subprocess.Popen([self.program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(directory)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def open(self):
        connection = connected(self.port)
        lines = Lines(connection)
        lines.line()
        connection.sendall(b'CONNECT {"verbose":false,"pedantic":false,"lang":"py","version":"1"}\r\nPING\r\n')
        while lines.line() != b"PONG":
            pass
        return connection, lines

    def message(self, connection, lines):
        """(reply subject or None, payload) of the next message."""
        while True:
            words = lines.line().split(b" ")
            if words[0] == b"MSG":
                body = lines.exactly(int(words[-1]) + 2)[:-2]
                return (words[3] if len(words) == 5 else None), body
            if words[0] == b"PING":
                connection.sendall(b"PONG\r\n")
            if words[0].startswith(b"-ERR"):
                raise Missing("it answers " + b" ".join(words).decode())

    def ask(self, connection, lines, subject, question):
        body = json.dumps(question).encode()
        connection.sendall(f"PUB {subject} inbox {len(body)}\r\n".encode() + body + b"\r\n")
        answer = json.loads(self.message(connection, lines)[1])
        if "error" in answer:
            raise Missing(f"it answers {answer['error']['description']}")

    def prepare(self):
        connection, lines = self.open()
        connection.sendall(b"SUB inbox 1\r\n")
        self.ask(connection, lines, "$JS.API.STREAM.CREATE.events",
                 {"name": "events", "subjects": ["events"], "storage": "file", "retention": "limits", "num_replicas": 1})
        for each in range(SUBSCRIBERS):
            self.ask(connection, lines, f"$JS.API.CONSUMER.DURABLE.CREATE.events.s{each}",
                     {"stream_name": "events",
                      "config": {"durable_name": f"s{each}", "deliver_subject": f"to.s{each}", "ack_policy": "explicit",
                                 "deliver_policy": "all", "max_ack_pending": 4096, "ack_wait": 30_000_000_000}})

    def publish(self, events, window, bytes_):
        connection, lines = self.open()
        connection.sendall(b"SUB confirms 1\r\n")
        head = b"PUB events confirms %d\r\n" % bytes_
        sent = received = 0
        while received < events:
            batch = []
            while sent < events and sent - received < window:
                batch.append(head + payload(sent, bytes_) + b"\r\n")
                sent += 1
            if batch:
                connection.sendall(b"".join(batch))
            self.message(connection, lines)
            received += 1
            while lines.waits() and received < sent:
                self.message(connection, lines)
                received += 1

    def subscribe(self, which, events, seen):
        connection, lines = self.open()
        connection.sendall(f"SUB to.s{which} 1\r\n".encode())
        acks = []
        while len(seen) < events:
            reply, body = self.message(connection, lines)
            seen.append(time.monotonic() - struct.unpack_from("<d", body)[0])
            acks.append(b"PUB " + reply + b" 4\r\n+ACK\r\n")
            if not lines.waits() or len(acks) >= 256:
                connection.sendall(b"".join(acks))
                acks = []
        connection.sendall(b"".join(acks) + b"PING\r\n")


# RabbitMQ: a fanout exchange, a quorum queue for each subscriber, publisher confirms. Through pika, whose own cost is
# large: what it measures is a lower bound of the broker.

class Rabbit:
    name = "RabbitMQ quorum queues, confirms"
    durable = "yes"
    program = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one on the path changes to a user and a directory of its own

    def start(self, directory):
        try:
            import pika  # noqa: F401
        except ImportError:
            raise Missing("python3-pika is not installed") from None
        self.port = free_port()
        surroundings = dict(os.environ, RABBITMQ_NODE_PORT=str(self.port), RABBITMQ_NODENAME=f"bench{self.port}@localhost",
                            RABBITMQ_MNESIA_BASE=str(directory), RABBITMQ_LOG_BASE=str(directory),
                            RABBITMQ_ENABLED_PLUGINS_FILE=str(directory / "plugins"), HOME=str(directory),
                            RABBITMQ_DIST_PORT=str(free_port()))
        return subprocess.Popen([self.program], env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                start_new_session=True)

    def open(self, within_s=90):
        import pika
        until = time.monotonic() + within_s
        while True:
            try:
                return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.port))
            except Exception:  # pika has one for each way of not being ready
                if time.monotonic() > until:
                    raise Missing("its server does not answer") from None
                time.sleep(1)

    def prepare(self):
        channel = self.open().channel()
        channel.exchange_declare("events", "fanout", durable=True)
        for each in range(SUBSCRIBERS):
            channel.queue_declare(f"s{each}", durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(f"s{each}", "events")

    def publish(self, events, window, bytes_):
        import pika
        parameters = pika.ConnectionParameters("127.0.0.1", self.port)
        state = {"sent": 0, "confirmed": 0}
        waiting = collections.OrderedDict()

        def confirmed(frame):
            if frame.method.NAME != "Basic.Ack":
                raise Missing("it refuses an event")
            tag = frame.method.delivery_tag
            if frame.method.multiple:
                while waiting and next(iter(waiting)) <= tag:
                    waiting.popitem(last=False)
            else:
                waiting.pop(tag, None)
            state["confirmed"] = state["sent"] - len(waiting)
            fill()

        def fill():
            while state["sent"] < events and state["sent"] - state["confirmed"] < window:
                channel.basic_publish("events", "", payload(state["sent"], bytes_),
                                      pika.BasicProperties(delivery_mode=2))
                state["sent"] += 1
                waiting[state["sent"]] = None
            if state["confirmed"] >= events:
                connection.close()

        def opened(made):
            nonlocal channel
            channel = made
            channel.confirm_delivery(confirmed, callback=lambda _: fill())

        channel = None
        connection = pika.SelectConnection(parameters, on_open_callback=lambda c: c.channel(on_open_callback=opened))
        connection.add_on_close_callback(lambda c, _: c.ioloop.stop())
        connection.ioloop.start()

    def subscribe(self, which, events, seen):
        channel = self.open().channel()
        channel.basic_qos(prefetch_count=1024)
        for method, _, body in channel.consume(f"s{which}", inactivity_timeout=SILENCE_S):
            if method is None:
                raise Missing("deliveries ceased")
            seen.append(time.monotonic() - struct.unpack_from("<d", body)[0])
            if len(seen) % 64 == 0 or len(seen) >= events or len(seen) < 64:
                channel.basic_ack(method.delivery_tag, multiple=True)
            if len(seen) >= events:
                break
        channel.connection.close()
