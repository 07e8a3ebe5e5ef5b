"""A store with a million messages: what it costs to queue them, to start with them, to rebuild the index of them, to find one,
and whether the path of a message is still as fast as with an empty store.

COUNT sets another number, MESSAGES how many a throughput is measured with. Judges nothing: machines differ.
"""

import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from engine import Program, cannula, cannula_json, free_port  # noqa: E402
from relay_bench import CONNECTIONS, cpu_seconds, memory_mb, oru, row, send, write_site  # noqa: E402

COUNT = int(os.environ.get("COUNT", "1000000"))
MESSAGES = int(os.environ.get("MESSAGES", "60000"))
LONGEST = 3600  # seconds a phase may take


def wait_until(site, state, count):
    """Until `count` messages are in `state`."""
    begun = time.monotonic()
    while cannula_json("status", site)["channels"].get("relay", {}).get("messages", {}).get(state, 0) < count:
        if time.monotonic() - begun > LONGEST:
            raise RuntimeError(f"there are not {count} messages {state} after {LONGEST} s")
        time.sleep(0.1)


def run(folder, site):
    """The engine, and the seconds until it was ready."""
    engine = Program(folder / "engine.out", "run", site, "--log-level", "info")
    engine.wait_until_said("ready in", LONGEST)
    ready = next(line for line in engine.said().splitlines() if line.startswith("ready in"))
    return engine, int(ready.split()[2]) / 1000


def throughput(site, engine, ingest, template, done):
    """Messages a second at the sink, and microseconds of the engine's processor time for each."""
    cpu, begun = cpu_seconds(engine.process.pid), time.monotonic()
    send(ingest, MESSAGES, CONNECTIONS, template)
    wait_until(site, "done", done + MESSAGES)
    return MESSAGES / (time.monotonic() - begun), (cpu_seconds(engine.process.pid) - cpu) / MESSAGES * 1e6


def seconds_of(*arguments):
    begun = time.monotonic()
    answer = cannula(*arguments)
    return time.monotonic() - begun, answer


def measure(folder):
    template = folder / "oru.hl7"
    template.write_text(oru(), newline="")
    sink_port, ingest = free_port(), free_port()
    site = folder / "site"
    write_site(site, ingest, sink_port, '"PID-3.1"')
    with open(site / "channels" / "relay" / "channel.toml", "a") as channel:
        channel.write('[destination.retry]\nmax = "1s"\n')  # so that the drain is not a wait for the next probe
    sink = Program(folder / "sink.out", "listen", f"127.0.0.1:{sink_port}", "--json")
    sink.wait_until_said("listening")
    engine, _ = run(folder, site)
    send(ingest, 1000, CONNECTIONS, template)
    wait_until(site, "done", 1000)
    empty_rate, empty_cpu = throughput(site, engine, ingest, template, 1000)
    done = 1000 + MESSAGES
    row("empty store: messages through", f"{empty_rate:,.0f}", "a second", f"engine CPU {empty_cpu:.1f} us a message")

    sink.stop()
    load = send(ingest, COUNT, CONNECTIONS, template)
    wait_until(site, "queued", COUNT)
    row(f"{COUNT:,} queued, the destination away", f"{load['per_second']:,.0f}", "a second",
        f"ACK p99 {load['latency_ms']['p99']:.2f} ms")
    row("memory of the engine with them, peak", f"{memory_mb(engine.process.pid, 'VmHWM'):.0f}", "MB")
    engine.stop(600)

    engine, ready = run(folder, site)
    row("start to ready with them queued", f"{ready:.2f}", "s", "target 2")
    row("memory after the start", f"{memory_mb(engine.process.pid, 'VmRSS'):.0f}", "MB")
    engine.stop(600)
    for path in (site / "state").glob("index.db*"):
        path.unlink()
    engine, ready = run(folder, site)
    said = sum("bringing the index up" in line for line in engine.said().splitlines())
    row("start that rebuilds the index", f"{ready:.1f}", "s", f"target 60; said how far it was {said} times")

    begun = time.monotonic()
    sink = Program(folder / "sink.out", "listen", f"127.0.0.1:{sink_port}", "--json")
    wait_until(site, "done", done + COUNT)
    row("the queue drained", f"{COUNT / (time.monotonic() - begun):,.0f}", "a second",
        f"memory peak {memory_mb(engine.process.pid, 'VmHWM'):.0f} MB")
    done += COUNT

    rate, cpu = throughput(site, engine, ingest, template, done)
    row("full store: messages through", f"{rate:,.0f}", "a second", f"engine CPU {cpu:.1f} us a message")
    row("of the throughput with an empty store", f"{rate / empty_rate * 100:.0f}", "%", "target 90")

    bare = statistics.median(seconds_of("version")[0] for _ in range(10))
    found = []
    for i in range(20):
        took, answer = seconds_of("msg", "list", site, "--mrn", 1 + i * COUNT // 20, "--json")
        if not json.loads(answer):
            raise RuntimeError("a message was not found by its MRN")
        found.append(took)
    row("search by MRN, the whole command, median", f"{statistics.median(found) * 1000:.0f}", "ms",
        f"target 100; longest {max(found) * 1000:.0f}; `cannula version` alone {bare * 1000:.0f}")
    state = site / "state"
    size = sum(path.stat().st_size for path in state.rglob("*") if path.is_file())
    index = sum(path.stat().st_size for path in state.glob("index.db*"))
    messages = done + MESSAGES
    row("disk a message", f"{size / messages / 1024:.2f}", "KB", f"of it the index {index / messages / 1024:.2f}")
    engine.stop(600)
    sink.stop()


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        measure(pathlib.Path(folder))


if __name__ == "__main__":
    main()
