"""Encode one chunk in every rendition: one FFmpeg process in, finished segments out, nothing on disk between."""

import hashlib
import threading
from collections.abc import Callable
from fractions import Fraction

from vod.errors import FFmpegError
from vod.ffmpeg.binaries import Binaries
from vod.ffmpeg.command import encode_command
from vod.ffmpeg.process import Finished, Limits, open_pipes, run
from vod.hls.fmp4 import Fragment, FragmentReader, Init, MalformedError, MediaSegment, Segmenter
from vod.hls.layout import init_key, segment_key
from vod.media.chunks import Chunk
from vod.media.encoded import Segment, TaskResult, Track
from vod.media.ladder import Rendition
from vod.media.plan import Plan, VideoPlan
from vod.pipeline.store import Store

#: A machine may be this much slower than the cost model, and a chunk may wait this long for its first byte.
SLOWNESS = 30.0
PATIENCE_S = 120.0

#: Address space: libraries, stacks and arenas of some twenty threads, and so many frames of the source's and the
#: rungs' sizes in decoder, filters, look-ahead and references.
BASE_MEMORY_BYTES = 4 << 30
FRAMES_IN_FLIGHT = 120

#: Called with the number of frames of this chunk that are encoded so far.
Progress = Callable[[int], None]


class TrackWriter:
    """One output of FFmpeg, cut into segments and stored while it arrives."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        kind: str,
        name: str,
        segmenter: Segmenter,
        *,
        chunk: int,
        fence: int,
        skip: int = 0,
    ) -> None:
        self._store = store
        self._edition = plan.edition
        self._kind = kind
        self._name = name
        self._segmenter = segmenter
        self._chunk = chunk
        self._fence = fence
        self._skip = skip
        self._reader = FragmentReader()
        self._segments: list[Segment] = []

    def feed(self, data: bytes) -> None:
        """Take bytes from FFmpeg.

        Raises:
            MalformedError: They are not what was asked for.
        """
        for fragment in self._reader.feed(data):
            for segment in self._segmenter.add(self._without_priming(fragment)):
                self._put(segment)

    def finish(self, *, short_end: bool = False) -> Track:
        """The output has ended: store what is left, and say what there is.

        Raises:
            MalformedError: It ended too early.
        """
        self._reader.close()
        for segment in self._segmenter.finish(short_end=short_end):
            self._put(segment)
        init = self._init()
        key = init_key(self._kind, self._name)
        self._store.put(f"{self._edition}/{key}", init.data)
        return Track(
            kind=self._kind,
            name=self._name,
            init_key=key,
            init_sha256=hashlib.sha256(init.data).hexdigest(),
            codec=init.codec,
            width_px=init.width_px,
            height_px=init.height_px,
            channels=init.channels,
            segments=tuple(self._segments),
        )

    def _without_priming(self, fragment: Fragment) -> Fragment:
        """Drop the encoder's priming, which is sound before time 0."""
        dropped = fragment.samples[: self._skip]
        self._skip -= len(dropped)
        size = sum(sample.size_bytes for sample in dropped)
        return Fragment(samples=fragment.samples[len(dropped) :], payload=fragment.payload[size:])

    def _init(self) -> Init:
        if self._reader.init is None:
            raise MalformedError("no init segment was written")
        return self._reader.init

    def _put(self, segment: MediaSegment) -> None:
        key = segment_key(self._kind, self._name, chunk=self._chunk, fence=self._fence, number=segment.number)
        self._store.put(f"{self._edition}/{key}", segment.data)
        self._segments.append(
            Segment(
                number=segment.number,
                key=key,
                size_bytes=len(segment.data),
                duration_s=Fraction(segment.duration, self._init().timescale),
            )
        )


