"""One video from a file into a folder: the pipeline's tasks, with a folder for a bucket and files for a table.

DIR/index.m3u8      the link, written last
DIR/<edition>/…     segments, playlists, report
DIR/.vod/           the lock, and what is known of tasks that are done, until the edition is
"""

import fcntl
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vod.errors import ConfigError, Interrupted
from vod.ffmpeg.binaries import Binaries
from vod.hls.layout import MULTIVARIANT_KEY, report_key, track_folder
from vod.media.encoded import TaskResult
from vod.media.plan import Plan, decode_fraction, dump_json
from vod.media.profile import Profile
from vod.pipeline import audio, encode
from vod.pipeline.audio import encode_audio
from vod.pipeline.encode import encode_chunk
from vod.pipeline.prepare import prepare
from vod.pipeline.publish import Report, publish

#: The first chunk is what a viewer waits for; the others leave it the processor (nice(2)).
LATER_NICENESS = 10

_EDITION = re.compile(r"^[0-9a-f]{16}$")


class FolderStore:
    """A folder as a store: an object appears under its name when it is whole."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """Write beside, then rename.

        Raises:
            ConfigError: The folder has no room or cannot be written.
        """
        path = self._root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(data)
            part.replace(path)
        except OSError as exc:
            raise ConfigError(
                f"{path} cannot be written: {exc.strerror}. Free some room, or use another --output."
            ) from exc

    def size(self, key: str) -> int | None:
        """Size in bytes; None when there is no such object."""
        try:
            return (self._root / key).stat().st_size
        except OSError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSource:
    """A file as it was when it was opened."""

    path: Path
    size_bytes: int
    modified_ns: int

    @property
    def url(self) -> str:
        """How FFmpeg is told to open it: by this protocol and no other, whatever the name looks like."""
        return f"file:{self.path}"

    def changed(self) -> bool:
        """Whether it is another file now."""
        try:
            stat = self.path.stat()
        except OSError:
            return True
        return (stat.st_size, stat.st_mtime_ns) != (self.size_bytes, self.modified_ns)


def open_source(path: Path) -> LocalSource:
    """Look at a file that is to be encoded.

    Raises:
        ConfigError: It is not there, not readable, or no regular file.
    """
    try:
        resolved = path.resolve(strict=True)
        stat = resolved.stat()
        if not resolved.is_file():
            raise ConfigError(f"{path} is no regular file. Name a video file.")
        with resolved.open("rb"):
            pass
    except OSError as exc:
        raise ConfigError(f"{path} cannot be opened: {exc.strerror}. Check its name and your rights to it.") from exc
    return LocalSource(path=resolved, size_bytes=stat.st_size, modified_ns=stat.st_mtime_ns)


def plan_file(
    binaries: Binaries, source: LocalSource, profile: Profile, *, stop: threading.Event | None = None
) -> Plan:
    """Probe a file and plan its edition."""
    return prepare(
        binaries, source.url, name=source.path.name, size_bytes=source.size_bytes, profile=profile, stop=stop
    )


class Listener:
    """Told what happens while a folder is made; the methods of this one do nothing."""

    def planned(self, plan: Plan, done: int) -> None:
        """The work is known; `done` frames were encoded by an earlier run."""

    def encoded(self, task: str, frame_count: int) -> None:
        """So many frames of a chunk are encoded; called often, from several threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A folder that is ready to be served."""

    report: Report
    wall_s: float
    already_there: bool  #: a run before this one had finished it
    resumed_tasks: int  #: that did not have to be done again


def encode_file(
    binaries: Binaries,
    source: LocalSource,
    output: Path,
    profile: Profile,
    *,
    jobs: int,
    replace: bool = False,
    listener: Listener | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Encode a file into a folder; goes on where an earlier run was stopped.

    Args:
        binaries: The programs.
        source: The file.
        output: Made if need be. Holds one video.
        profile: How it is encoded.
        jobs: Chunks encoded at once.
        replace: Another video in the folder may go, once this one is ready.
        listener: Told of progress.
        stop: When set, gives up; what is done is kept.

    Raises:
        InputError: The file is at fault.
        ConfigError: The folder cannot be used, or the file changed meanwhile.
        FFmpegError: A task failed.
        Interrupted: `stop` was set.
    """
    began = time.monotonic()
    listener = listener or Listener()
    stop = stop or threading.Event()
    # A mistake in the folder is found before the file is read, and nothing is written before it is planned.
    _check_folder(output)
    plan = plan_file(binaries, source, profile, stop=stop)
    with _locked(output):
        current = _current_edition(output)
        if current == plan.edition and (report := _finished(output, plan.edition)):
            return Outcome(report=report, wall_s=time.monotonic() - began, already_there=True, resumed_tasks=0)
        if current not in (None, plan.edition) and not replace:
            raise ConfigError(
                f"{output} holds another video, or this one encoded otherwise. "
                "Use another --output, or --replace to put this one in its place."
            )
        state = output / ".vod" / plan.edition
        store = FolderStore(output)
        FolderStore(state).put("plan.json", dump_json(plan))
        done = _results(state, store, plan)
        resumed = len(done)
        frames = {encode.task_name(chunk): chunk.frame_count for chunk in plan.video.chunks} if plan.video else {}
        listener.planned(plan, sum(frames[task] for task in done if task in frames))
        _run_tasks(binaries, plan, source, store, state, done, jobs=jobs, listener=listener, stop=stop)
        if source.changed():
            raise ConfigError(f"{source.path} changed while it was encoded. Encode it again when it is complete.")
        report = publish(plan, list(done.values()), store)
        _clean(output, keep=plan.edition)
    return Outcome(report=report, wall_s=time.monotonic() - began, already_there=False, resumed_tasks=resumed)


