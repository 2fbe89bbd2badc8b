"""Run a command and say what it cost: wall time, CPU seconds, memory, and when its files appeared."""

import os
import select
import shlex
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

#: While something is waited for, it is looked for this often, seconds.
WATCH_EVERY_S = 0.01

#: Memory is sampled this often, seconds.
SAMPLE_EVERY_S = 0.1

#: A command that is told to stop has so long before it is killed, seconds.
STOP_S = 5.0

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something that has to work for the figures to mean anything did not; the text is for the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one command cost, its children included."""

    wall_s: float
    cpu_s: float  #: user + system
    own_cpu_s: float  #: of the process itself, without its children

    def __add__(self, other: "Usage") -> "Usage":
        """Two commands, one after the other."""
        return Usage(
            wall_s=self.wall_s + other.wall_s,
            cpu_s=self.cpu_s + other.cpu_s,
            own_cpu_s=self.own_cpu_s + other.own_cpu_s,
        )


@dataclass(slots=True)
class Peak:
    """The moment at which a process tree took most memory."""

    total_bytes: int = 0  #: sum of PSS: shared pages count once
    by_program: Counter[str] = field(default_factory=Counter)  #: bytes
    samples: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How all commands are run: in one folder, logged, with a limit."""

    folder: Path
    timeout_s: float

    def run(self, argv: Sequence[str], *, watch: Callable[[float], bool] | None = None) -> Usage:
        """Run a command to its end.

        Args:
            argv: The command; paths in it are relative to the runner's folder.
            watch: Called every WATCH_EVERY_S with the seconds since the start, until it returns False.

        Raises:
            BenchError: It failed or took too long; says which command, and the end of what it printed.
        """
        log = self.folder / "command.log"
        os.sync()  # what others wrote must not be written back on our time
        with _started(argv, self.folder, log) as (process, began, ended):
            while watch and not ended(WATCH_EVERY_S):
                if not watch(time.perf_counter() - began):
                    break
            if not ended(self.timeout_s - (time.perf_counter() - began)):
                raise BenchError(_obituary(argv, self._too_long(process.pid), log))
            wall_s = time.perf_counter() - began
            if watch:
                watch(wall_s)
            own_cpu_s = _own_cpu_s(process.pid)  # of the zombie: complete, and gone after the next line
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchError(_obituary(argv, f"exited with {process.returncode}", log))
        return Usage(wall_s=wall_s, cpu_s=used.ru_utime + used.ru_stime, own_cpu_s=own_cpu_s)

    def memory(self, argv: Sequence[str]) -> Peak:
        """Run a command, untimed, and sample the memory of its process tree.

        Raises:
            BenchError: As in `run`.
        """
        peak = Peak()

        def sample(_elapsed_s: float) -> bool:
            by_program = _tree_pss_bytes(pid)
            total = sum(by_program.values())
            peak.samples += 1
            if total > peak.total_bytes:
                peak.total_bytes, peak.by_program = total, by_program
            return True

        log = self.folder / "command.log"
        with _started(argv, self.folder, log) as (process, began, ended):
            pid = process.pid
            while not ended(SAMPLE_EVERY_S):
                sample(0)
                if time.perf_counter() - began > self.timeout_s:
                    raise BenchError(_obituary(argv, self._too_long(process.pid), log))
            returncode = process.wait(timeout=STOP_S)
        if returncode:
            raise BenchError(_obituary(argv, f"exited with {returncode}", log))
        return peak

    def _too_long(self, pid: int) -> str:
        """What a command that did not end is doing."""
        stopped = _stat(pid)[0] == "T"
        return f"took longer than {self.timeout_s:.0f} s" + (
            ": somebody stopped it with a signal (SIGSTOP), it is not at fault" if stopped else ""
        )

    def text(self, argv: Sequence[str]) -> str:
        """Run a command for what it prints.

        Raises:
            BenchError: As in `run`.
        """
        self.run(argv)
        return (self.folder / "command.log").read_text(errors="replace")


@contextmanager
def _started(
    argv: Sequence[str], folder: Path, log: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", float, Callable[[float], bool]]]:
    """A running command, when it began, and a way to wait for its end that does not reap it."""
    # Both sides of every comparison use the FFmpeg of the wheels.
    environment = {name: value for name, value in os.environ.items() if name not in ("VOD_FFMPEG", "VOD_FFPROBE")}
    with log.open("wb") as output:
        began = time.perf_counter()
        try:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as exc:
            raise BenchError(f"{argv[0]} does not start: {exc.strerror}.") from exc
    handle = os.pidfd_open(process.pid)
    end = select.poll()
    end.register(handle, select.POLLIN)

    def ended(timeout_s: float) -> bool:
        return bool(end.poll(max(0.0, timeout_s) * 1000))

    try:
        yield process, began, ended
    finally:
        if process.returncode is None:
            _stop(process, ended)
        os.close(handle)


def _stop(process: "subprocess.Popen[bytes]", ended: Callable[[float], bool]) -> None:
    """Politely first: who has children of their own can end them."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        if not ended(STOP_S):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=STOP_S)


def _obituary(argv: Sequence[str], how: str, log: Path) -> str:
    tail = log.read_text(errors="replace").strip().splitlines()[-15:]
    return f"{Path(argv[0]).name} {how}:\n  {shlex.join(argv)}\n" + "\n".join(f"  | {line}" for line in tail)


def _own_cpu_s(pid: int) -> float:
    """utime + stime of proc(5): all threads of the process, none of its children."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat after the program's name, which may hold blanks; [0] is the state, [1] the parent."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _tree_pss_bytes(root: int) -> Counter[str]:
    """Proportional set size per program name, over a process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    sizes: Counter[str] = Counter()
    for pid in parents:
        ancestor = pid
        while ancestor not in (root, 0, 1):
            ancestor = parents.get(ancestor, 0)
        if ancestor == root:
            with suppress(OSError):  # it ended meanwhile
                sizes[Path(f"/proc/{pid}/comm").read_text().strip()] += _pss_bytes(pid)
    return sizes


def _pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