def encode_chunk(
    binaries: Binaries,
    plan: Plan,
    chunk: Chunk,
    *,
    url: str,
    store: Store,
    fence: int = 0,
    on_progress: Progress | None = None,
    stop: threading.Event | None = None,
    niceness: int = 0,
) -> TaskResult:
    """Encode one chunk; every segment is stored as soon as it is complete.

    Args:
        binaries: The programs.
        plan: Of the edition.
        chunk: One of its chunks.
        url: The source.
        store: Takes segments and init segments.
        fence: Number of this attempt; no other attempt has the same keys.
        on_progress: Told of encoded frames, several times a second.
        stop: When set, gives up.
        niceness: Lowers the priority of the process.

    Raises:
        FFmpegError: The process died, hung, or wrote other frames than planned.
        Interrupted: `stop` was set.
    """
    video = _video(plan)
    with open_pipes(len(video.renditions)) as pipes:
        argv = encode_command(binaries.ffmpeg, plan, chunk, url=url, outputs=[pipe.url for pipe in pipes])
        writers = [_writer(store, plan, video, rendition, chunk, fence) for rendition in video.renditions]
        try:
            finished = run(
                argv,
                limits=limits_for(plan, chunk.frame_count * video.frame_cpu_s),
                stdout=ProgressLines(on_progress),
                pipes={pipe: writer.feed for pipe, writer in zip(pipes, writers, strict=True)},
                stop=stop,
                niceness=niceness,
            )
            tracks = tuple(writer.finish() for writer in writers)
        except MalformedError as exc:
            raise FFmpegError(f"ffmpeg wrote other than planned for chunk {chunk.index}: {exc}.", argv=argv) from exc
    for track, rendition in zip(tracks, video.renditions, strict=True):
        if (track.width_px, track.height_px) != (rendition.width_px, rendition.height_px):
            raise FFmpegError(f"ffmpeg encoded {rendition.name} as {track.width_px}x{track.height_px}.", argv=argv)
    return result_of(task_name(chunk), tracks, finished)


def task_name(chunk: Chunk) -> str:
    """Names of tasks sort in presentation order."""
    return f"chunk_{chunk.index:05d}"


def result_of(task: str, tracks: tuple[Track, ...], finished: Finished) -> TaskResult:
    """What a process and its tracks leave behind."""
    return TaskResult(
        task=task,
        tracks=tracks,
        cpu_s=finished.cpu_s,
        wall_s=finished.wall_s,
        complaints=finished.stderr_tail,
    )


def limits_for(plan: Plan, cpu_s: float) -> Limits:
    """What one FFmpeg process may use for so much predicted work."""
    pixels = 0
    if plan.video and plan.source.video:
        track = plan.source.video
        sizes = [rendition.width_px * rendition.height_px for rendition in plan.video.renditions]
        pixels = sum(sizes) + track.coded_width_px * track.coded_height_px
        if track.color.is_hdr:
            pixels += 8 * sizes[0]  # 32-bit float planes
    return Limits(
        timeout_s=PATIENCE_S + SLOWNESS * cpu_s,
        stall_s=PATIENCE_S,
        memory_bytes=BASE_MEMORY_BYTES + 2 * pixels * FRAMES_IN_FLIGHT,
    )


class ProgressLines:
    """Reads FFmpeg's `-progress` lines from its stdout; they come by the clock, so only what changed is progress."""

    def __init__(self, on_progress: Progress | None) -> None:
        self._on_progress = on_progress
        self._rest = b""
        self._last: dict[bytes, bytes] = {}

    def __call__(self, data: bytes) -> bool:
        """Take bytes; says whether FFmpeg has come on since the last ones."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-1000:]
        came_on = False
        for line in lines:
            name, _, value = line.partition(b"=")
            if name not in (b"frame", b"out_time_us") or self._last.get(name) == value:
                continue
            self._last[name] = value
            came_on = True
            if name == b"frame" and value.strip().isdigit() and self._on_progress:
                self._on_progress(int(value))
        return came_on


def _writer(store: Store, plan: Plan, video: VideoPlan, rendition: Rendition, chunk: Chunk, fence: int) -> TrackWriter:
    numbers = range(chunk.first_segment, chunk.first_segment + chunk.segment_count)
    segmenter = Segmenter(
        [video.segment_frame_count(number) for number in numbers],
        first_number=chunk.first_segment,
        start=chunk.start_frame * video.frame_ticks,
    )
    return TrackWriter(store, plan, "video", rendition.name, segmenter, chunk=chunk.index, fence=fence)


def _video(plan: Plan) -> VideoPlan:
    if plan.video is None:
        raise ValueError("a plan without a picture has no chunks")
    return plan.video
