#!/usr/bin/python3
"""The peers beside `carehub bench`, on this machine and in one go: one publisher with a window of events that are not
confirmed yet, three durable subscribers that ack every event, over loopback, on the same disk.

    tests/bench/peers.py --carehub build/release/bin/carehub
    tests/bench/peers.py --only redis,carehub --events 20000

A peer that is not installed is named and left out. Standard output is a Markdown table; the rest goes to standard error.
"""
import argparse
import datetime
import json
import multiprocessing
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from peer_servers import SILENCE_S, SUBSCRIBERS, Missing, Nats, Rabbit, Redis


def tree_of(process):
    """A process and those that it started and that are still there."""
    waiting = [process]
    while waiting:
        folder = pathlib.Path(f"/proc/{waiting.pop()}")
        try:
            for task in (folder / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
        yield folder


def processor_s(process):
    """User and system time."""
    total = 0.0
    for folder in tree_of(process):
        fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def disk_bytes(process):
    """What it caused to be written to disk; 0 where the kernel does not tell us."""
    total = 0
    for folder in tree_of(process):
        try:
            total += sum(int(line.split()[1]) for line in (folder / "io").read_text().splitlines()
                         if line.startswith("write_bytes:"))
        except OSError:
            continue
    return total


def quantiles(latencies):
    ordered = sorted(latencies)
    if not ordered:
        return {"p50": 0, "p99": 0}
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e6
            for name, share in (("p50", 0.5), ("p99", 0.99))}


