"""The fenced code blocks of a page of documentation, and what each of them asks for.

The words after a fence's language say how the block is kept true:

  ```sh run                  runs in the page's own temporary folder, with cannula on the PATH, or where the `run`
                             before it went by cd: a page is typed into one shell
  ```sh run exit=78          the same, and must end with that exit code
  ```sh run background=TEXT  is started, must print TEXT, and is ended after the page
  ```text output             what the `run` before it prints; `…` in a line stands for anything, alone for any lines
  ```toml file=PATH          is written to PATH in that folder (any language)
  ```lua excerpt=PATH        stands in the repository's file PATH like this, but for blanks (any language)
  ```sh dev                  every line calls ./dev with a verb it has
  ```text                    a drawing or a form, nothing to run

Anything else is refused, so that no block stays that nobody runs.
"""

import re
import shlex
from dataclasses import dataclass, field


@dataclass
class Block:
    language: str
    kind: str  # run, output, file, excerpt, dev, text
    text: str
    line: int  # of the opening fence, from 1
    options: dict = field(default_factory=dict)


class PageError(Exception):
    """A page that breaks a promise: where, and what to do about it."""

    def __init__(self, line, message):
        super().__init__(message)
        self.line = line


_FENCE = re.compile(r"^(\s*)(```+)(.*)$")


def blocks_of(page):
    """All fenced blocks of a page's text, in order."""
    found, opened = [], None
    for number, line in enumerate(page.splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened = (fence[2], fence[3].strip(), number, len(fence[1]), [])
        elif opened and fence and fence[2] == opened[0] and not fence[3].strip():
            found.append(_block(opened[1], opened[2], "".join(f"{text}\n" for text in opened[4])))
            opened = None
        elif opened:
            opened[4].append(line[opened[3] :] if not line[: opened[3]].strip() else line)
    if opened:
        raise PageError(opened[2], "this fence is never closed")
    return found


def _block(info, line, text):
    words = shlex.split(info)
    language, rest = (words[0], words[1:]) if words else ("", [])
    options = dict(word.split("=", 1) if "=" in word else (word, "") for word in rest)
    for kind in ("file", "excerpt", "run", "output", "dev"):
        if kind in options:
            value = options.pop(kind)
            if kind in ("file", "excerpt"):
                options["path"] = value
            if unknown := set(options) - {"path", "exit", "background"}:
                raise PageError(line, f"'{sorted(unknown)[0]}' is no option of a code block")
            return Block(language, kind, text, line, options)
    if language == "text" and not options:
        return Block(language, "text", text, line)
    raise PageError(
        line,
        f"nothing says how this block ({info or 'no language'}) is kept true; "
        "the forms are listed in tests/e2e/docs_blocks.py",
    )


def output_matches(expected, actual):
    """Whether `actual` is what a page promises; trailing blanks and blank lines at the ends do not count."""
    lines = expected.strip("\n").splitlines()
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else _line_pattern(line.rstrip()) + r"[ \t]*\n" for line in lines
    )
    return re.fullmatch(pattern, actual.strip("\n").rstrip() + "\n") is not None


def _line_pattern(line):
    return ".*?".join(re.escape(part) for part in line.split("…"))
