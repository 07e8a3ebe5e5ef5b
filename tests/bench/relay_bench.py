"""The whole path under load: MLLP in, commit, ACK, eight Lua statements, commit, MLLP out; generator and sink on the same machine.

Prints each figure beside the floor it is to be held against, measured in the same run. Judges nothing: machines differ.
"""

import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from engine import Program, cannula_json, free_port  # noqa: E402

MESSAGES = int(os.environ.get("MESSAGES", "60000"))
CONNECTIONS = 64
TARGET = 15_000  # messages a second

SCRIPT = """
function main(msg)
  if msg.type ~= "ORU^R01" then return skip("not a result") end
  local patient = msg["PID-3[1].1"]
  local code, value, unit = msg["OBX-3.1"], msg["OBX-5"], msg["OBX-6"]
  local abnormal = msg["OBX-8"] == "H" or msg["OBX-8"] == "HH"
  msg["MSH-4"] = "GENERAL"
  msg["PID-3[1].4"] = "GEN"
  if abnormal then log.info("abnormal", { code = code, value = phi(value), unit = unit, patient = phi(patient) }) end
  send("ehr", msg)
end
"""


def oru():
    """An ORU^R01 of 918 bytes of an invented patient, with the patient number as a counter."""
    lines = [
        "MSH|^~\\&|LAB|NORTH|EHR|GENERAL|20260102030405+0000||ORU^R01^ORU_R01|B{n}|P|2.5.1",
        "PID|1||{n}^^^GEN^MR||Invented^Ina^Q||19700101|F|||1 Some Street^^Anytown^ST^00000||555-0100",
        "PV1|1|O|WARD^1^2||||1234^Doctor^Dora",
        "OBR|1|P{n}|F{n}|24323-8^Comprehensive metabolic panel^LN|||20260102020000+0000",
    ]
    analytes = [("2823-3", "Potassium", "4.1", "mmol/L"), ("2951-2", "Sodium", "140", "mmol/L"),
                ("2075-0", "Chloride", "102", "mmol/L"), ("2345-7", "Glucose", "5.4", "mmol/L"),
                ("2160-0", "Creatinine", "77", "umol/L"), ("17861-6", "Calcium", "2.31", "mmol/L")]
    for number, (code, name, value, unit) in enumerate(analytes, 1):
        lines.append(f"OBX|{number}|NM|{code}^{name}^LN||{value}|{unit}|||||F|||20260102023000")
    text = "\r".join(lines) + "\r"
    note = "NTE|1|L|"
    return text + note + "x" * (918 - len(text) - len(note) - 1) + "\r"


