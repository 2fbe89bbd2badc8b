"""Every error the pipeline raises on purpose.

The class answers "is it worth trying again?"; the text says what, which, and what to do about it::

    VodError
    ├── InputError      the upload is at fault: rejected with a code, a sentence and a remedy; never retried
    ├── ConfigError     a setting, a profile or an argument is wrong: a person has to change it
    └── FFmpegError     a process of ours died: may be retried
    Interrupted         somebody asked us to stop: no failure, work is given back (a BaseException)

Anything outside this tree is a bug.
"""

import shlex
from collections.abc import Sequence


class VodError(Exception):
    """Base of the errors that are part of the contract."""


class InputError(VodError):
    """The upload is at fault; encoding it again would fail again.

    Args:
        code: Stable word for machines: "truncated", "no_media", "unreadable" …
        sentence: What is wrong, for the person who uploaded it.
        remedy: What that person can do.
    """

    def __init__(self, code: str, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.code = code
        self.sentence = sentence
        self.remedy = remedy


class ConfigError(VodError):
    """A setting or an argument is wrong; the text names every one at once and what is allowed."""


class FFmpegError(VodError):
    """An FFmpeg or ffprobe process failed, hung, or wrote something else than it was asked for.

    Args:
        reason: One sentence: how it failed.
        argv: The command, as it was run.
        exit_code: The process's exit code; negative is a signal; None if it never ended by itself.
        stderr_tail: Its last lines, oldest first.
    """

    def __init__(
        self,
        reason: str,
        *,
        argv: Sequence[str] = (),
        exit_code: int | None = None,
        stderr_tail: Sequence[str] = (),
    ) -> None:
        lines = [reason]
        if stderr_tail:
            lines += ["Its last lines:", *(f"  {line}" for line in stderr_tail)]
        if argv:
            lines += ["The command:", f"  {shlex.join(argv)}"]
        super().__init__("\n".join(lines))
        self.reason = reason
        self.argv = tuple(argv)
        self.exit_code = exit_code
        self.stderr_tail = tuple(stderr_tail)


class Interrupted(BaseException):
    """SIGINT, SIGTERM or a stop asked for by the caller: give the work back, count no failure."""
