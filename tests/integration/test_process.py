"""Processes, run for real: small programs that behave, fail, hang, fork, and fill memory."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from vod.errors import FFmpegError, Interrupted
from vod.ffmpeg.process import STDERR_LINES, Finished, Limits, open_pipes, run

ENOUGH = Limits(timeout_s=30, stall_s=30, memory_bytes=4 << 30)

#: A process that was killed is seen to be gone within this time, seconds.
GONE_WITHIN_S = 5.0


def limits(**changes: Any) -> Limits:
    return Limits(**{"timeout_s": 30, "stall_s": 30, "memory_bytes": 4 << 30} | changes)


def ignore(data: bytes) -> None:
    """Taken, and a sign of progress."""


def python(program: str, *arguments: str, stdout: Callable[[bytes], object] = ignore, **options: Any) -> Finished:
    """Run a Python program; -S -E -I: it starts in some milliseconds and reads nothing of ours."""
    return run([sys.executable, "-ISE", "-c", program, *arguments], **{"limits": ENOUGH, "stdout": stdout} | options)


def shell(program: str, *arguments: str, stdout: Callable[[bytes], object] = ignore, **options: Any) -> Finished:
    return run(["sh", "-c", program, "sh", *arguments], **{"limits": ENOUGH, "stdout": stdout} | options)


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def open_fds() -> dict[int, int]:
    """What this process has open: file descriptor to inode."""
    found = {}
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):  # the listing's own
            found[int(name)] = os.fstat(int(name)).st_ino
    return found


@pytest.fixture
def pids() -> Iterator[list[int]]:
    """Process ids that a test learnt; whatever is left of them is killed."""
    known: list[int] = []
    yield known
    for pid in known:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


#: Starts a grandchild that keeps every pipe open, tells both process ids, and stays.
FAMILY = "sleep 60 & echo $$ $!; wait"


def learn(pids: list[int]) -> Callable[[bytes], None]:
    """A sink for what FAMILY writes."""

    def sink(data: bytes) -> None:
        pids.extend(int(word) for word in data.split())

    return sink


# -- what is written ---------------------------------------------------------------------------------


def test_output_arrives_whole_through_every_pipe():
    """More than any pipe holds, in all of them at once."""
    program = (
        "import sys, os, threading\n"
        "def fill(fd, letter):\n"
        "    with open(fd, 'wb') as out:\n"
        "        for _ in range(48): out.write(letter * 65536)\n"
        "    \n"
        "fds = [int(url.removeprefix('pipe:')) for url in sys.argv[1:]]\n"
        "threads = [threading.Thread(target=fill, args=pair) for pair in zip([1, *fds], [b'o', b'a', b'b'])]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
    )
    stdout, first, second = bytearray(), bytearray(), bytearray()

    with open_pipes(2) as pipes:
        python(
            program,
            *(pipe.url for pipe in pipes),
            stdout=stdout.extend,
            pipes=dict(zip(pipes, (first.extend, second.extend), strict=True)),
        )

    assert (bytes(stdout), bytes(first), bytes(second)) == tuple(letter * (48 << 16) for letter in (b"o", b"a", b"b"))


def test_output_is_handed_on_while_the_process_runs(tmp_path: Path):
    """It waits for a file that only the sink makes."""
    flag = tmp_path / "seen"

    shell('echo ready; while [ ! -e "$1" ]; do sleep 0.02; done', str(flag), stdout=lambda _: flag.touch())


def test_what_a_process_used_is_told():
    finished = python("held = bytearray(50 << 20)\nfor _ in range(3_000_000): pass")

    assert 0.01 < finished.cpu_s < 20
    assert finished.cpu_s < finished.wall_s + 1
    assert 50 << 20 < finished.peak_rss_bytes < 500 << 20


def test_a_process_that_says_nothing_ends_well():
    assert shell("exit 0").stderr_tail == ()


def test_stdin_is_empty():
    """Nothing waits for keys."""
    said = bytearray()
    shell("cat; echo done", stdout=said.extend)

    assert said == b"done\n"


def test_arguments_are_not_read_by_a_shell():
    said = bytearray()
    python("import sys; print(sys.argv[1])", "$(echo no) 'quoted' *", stdout=said.extend)

    assert said == b"$(echo no) 'quoted' *\n"


# -- how it ends -------------------------------------------------------------------------------------


def test_a_failure_has_its_code_and_last_words():
    with pytest.raises(FFmpegError) as caught:
        shell("echo first >&2; echo last >&2; exit 3")

    error = caught.value
    assert (error.reason, error.exit_code) == ("sh failed with exit code 3.", 3)
    assert error.stderr_tail == ("first", "last")
    assert error.argv == ("sh", "-c", "echo first >&2; echo last >&2; exit 3", "sh")


@pytest.mark.parametrize(("number", "reason"), [(9, "sh was ended by SIGKILL."), (11, "sh was ended by SIGSEGV.")])
def test_a_signal_is_named(number: int, reason: str):
    with pytest.raises(FFmpegError) as caught:
        shell(f"ulimit -c 0; kill -{number} $$")

    assert (caught.value.reason, caught.value.exit_code) == (reason, -number)


def test_a_program_that_is_not_there():
    with pytest.raises(FFmpegError, match=r"^/no/such/ffmpeg could not be started: No such file or directory\."):
        run(["/no/such/ffmpeg", "-version"], limits=ENOUGH, stdout=ignore)


def test_a_file_that_is_no_program(tmp_path: Path):
    (tmp_path / "ffmpeg").write_text("plain")

    with pytest.raises(FFmpegError, match="could not be started: Permission denied"):
        run([str(tmp_path / "ffmpeg")], limits=ENOUGH, stdout=ignore)


def test_the_program_is_named_without_folder_and_version(tmp_path: Path):
    program = tmp_path / "ffmpeg-linux-x86_64-v9"
    program.symlink_to("/bin/sh")

    with pytest.raises(FFmpegError, match=r"^ffmpeg failed with exit code 7\."):
        run([str(program), "-c", "exit 7"], limits=ENOUGH, stdout=ignore)


@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_child_of_the_process_does_not_outlive_it(exit_code: int, pids: list[int]):
    """It holds no pipe of ours, so nothing waits for it."""
    with suppress(FFmpegError):
        shell(f"sleep 60 >/dev/null 2>&1 & echo $!; exit {exit_code}", stdout=learn(pids))

    (grandchild,) = pids
    time.sleep(0.1)
    assert not is_running(grandchild)


# -- limits ------------------------------------------------------------------------------------------


def test_a_timeout_kills_the_whole_group(pids: list[int]):
    """Although it goes on writing."""
    program = "sleep 60 & echo $$ $!; while :; do echo more >&2; echo; sleep 0.05; done"

    with pytest.raises(FFmpegError, match=r"^sh took longer than its 1 s and was killed\.") as caught:
        shell(program, stdout=learn(pids), limits=limits(timeout_s=0.6))

    assert len(pids) == 2
    for pid in pids:
        assert_gone(pid)
    assert caught.value.exit_code is None
    assert caught.value.stderr_tail[-1] == "more"


def test_silence_is_a_stall(pids: list[int]):
    with pytest.raises(FFmpegError, match=r"^sh made no progress for 0 s and was killed\."):
        shell(FAMILY, stdout=learn(pids), limits=limits(stall_s=0.4))

    assert len(pids) == 2
    for pid in pids:
        assert_gone(pid)


def test_output_that_is_no_progress_is_a_stall():
    """What the sink answers with False; and complaints never are progress."""
    chatter = "while :; do echo frame=0; echo complaint >&2; sleep 0.02; done"

    with pytest.raises(FFmpegError, match="made no progress for 0 s"):
        shell(chatter, stdout=lambda _: False, limits=limits(stall_s=0.4))


def test_progress_keeps_a_slow_process_alive():
    """Twice as long as it may be silent."""
    shell("for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo; sleep 0.1; done", limits=limits(stall_s=0.8))


def test_a_stop_kills_the_whole_group(pids: list[int]):
    stop = threading.Event()

    def sink(data: bytes) -> None:
        learn(pids)(data)
        stop.set()

    with pytest.raises(Interrupted):
        shell(FAMILY, stdout=sink, stop=stop)

    assert len(pids) == 2
    for pid in pids:
        assert_gone(pid)


def test_a_stop_from_another_thread_is_seen_soon():
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()

    with pytest.raises(Interrupted):
        shell("sleep 60", stop=stop)

    assert time.monotonic() - began < 5


def test_a_process_that_closes_its_output_and_stays_is_killed():
    with pytest.raises(FFmpegError, match=r"^sh closed its output and did not exit and was killed\."):
        shell("exec >&- 2>&-; sleep 60", limits=limits(stall_s=0.3))


def test_a_stop_reaches_a_process_that_closed_its_output():
    """Else it may keep a machine that has to leave for as long as a stall."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()

    with pytest.raises(Interrupted):
        shell("exec >&- 2>&-; sleep 60", stop=stop, limits=limits(stall_s=1))