def client(work, barrier, results, label):
    """Runs in a process of its own: the work, between the common start and its own end."""
    seen = []
    failure = None
    try:
        barrier.wait(SILENCE_S)
        before = time.process_time()
        begun = time.monotonic()
        work(seen)
        ended = time.monotonic()
    except Exception as error:  # told to the parent, which names the peer
        results.put({"label": label, "failure": str(error) or type(error).__name__})
        return
    sampled = seen[::1 + len(seen) // 20_000]
    results.put({"label": label, "begun": begun, "ended": ended, "processor": time.process_time() - before,
                 "latencies": sampled, "failure": failure})


def measure_peer(peer, options, window, events):
    if shutil.which(peer.program) is None:
        raise Missing(f"{peer.program} is not installed")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="carehub-peer-", dir=options.disk))
    server = None
    try:
        server = peer.start(directory)
        peer.prepare()
        barrier = multiprocessing.Barrier(SUBSCRIBERS + 1)
        results = multiprocessing.Queue()
        works = [("publisher", lambda seen: peer.publish(events, window, options.size))]
        works += [(f"subscriber {each}", lambda seen, each=each: peer.subscribe(each, events, seen))
                  for each in range(SUBSCRIBERS)]
        used, written = processor_s(server.pid), disk_bytes(server.pid)
        processes = [multiprocessing.Process(target=client, args=(work, barrier, results, label), daemon=True)
                     for label, work in works]
        for process in processes:
            process.start()
        told = [results.get(timeout=options.seconds_max) for _ in processes]
        for process in processes:
            process.join(10)
        for one in told:
            if one.get("failure"):
                raise Missing(f"its {one['label']} failed: {one['failure']}")
        used, written = processor_s(server.pid) - used, disk_bytes(server.pid) - written
        publisher = next(one for one in told if one["label"] == "publisher")
        begun = publisher["begun"]
        latencies = [each for one in told for each in one["latencies"]]
        return {"name": peer.name, "durable": peer.durable, "window": window, "events": events,
                "published": events / (publisher["ended"] - begun),
                "delivered": events / (max(one["ended"] for one in told) - begun), "latency": quantiles(latencies),
                "server_us": used * 1e6 / events, "client_us": sum(one["processor"] for one in told) * 1e6 / events,
                "disk_bytes": written / events}
    finally:
        if server is not None:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            if peer.program == Rabbit.program:  # its shell's children are a session of their own
                try:
                    os.killpg(server.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        shutil.rmtree(directory, ignore_errors=True)


def carehub(options, *arguments):
    done = subprocess.run([str(options.carehub), "bench", *map(str, arguments), "--json"], stdout=subprocess.PIPE,
                          text=True, timeout=options.seconds_max)
    if done.returncode != 0:
        raise Missing(f"carehub bench left with {done.returncode}")
    return json.loads(done.stdout)


def measure_carehub(options, window, events, curve):
    told = carehub(options, "--events", events, "--window", window, "--size", options.size, "--preload", options.preload,
                   "--curve" if curve else "--no-curve")
    clients = told["processor_us_by_thread"].get("clients", 0)
    return {"name": "Carehub, CURVE" if curve else "Carehub", "durable": "yes", "window": window, "events": events,
            "published": told["published_per_second"], "delivered": told["delivered_per_second"],
            "latency": told["delivery_us"], "server_us": told["processor_us_per_event"] - clients, "client_us": clients,
            "disk_bytes": told["disk_bytes_per_event"]}


def duration(us):
    return f"{us / 1000:.1f} ms" if us >= 1000 else f"{us:.0f} us"


def peers_table(rows):
    ours = {row["window"]: row["delivered"] for row in rows if row["name"] == "Carehub"}
    lines = ["| system | durable at the reply? | W | published /s | delivered to all three /s | Carehub is | p50 / p99 to "
             "subscriber | server, us of processor an event | clients | bytes to disk an event |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        ratio = f"{ours[row['window']] / row['delivered']:.1f} x" if ours.get(row["window"]) else ""
        lines.append(f"| {row['name']} | {row['durable']} | {row['window']} | {row['published']:,.0f} | "
                     f"{row['delivered']:,.0f} | {ratio} | {duration(row['latency']['p50'])} / "
                     f"{duration(row['latency']['p99'])} | {row['server_us']:.0f} | {row['client_us']:.0f} | "
                     f"{row['disk_bytes']:,.0f} |")
    return lines


def own_table(options):
    """What only Carehub does, or does by itself."""
    lines = ["| work | figure |", "| --- | --- |"]
    rate = options.rate
    for subscriptions in (3, 500):
        told = carehub(options, "--events", min(options.events, rate * 10), "--rate", rate, "--subscribers", subscriptions)
        lines.append(f"| {subscriptions} subscriptions, three matches an event, {rate:,} events/s asked for | "
                     f"{told['delivered_per_second']:,.0f} /s; {told['processor_us_per_event']:.1f} us of processor an event; "
                     f"p50 / p99 {duration(told['delivery_us']['p50'])} / {duration(told['delivery_us']['p99'])} |")
    told = carehub(options, "history", "--events", options.history)
    events = f"{options.history:,} events"
    lines += [f"| start after a kill with {events} | {told['start_after_kill_seconds']:.2f} s to the first receipt |",
              f"| memory of an idle hub with {events} | {told['idle_resident_bytes'] / 1e6:.0f} MB |",
              f"| first page of a child's timeline out of {events}, warm | "
              f"p50 / p99 {duration(told['timeline_page_again_us']['p50'])} / "
              f"{duration(told['timeline_page_again_us']['p99'])} |",
              f"| replay from disk to one subscriber | {told['replayed_per_second']:,.0f} events/s |"]
    return lines


def machine(options):
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    kind = subprocess.run(["stat", "-f", "-c", "%T", options.disk], capture_output=True, text=True).stdout.strip()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (f"{datetime.date.today().isoformat()}, {os.cpu_count()} cores ({model}), {kind}, load average before the run "
            f"{load}; events of {options.size} bytes, {options.events:,} of them ({options.singles:,} at W = 1), "
            f"{options.preload:,} in Carehub's ledger before each row.")


def write_into(file, text):
    whole = file.read_text()
    begin, end = "<!-- figures -->\n", "<!-- end of figures -->"
    at, until = whole.index(begin) + len(begin), whole.index(end)
    file.write_text(whole[:at] + text + "\n" + whole[until:])


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--carehub", default=os.environ.get("CAREHUB", "carehub"), help="the program")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--singles", type=int, default=5_000, help="events of the rows with W = 1")
    parser.add_argument("--preload", type=int, default=0, help="events that are in Carehub's ledger before each of its rows")
    parser.add_argument("--history", type=int, default=1_000_000, help="events of the ledger that is restarted; 0: none")
    parser.add_argument("--rate", type=int, default=10_000, help="events a second of the rows with many subscriptions")
    parser.add_argument("--size", type=int, default=600)
    parser.add_argument("--only", default="", help="of carehub, redis, nats, rabbitmq; separated by commas")
    parser.add_argument("--disk", default="/var/tmp", help="where the peers keep their data; carehub bench uses /var/tmp")
    parser.add_argument("--seconds-max", type=int, default=3_600, help="of one measurement")
    parser.add_argument("--into", type=pathlib.Path, help="also put the tables between the figures' marks of this file")
    return parser.parse_args()


def main():
    options = read_options()
    chosen = set(filter(None, options.only.split(","))) or {"carehub", "redis", "nats", "rabbitmq"}
    head = machine(options)
    rows = []

    def attempt(label, work):
        print(f"measuring {label}", file=sys.stderr, flush=True)
        try:
            return work()
        except Missing as missing:
            print(f"{label} is left out: {missing}", file=sys.stderr)
        except (subprocess.TimeoutExpired, queue.Empty):
            print(f"{label} is left out: no end within {options.seconds_max} s", file=sys.stderr)
        return None

    for window, events in ((1024, options.events), (1, options.singles)):
        if "carehub" in chosen:
            for curve in (False, True):
                rows.append(attempt(f"carehub{' with CURVE' if curve else ''}, W = {window}",
                                    lambda: measure_carehub(options, window, events, curve)))
        for label, peer in (("redis", Redis()), ("nats", Nats()), ("rabbitmq", Rabbit())):
            if label in chosen:
                rows.append(attempt(f"{label}, W = {window}", lambda: measure_peer(peer, options, window, events)))
    text = [head, ""] + peers_table([row for row in rows if row])
    if "carehub" in chosen and options.history:
        text += [""] + (attempt("carehub's own work", lambda: own_table(options)) or [])
    print("\n".join(text))
    if options.into:
        write_into(options.into, "\n".join(text))


if __name__ == "__main__":
    main()