def _run_tasks(
    binaries: Binaries,
    plan: Plan,
    source: LocalSource,
    store: FolderStore,
    state: Path,
    done: dict[str, TaskResult],
    *,
    jobs: int,
    listener: Listener,
    stop: threading.Event,
) -> None:
    """Do every task that is not in `done` yet, the first picture and the sound first; adds to `done`.

    The first failure stops the others; its error is the one that is raised.
    """
    tasks: dict[str, Callable[[], TaskResult]] = {}
    for chunk in plan.video.chunks if plan.video else ():
        tasks[encode.task_name(chunk)] = lambda chunk=chunk: encode_chunk(  # type: ignore[misc]
            binaries,
            plan,
            chunk,
            url=source.url,
            store=store,
            on_progress=lambda frames: listener.encoded(encode.task_name(chunk), frames),
            stop=stop,
            niceness=LATER_NICENESS if chunk.index else 0,
        )
    for track in plan.audio:
        tasks[audio.task_name(track)] = lambda track=track: encode_audio(  # type: ignore[misc]
            binaries, plan, track, url=source.url, store=store, stop=stop
        )
    order = sorted((task for task in tasks if task not in done), key=lambda task: (task != "chunk_00000", task))
    rows = FolderStore(state)
    failure: BaseException | None = None
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="task") as pool:
        running: dict[Future[TaskResult], str] = {pool.submit(tasks[task]): task for task in order}
        while running:
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                task = running.pop(future)
                if future.cancelled():
                    continue
                error = future.exception()
                if error is None:
                    done[task] = future.result()
                    rows.put(f"{task}.json", dump_json(done[task]))
                elif failure is None or isinstance(failure, Interrupted):
                    failure = error
            if failure is not None or stop.is_set():
                stop.set()
                for future in running:
                    future.cancel()
    if failure is not None:
        raise failure
    if stop.is_set():
        raise Interrupted


def _results(state: Path, store: FolderStore, plan: Plan) -> dict[str, TaskResult]:
    """Tasks that an earlier run finished and whose files are all still there."""
    found = {}
    for path in sorted(state.glob("*_*.json")):
        try:
            result = msgspec.json.decode(path.read_bytes(), type=TaskResult, dec_hook=decode_fraction)
        except (OSError, msgspec.DecodeError):
            continue
        files = [(segment.key, segment.size_bytes) for track in result.tracks for segment in track.segments]
        if all(store.size(f"{plan.edition}/{key}") == size for key, size in files) and all(
            store.size(f"{plan.edition}/{track.init_key}") for track in result.tracks
        ):
            found[result.task] = result
    return found


def _check_folder(output: Path) -> None:
    """Refuse a place that is no folder of ours before anything is written."""
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output} is a file. Name a folder for --output.")
    try:
        foreign = output.is_dir() and any(output.iterdir()) and not (output / ".vod").is_dir()
    except OSError as exc:
        raise ConfigError(f"{output} cannot be read: {exc.strerror}. Use another --output.") from exc
    if foreign:
        raise ConfigError(f"{output} holds other files. Use an empty folder, or one that does not exist yet.")


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Only one run writes to a folder; the lock goes with the process."""
    try:
        (output / ".vod").mkdir(parents=True, exist_ok=True)
        lock = (output / ".vod" / "lock").open("a")
    except OSError as exc:
        raise ConfigError(f"{output} cannot be written: {exc.strerror}. Use another --output.") from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise ConfigError(f"Another run is writing to {output}. Wait for it, or use another --output.") from exc
        yield


def _current_edition(output: Path) -> str | None:
    """The edition that the link names."""
    try:
        text = (output / MULTIVARIANT_KEY).read_text()
    except OSError:
        return None
    for line in text.splitlines():
        folder = line.partition("/")[0]
        if not line.startswith("#") and _EDITION.match(folder):
            return folder
    return None


def _finished(output: Path, edition: str) -> Report | None:
    """The report of an edition whose segments are all there."""
    try:
        data = (output / edition / report_key()).read_bytes()
        report = msgspec.json.decode(data, type=Report, dec_hook=decode_fraction)
        for track in report.tracks:
            folder = output / edition / track_folder(track.kind, track.name)
            if sum(path.stat().st_size for path in folder.glob("*.m4s")) != track.size_bytes:
                return None
    except (OSError, msgspec.DecodeError):
        return None
    return report


def _clean(output: Path, *, keep: str) -> None:
    """Remove what the finished edition does not need: notes of tasks, half-written files, older editions."""
    for path in (output / ".vod").iterdir():
        if _EDITION.match(path.name):
            shutil.rmtree(path, ignore_errors=True)
            if path.name != keep:
                shutil.rmtree(output / path.name, ignore_errors=True)
    for path in output.iterdir():
        if _EDITION.match(path.name) and path.name != keep and (path / report_key()).is_file():
            shutil.rmtree(path, ignore_errors=True)


def default_jobs() -> int:
    """Chunks at once that fill this machine: one per core it may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS
        return max(1, os.cpu_count() or 1)