def write_site(folder, ingest, sink, order):
    channel = folder / "channels" / "relay"
    channel.mkdir(parents=True)
    (folder / "site.toml").write_text("")
    (channel / "main.lua").write_text(SCRIPT)
    (channel / "channel.toml").write_text(f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{ingest}"

[order]
by = {order}

[[destination]]
name    = "ehr"
type    = "mllp"
address = "127.0.0.1:{sink}"
connections = 16
""")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, what):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def fdatasync_ms(folder, rounds=400):
    """The median of appending 1 KB and syncing it, and of the same over bytes already written."""
    def median_of(descriptor):
        times = []
        for _ in range(rounds):
            begun = time.perf_counter()
            os.write(descriptor, b"x" * 1024)
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - begun)
        return statistics.median(times) * 1000

    path = folder / "floor"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"\0" * (1024 * rounds))
    os.fsync(descriptor)
    os.lseek(descriptor, 0, os.SEEK_SET)
    overwritten = median_of(descriptor)
    appended = median_of(descriptor)
    os.close(descriptor)
    path.unlink()
    return overwritten, appended


def send(port, count, connections, template, *more):
    return json.loads(subprocess.run(
        [os.environ["CANNULA"], "send", f"127.0.0.1:{port}", str(template), "--count", str(count), "--connections",
         str(connections), "--template", "--json", *more], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout)


def wait_for_done(folder, count):
    while True:
        channels = cannula_json("status", folder)["channels"]
        if channels.get("relay", {}).get("messages", {}).get("done", 0) >= count:
            return
        time.sleep(0.05)


def row(name, value, unit, beside=""):
    print(f"{name:<46}{value:>12} {unit:<14}{beside}")


def measure(folder, order):
    template = folder / "oru.hl7"
    template.write_text(oru(), newline="")
    sink_port, ingest = free_port(), free_port()
    sink_log = folder / "sink.out"
    sink = Program(sink_log, "listen", f"127.0.0.1:{sink_port}", "--json")
    sink.wait_until_said("listening")
    bare = send(sink_port, 2000, 1, template)
    # What this machine does to the same exchange when there is no engine between: nothing can answer faster.
    bare_half = send(sink_port, TARGET, CONNECTIONS, template, "--rate", str(TARGET // 2))

    site = folder / "site"
    write_site(site, ingest, sink_port, order)
    engine = Program(folder / "engine.out", "run", site, "--log-level", "warning")
    ready = engine.wait_until_said("ready in")
    pid = engine.process.pid
    time.sleep(0.5)
    idle = memory_mb(pid, "VmRSS")

    overwritten, appended = fdatasync_ms(folder)
    one = send(ingest, 1000, 1, template)
    wait_for_done(site, 1000)

    before, begun = cpu_seconds(pid), time.monotonic()
    load = send(ingest, MESSAGES, CONNECTIONS, template)
    wait_for_done(site, 1000 + MESSAGES)
    took, cpu = time.monotonic() - begun, cpu_seconds(pid) - before
    peak = memory_mb(pid, "VmHWM")
    rate = min(int(MESSAGES / took / 2), TARGET // 2)
    half = send(ingest, MESSAGES // 2, CONNECTIONS, template, "--rate", str(rate))
    wait_for_done(site, 1000 + MESSAGES + MESSAGES // 2)
    overwritten_again, _ = fdatasync_ms(folder)
    disk = sum(path.stat().st_size for path in (site / "state").rglob("*") if path.is_file())
    engine.stop()
    sink.stop()

    row("messages through, order by " + order, f"{MESSAGES / took:,.0f}", "a second", f"target {TARGET:,}")
    row("engine CPU a message", f"{cpu / MESSAGES * 1e6:.1f}", "us", f"target 60; the sender itself takes {load['cpu_us_per_message']:.1f}")
    row("acknowledged by the source", f"{load['per_second']:,.0f}", "a second")
    row("ACK under load, median / p99", f"{load['latency_ms']['median']:.2f} / {load['latency_ms']['p99']:.2f}", "ms")
    sync = max(overwritten, overwritten_again)
    row(f"ACK at {rate:,} a second, median / p99",
        f"{half['latency_ms']['median']:.2f} / {half['latency_ms']['p99']:.2f}", "ms",
        f"p99 is {half['latency_ms']['p99'] / sync:.0f} fdatasyncs, target 20")
    row(f"the receiver alone at {TARGET // 2:,}, median / p99",
        f"{bare_half['latency_ms']['median']:.2f} / {bare_half['latency_ms']['p99']:.2f}", "ms",
        f"p99 is {bare_half['latency_ms']['p99'] / sync:.0f} fdatasyncs")
    allowed = 2 * max(overwritten, appended) + bare["latency_ms"]["median"]
    row("ACK with one connection, median", f"{one['latency_ms']['median']:.3f}", "ms",
        f"two fdatasyncs and a bare round trip: {allowed:.3f}; ratio {one['latency_ms']['median'] / allowed:.2f}")
    row("fdatasync, overwriting / appending, median", f"{overwritten:.3f} / {appended:.3f}", "ms")
    row("bare round trip, median", f"{bare['latency_ms']['median']:.3f}", "ms")
    row("start to ready", f"{ready * 1000:.0f}", "ms", "target 300")
    row("memory idle / peak under load", f"{idle:.1f} / {peak:.1f}", "MB", "targets 40 / 150")
    row("disk a message", f"{disk / (MESSAGES * 3 // 2 + 1000) / 1024:.2f}", "KB", "target 3")


def main():
    for order in ('"PID-3.1"', '"channel"'):
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
            measure(pathlib.Path(folder), order)
            print()


if __name__ == "__main__":
    main()
