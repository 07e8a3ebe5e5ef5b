"""An HTTP server that takes thousands of deliveries a second and answers as the test says: in a process of its own, so that
it does not wait for the test. It remembers only what is asked for: counts, and the order of what it took by key."""

import asyncio
import json
import multiprocessing
import threading
import time


class _Side(asyncio.Protocol):
    """One connection."""

    def __init__(self, ehr):
        self.ehr, self.buffer = ehr, b""

    def connection_made(self, transport):
        self.transport = transport
        self.ehr.connections += 1
        self.ehr.open += 1
        self.ehr.most_open = max(self.ehr.most_open, self.ehr.open)
        if self.ehr.mode["answer"] == "close":
            self.ehr.closed += 1
            transport.abort()

    def connection_lost(self, _):
        self.ehr.open -= 1

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            length = int(fields.get("content-length", 0))
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4:end + 4 + length]
            self.buffer = self.buffer[end + 4 + length:]
            self.ehr.take(self, head[0], fields, body)

    def answer(self, status, headers=()):
        lines = [f"HTTP/1.1 {status} Answer", "content-length: 0", *headers]
        if not self.transport.is_closing():
            self.transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())


class _Ehr:
    def __init__(self, order_of):
        self.order_of, self.mode = order_of, {"answer": 200}
        self.connections = self.open = self.most_open = self.closed = self.attempts = self.taken = self.too_early = 0
        self.last, self.disorder, self.doubled, self.keys = {}, [], 0, set()
        self.quiet_until, self.by_second = 0, {}

    def take(self, side, _, fields, body):
        self.attempts += 1
        now = time.monotonic()
        self.by_second[int(now)] = self.by_second.get(int(now), 0) + 1
        if now < self.quiet_until - 0.05:
            self.too_early += 1
        answer = self.mode["answer"]
        if answer == 429:
            seconds = self.mode.get("retry_after", 1)
            self.quiet_until = now + seconds
            side.answer(429, [f"retry-after: {seconds}"])
            if self.mode.get("times"):
                self.mode["times"] -= 1
                if self.mode["times"] == 0:
                    self.mode = {"answer": 200}
        elif answer == "forget":
            self.note(fields, body)
            side.transport.abort()
        elif answer != 200:
            side.answer(answer)
        else:
            self.note(fields, body)
            if delay := self.mode.get("delay"):
                asyncio.get_running_loop().call_later(delay, side.answer, 200)
            else:
                side.answer(200)

    def note(self, fields, body):
        key = fields.get("idempotency-key", "")
        if key in self.keys:
            self.doubled += 1
            return
        self.keys.add(key)
        self.taken += 1
        lane, number = self.order_of(body)
        if self.last.get(lane, -1) >= number and len(self.disorder) < 20:
            self.disorder.append((lane, self.last[lane], number))
        self.last[lane] = number

    def counts(self):
        return {"connections": self.connections, "most_open": self.most_open, "closed": self.closed,
                "attempts": self.attempts, "taken": self.taken, "doubled": self.doubled, "disorder": self.disorder,
                "too_early": self.too_early, "most_in_a_second": max(self.by_second.values(), default=0)}


def _serve(pipe, order_of):
    ehr = _Ehr(order_of)

    async def run():
        server = await asyncio.get_running_loop().create_server(lambda: _Side(ehr), "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def obey(asked):
            if asked:
                ehr.mode = asked
            pipe.send(json.loads(json.dumps(ehr.counts())))

        def commands():
            while True:
                try:
                    asked = pipe.recv()
                except EOFError:
                    asked = None
                if asked is None:
                    loop.call_soon_threadsafe(done.set_result, None)
                    return
                loop.call_soon_threadsafe(obey, asked)

        threading.Thread(target=commands, daemon=True).start()
        await done
        server.close()

    asyncio.run(run())


class FastEhr:
    """Use as a context. `order_of(body)` gives (key, number): numbers of a key must rise."""

    def __init__(self, order_of):
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=_serve, args=(other, order_of), daemon=True)

    def __enter__(self):
        self.process.start()
        self.address = f"127.0.0.1:{self.pipe.recv()}"
        return self

    def __exit__(self, *_):
        self.pipe.send(None)
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()

    def answers(self, answer, **how):
        """200, 422, 429 (retry_after=, times=), "close" (at once, without an answer), "forget" (takes it, then closes).
        Returns the counts of the moment from which it answers so."""
        self.pipe.send({"answer": answer, **how})
        return self.pipe.recv()

    def counts(self):
        self.pipe.send({})
        return self.pipe.recv()