def test_memory_is_limited():
    """Where the system can: elsewhere than on Linux the limit of another process cannot be set, as `Limits` says."""
    linux = sys.platform == "linux"
    with pytest.raises(FFmpegError, match="failed with exit code 1") if linux else nullcontext() as caught:
        python("import time; time.sleep(0.2); bytearray(1 << 30)", limits=limits(memory_bytes=512 << 20))

    assert not linux or caught.value.stderr_tail[-1] == "MemoryError"


def test_memory_below_the_limit_is_free():
    python("import time; time.sleep(0.2); bytearray(100 << 20)", limits=limits(memory_bytes=512 << 20))


def test_niceness_is_added_to_ours():
    said = bytearray()
    python(
        "import os, time; time.sleep(0.2); print(os.getpriority(os.PRIO_PROCESS, 0))", stdout=said.extend, niceness=3
    )

    assert int(said) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 3)


# -- last words --------------------------------------------------------------------------------------


def test_only_the_last_lines_are_kept():
    tail = shell("seq 1 5000 >&2").stderr_tail

    assert tail == tuple(str(number) for number in range(5001 - STDERR_LINES, 5001))


def test_a_last_line_needs_no_end():
    assert shell("printf 'one\\r\\ntwo\\rthree' >&2").stderr_tail == ("one", "two", "three")


