"""What the end-to-end tests share: the program under test, started, watched, killed and asked.

The program is named by the environment variable CANNULA; ctest sets it.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time


def free_port():
    """A port of this machine that nothing listens on at the moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cannula(*arguments, check=True):
    """Runs a verb to its end and gives what it printed on stdout."""
    done = subprocess.run([os.environ["CANNULA"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)
    if check and done.returncode != 0:
        raise RuntimeError(f"cannula {' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def cannula_json(*arguments):
    return json.loads(cannula(*arguments, "--json"))


class Program:
    """A verb that runs until it is told to stop. Its output goes to a file; what it says can be waited for."""

    def __init__(self, log, *arguments):
        self.log = pathlib.Path(log)
        self.arguments = [os.environ["CANNULA"], *map(str, arguments)]
        self._out = open(self.log, "ab")
        self._from = self.log.stat().st_size
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._out)

    def said(self):
        with open(self.log, "rb") as log:
            log.seek(self._from)
            return log.read().decode("utf-8", "replace")

    def wait_until_said(self, text, seconds=60):
        """Seconds until `text` stood in its output."""
        begun = time.monotonic()
        while text not in self.said():
            if self.process.poll() is not None and text not in self.said():
                raise RuntimeError(f"{' '.join(self.arguments)} ended with {self.process.returncode}:\n{self.said()}")
            if time.monotonic() - begun > seconds:
                raise RuntimeError(f"{' '.join(self.arguments)} did not say '{text}' in {seconds} s:\n{self.said()}")
            time.sleep(0.005)
        return time.monotonic() - begun

    def kill(self):
        """SIGKILL: nothing is flushed, nothing is closed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._out.close()

    def stop(self, seconds=60):
        """SIGTERM and its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=seconds)
        self._out.close()
        return code
