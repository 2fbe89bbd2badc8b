"""One FFmpeg process, run to its end and never beyond: pipes, progress, limits, and its last words kept."""

import fcntl
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from vod.errors import FFmpegError, Interrupted

#: Lines of stderr that are kept, the last ones.
STDERR_LINES = 20

#: A pipe this large lets an encoder write most GOPs without waiting for us, bytes (Linux only).
PIPE_BYTES = 1 << 20

#: How often a waiting process is looked at, seconds: stop, stall and timeout act within it.
TICK_S = 0.2

_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a process may use."""

    timeout_s: float  #: wall clock, for the whole run
    stall_s: float  #: without progress: a byte of output, or a frame
    memory_bytes: int  #: address space (RLIMIT_AS); Linux only


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A process that ended well."""

    cpu_s: float
    wall_s: float
    peak_rss_bytes: int
    stderr_tail: tuple[str, ...]


class Pipe:
    """One output of a process beyond stdout; the child writes to `url`."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        if sys.platform == "linux":
            with suppress(OSError):  # above the user's share: the default size works too
                fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @property
    def url(self) -> str:
        """How FFmpeg names the write end."""
        return f"pipe:{self.write_fd}"

    def close_write(self) -> None:
        """Close our copy of the write end, so that the child's exit ends the stream."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def close(self) -> None:
        """Close both ends."""
        self.close_write()
        if self.read_fd >= 0:
            os.close(self.read_fd)
            self.read_fd = -1


@contextmanager
def open_pipes(count: int) -> Iterator[list[Pipe]]:
    """So many pipes, closed at the end in any case."""
    pipes: list[Pipe] = []
    try:
        for _ in range(count):
            pipes.append(Pipe())
        yield pipes
    finally:
        for pipe in pipes:
            pipe.close()


#: Takes what a process wrote; False says that it was no progress.
Sink = Callable[[bytes], object]


def run(
    argv: Sequence[str],
    *,
    limits: Limits,
    stdout: Sink,
    pipes: Mapping[Pipe, Sink] | None = None,
    stop: threading.Event | None = None,
    niceness: int = 0,
) -> Finished:
    """Run a process to its end, handing its output on as it comes.

    The process gets its own group and is killed with it, however this function is left; when this whole
    program is killed, the process dies of its next write to a pipe that nobody reads.

    Args:
        argv: The program's path and its arguments; no shell.
        limits: What it may use.
        stdout: Takes what it writes there.
        pipes: Further outputs, named in argv by their `url`.
        stop: When set, the process is killed.
        niceness: Added to the priority number of the process; 0 is ours.

    Raises:
        FFmpegError: It could not start, failed, hung, or ran over a limit.
        Interrupted: `stop` was set.
    """
    began = time.monotonic()
    tail: deque[str] = deque(maxlen=STDERR_LINES)
    stderr = _Lines(tail)
    extra = dict(pipes or {})
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=[pipe.write_fd for pipe in extra],
            process_group=0,
        )
    except OSError as exc:
        raise FFmpegError(f"{argv[0]} could not be started: {exc.strerror}.", argv=argv) from exc
    usage: resource.struct_rusage | None = None
    try:
        _limit(child.pid, limits, niceness)
        assert child.stdout is not None  # noqa: S101 - for the type checker: both are PIPE
        assert child.stderr is not None  # noqa: S101
        sinks = {pipe.read_fd: sink for pipe, sink in extra.items()}
        for pipe in extra:
            pipe.close_write()
        sinks |= {child.stdout.fileno(): stdout, child.stderr.fileno(): stderr.feed}
        reason = _pump(sinks, limits, began, stop)
        if not reason:
            # Every pipe is closed; give it a moment to leave by itself.
            usage = _reap(child, min(limits.stall_s, max(1.0, began + limits.timeout_s - time.monotonic())), stop)
            if usage is None:
                reason = "closed its output and did not exit"
    finally:
        _kill(child)
        stderr.close()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()
    name = os.path.basename(argv[0]).split("-")[0]  # noqa: PTH119 - a name, not a file
    if reason or usage is None:
        raise FFmpegError(f"{name} {reason} and was killed.", argv=argv, stderr_tail=tuple(tail))
    if child.returncode != 0:
        how = _how_it_ended(child.returncode)
        raise FFmpegError(f"{name} {how}.", argv=argv, exit_code=child.returncode, stderr_tail=tuple(tail))
    return Finished(
        cpu_s=usage.ru_utime + usage.ru_stime,
        wall_s=time.monotonic() - began,
        peak_rss_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        stderr_tail=tuple(tail),
    )


def _pump(sinks: Mapping[int, Sink], limits: Limits, began: float, stop: threading.Event | None) -> str:
    """Hand output on until every pipe is closed.

    Args:
        sinks: Where the bytes of each file descriptor go.
        limits: What the process may use.
        began: When it started, monotonic seconds.
        stop: When set, gives up.

    Returns:
        Why it has to be killed, or "".

    Raises:
        Interrupted: `stop` was set.
    """
    with selectors.DefaultSelector() as selector:
        for fd in sinks:
            selector.register(fd, selectors.EVENT_READ)
        last_output = began
        while selector.get_map():
            for key, _ in selector.select(TICK_S):
                data = os.read(key.fd, _READ_BYTES)
                if not data:
                    selector.unregister(key.fd)
                elif sinks[key.fd](data) is not False:
                    last_output = time.monotonic()
            now = time.monotonic()
            if stop is not None and stop.is_set():
                raise Interrupted
            if now - began > limits.timeout_s:
                return f"took longer than its {limits.timeout_s:.0f} s"
            if now - last_output > limits.stall_s:
                return f"made no progress for {limits.stall_s:.0f} s"
    return ""


class _Lines:
    """Joins bytes into lines; a line too long to be a message is cut."""

    def __init__(self, into: deque[str]) -> None:
        self._into = into
        self._rest = b""

    def feed(self, data: bytes) -> bool:
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = self._rest[-2000:]
        for line in lines:
            self._keep(line)
        return False  # complaints are no progress

    def close(self) -> None:
        self._keep(self._rest)
        self._rest = b""

    def _keep(self, line: bytes) -> None:
        text = "".join(char if char.isprintable() else "?" for char in line.decode("utf-8", "replace").rstrip()[:500])
        if text:
            self._into.append(text)


def _limit(pid: int, limits: Limits, niceness: int) -> None:
    """Set limits from outside, before FFmpeg has started its threads; no code runs between fork and exec."""
    with suppress(ProcessLookupError, PermissionError):  # it has ended already
        if sys.platform == "linux":
            resource.prlimit(pid, resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        if niceness:
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)


def _reap(
    child: subprocess.Popen[bytes], within_s: float, stop: threading.Event | None
) -> resource.struct_rusage | None:
    """Wait for the exit and take the child's own resource usage; None when it does not come."""
    deadline = time.monotonic() + within_s
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if stop is not None and stop.is_set():
            raise Interrupted
        if time.monotonic() > deadline:
            return None
        time.sleep(0.002)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started; nothing of it outlives this call."""
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses where only a zombie is left
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _how_it_ended(exit_code: int) -> str:
    if exit_code >= 0:
        return f"failed with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"