def test_a_line_that_never_ends_is_cut():
    (line,) = python("import sys; sys.stderr.write('x' * 5_000_000)").stderr_tail

    assert set(line) == {"x"}
    assert len(line) <= 500


def test_bytes_that_are_no_text_are_harmless():
    """Neither a terminal nor a log gets control characters; what is not UTF-8 is replaced."""
    program = r"import sys; sys.stderr.buffer.write(b'caf\xe9 \x1b[31mred\x00\x07 \xe2\x80\xae \xc3\xa9\n\xff\xfe\n')"

    assert python(program).stderr_tail == ("caf\ufffd ?[31mred?? ? é", "\ufffd\ufffd")


# -- errors of ours ----------------------------------------------------------------------------------


def test_an_error_of_a_sink_kills_the_process_and_comes_through(pids: list[int]):
    class BrokenSinkError(Exception):
        pass

    def sink(data: bytes) -> None:
        learn(pids)(data)
        raise BrokenSinkError

    with pytest.raises(BrokenSinkError):
        shell(FAMILY, stdout=sink)

    assert len(pids) == 2
    for pid in pids:
        assert_gone(pid)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_even_an_exit_leaves_no_process_behind(error: type[BaseException], pids: list[int]):
    def sink(data: bytes) -> None:
        learn(pids)(data)
        raise error

    with pytest.raises(error):
        shell(FAMILY, stdout=sink)

    for pid in pids:
        assert_gone(pid)


def test_pipes_are_closed_when_their_block_is_left():
    """However it is left."""

    def leave() -> None:
        with open_pipes(3):
            assert len(open_fds()) == len(before) + 6
            raise ZeroDivisionError

    before = open_fds()
    with pytest.raises(ZeroDivisionError):
        leave()

    assert open_fds() == before


@pytest.mark.parametrize(
    "program", ["exit 0", "exit 1", "sleep 60", "exec >&- 2>&-; sleep 60"], ids=["well", "failed", "stalled", "stayed"]
)
def test_no_file_descriptor_is_left_open(program: str):
    before = open_fds()
    with suppress(FFmpegError), open_pipes(2) as pipes:
        shell(program, pipes=dict.fromkeys(pipes, ignore), limits=limits(stall_s=0.3))

    assert open_fds() == before


def test_no_file_descriptor_is_left_open_when_nothing_starts():
    before = open_fds()
    with pytest.raises(FFmpegError), open_pipes(2) as pipes:
        run(["/no/such/ffmpeg"], limits=ENOUGH, stdout=ignore, pipes=dict.fromkeys(pipes, ignore))

    assert open_fds() == before


def test_a_process_inherits_only_its_own_pipes():
    """Another's write end, held open by it, would keep that one's output from ending."""
    said = bytearray()
    with open_pipes(2) as pipes:
        python(
            "import os; print(*sorted(int(name) for name in os.listdir('/dev/fd')))",
            stdout=said.extend,
            pipes={pipes[0]: ignore},
        )
        listed = {int(word) for word in said.split()}

    assert {0, 1, 2} < listed
    assert len(listed - {0, 1, 2}) == 2, "its own pipe, and the listing's"


def test_many_at_once_do_not_hold_each_other_up():
    """As chunks do: none inherits a pipe of another, so each one's output ends when it does."""
    outputs = [bytearray() for _ in range(6)]
    failures: list[BaseException] = []

    def one(output: bytearray) -> None:
        try:
            with open_pipes(2) as pipes:
                python(
                    "import sys, os\nfor url in sys.argv[1:]: os.write(int(url[5:]), b'x' * 1000)",
                    *(pipe.url for pipe in pipes),
                    pipes=dict.fromkeys(pipes, output.extend),
                    limits=limits(stall_s=10),
                )
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=one, args=(output,)) for output in outputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert [len(output) for output in outputs] == [2000] * 6
