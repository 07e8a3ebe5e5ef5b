"""Runs the documentation: every fenced block of every page does what docs_blocks.py says of its form.

  CANNULA=build/cannula python3 tests/e2e/docs_test.py [PAGE…]

Addresses on 127.0.0.1 in a page are replaced by free ones, the same throughout the page, so that pages can run beside
each other and beside whatever listens on this machine.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

from docs_blocks import PageError, blocks_of, output_matches
from engine import free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SECONDS_FOR_A_BLOCK = 60


class PageRun:
    """One page at work in a folder of its own."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.directory = folder  # of the reader's shell, who types one block after the other
        self.ports, self.printed, self.background = {}, None, []
        self.environment = dict(os.environ, REPOSITORY=str(REPOSITORY))
        binaries = folder / ".bin"
        binaries.mkdir()
        self.left_in = binaries / "directory"
        (binaries / "cannula").symlink_to(pathlib.Path(os.environ["CANNULA"]).resolve())
        self.environment["PATH"] = f"{binaries}:{self.environment['PATH']}"

    def run(self):
        self.follow_links()
        try:
            for block in blocks_of(self.path.read_text(encoding="utf-8")):
                getattr(self, f"do_{block.kind}")(block)
        finally:
            for process in reversed(self.background):
                process.terminate()
                process.wait(timeout=SECONDS_FOR_A_BLOCK)

    def follow_links(self):
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", line):
                if not (self.path.parent / target).exists():
                    raise PageError(number, f"there is no {target} to link to")

    def do_text(self, block):
        pass

    def do_file(self, block):
        path = self.folder / block.options["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(block.text), encoding="utf-8")

    def do_excerpt(self, block):
        path = REPOSITORY / block.options["path"]
        if not path.is_file():
            raise PageError(block.line, f"there is no {block.options['path']} to take this from")
        if " ".join(block.text.split()) not in " ".join(path.read_text(encoding="utf-8").split()):
            raise PageError(block.line, f"{block.options['path']} does not hold these lines (any more)")

    def do_dev(self, block):
        for offset, line in enumerate(block.text.splitlines(), 1):
            verb = re.match(r"\./dev ([a-z]+)", line)
            if not verb or f"\nverb_{verb[1]}() {{" not in (REPOSITORY / "dev").read_text(encoding="utf-8"):
                raise PageError(block.line + offset, f"./dev has no such verb: {line}")

    def do_run(self, block):
        if "background" in block.options:
            return self.start(block)
        try:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", f"trap 'pwd > {self.left_in}' EXIT; " + self.here(block.text)],
                cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", timeout=SECONDS_FOR_A_BLOCK,
            )
        except subprocess.TimeoutExpired as late:
            raise PageError(block.line, f"not done after {late.timeout} s") from late
        self.printed, self.directory = done.stdout, self.left_in.read_text(encoding="utf-8").strip()
        for file in self.folder.rglob("*.toml"):  # those that the block has made
            file.write_text(self.here(file.read_text(encoding="utf-8")), encoding="utf-8")
        expected = int(block.options.get("exit", 0))
        if done.returncode != expected:
            raise PageError(block.line, f"exit code {done.returncode}, not {expected}; it printed:\n{done.stdout}")

    def start(self, block):
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", "exec " + self.here(block.text)],
            cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )
        self.background.append(process)
        printed, seen = [], threading.Event()

        def read():
            for line in process.stdout:
                printed.append(line)
                if block.options["background"] in line:
                    seen.set()
            seen.set()

        threading.Thread(target=read, daemon=True).start()
        seen.wait(SECONDS_FOR_A_BLOCK)
        self.printed = "".join(printed)
        if block.options["background"] not in self.printed:
            raise PageError(block.line, f"did not say '{block.options['background']}'; it printed:\n{self.printed}")

    def do_output(self, block):
        if self.printed is None:
            raise PageError(block.line, "there is no `run` before this output")
        if not output_matches(self.here(block.text), self.printed):
            raise PageError(block.line, f"the block before printed something else:\n{self.printed}")

    def here(self, text):
        """The text with its addresses replaced by free ones."""
        def replace(address):
            if address[0] in self.ports.values():
                return address[0]
            if address[0] not in self.ports:
                self.ports[address[0]] = f"127.0.0.1:{free_port()}"
            return self.ports[address[0]]

        return re.sub(r"127\.0\.0\.1:[1-9]\d*", replace, text)


def pages():
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def main():
    chosen = [pathlib.Path(name).resolve() for name in sys.argv[1:]] or pages()
    failed = 0
    for path in chosen:
        with tempfile.TemporaryDirectory(prefix="cannula-docs-") as folder:
            try:
                PageRun(path, pathlib.Path(folder)).run()
                print(f"ok    {path.relative_to(REPOSITORY)}", flush=True)
            except PageError as error:
                failed += 1
                print(f"{path.relative_to(REPOSITORY)}:{error.line}: {error}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} pages hold what they say")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
