"""What people see: progress while it runs, and the answers to what they want to know after."""

import shlex
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from vod.ffmpeg.binaries import Binaries
from vod.ffmpeg.command import audio_command, encode_command
from vod.hls.layout import MULTIVARIANT_KEY
from vod.local.folder import Listener, Outcome
from vod.media.plan import Plan
from vod.media.source import Seeking, Source, VideoTrack
from vod.pipeline import audio, encode

#: Redraws a second: enough for the eye, and no load.
REFRESH_HZ = 4


class _Speed(ProgressColumn):
    """How fast this run is, in frames a second and times real time; frames of an earlier run do not count."""

    def render(self, task: Any) -> Text:
        elapsed = task.elapsed or 0.0
        fresh = task.completed - task.fields["before"]
        if elapsed < 1 or not fresh:
            return Text("")
        frames_per_s = fresh / elapsed
        return Text(f"{frames_per_s:.0f} fps · {frames_per_s / task.fields['rate']:.1f}x real time")


class EncodeProgress(Listener):
    """A bar over all frames of all chunks; nothing where there is no terminal."""

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),  # it holds a file name
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            _Speed(),
            TimeRemainingColumn(compact=True),
            console=console,
            refresh_per_second=REFRESH_HZ,
            transient=True,
            disable=quiet or not console.is_terminal,
            expand=True,
        )
        self._bar: TaskID | None = None
        self._before = 0
        self._frames: dict[str, int] = {}

    def __enter__(self) -> "EncodeProgress":
        self._progress.start()
        self._bar = self._progress.add_task("Looking at the file …", total=None, before=0, rate=1.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def planned(self, plan: Plan, done: int) -> None:
        """Switch from looking to encoding."""
        self._before = done
        if self._bar is None:
            return
        rate = float(plan.video.frame_rate) if plan.video else 1.0
        total = plan.video.frame_count if plan.video else None
        self._progress.reset(
            self._bar,
            description=f"Encoding {_short(plan.source.name)}",
            total=total,
            completed=done,
            before=done,
            rate=rate,
        )

    def encoded(self, task: str, frame_count: int) -> None:
        """Add up all chunks."""
        self._frames[task] = frame_count
        if self._bar is not None:
            self._progress.update(self._bar, completed=self._before + sum(self._frames.copy().values()))


def print_outcome(outcome: Outcome, output: Path, file: Path) -> None:
    """The ladder as it was measured, what it cost, and where to look."""
    console = Console(highlight=False, soft_wrap=True)
    report, plan = outcome.report, outcome.report.plan
    index = output / MULTIVARIANT_KEY
    if outcome.already_there:
        console.print(f"Nothing to do: {index} is this file, encoded by this profile, and complete.", markup=False)
    ladder = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "size"):
        ladder.add_column(name)
    for name in ("average kb/s", "peak kb/s", "segments", "MB"):
        ladder.add_column(name, justify="right")
    for track in report.tracks:
        size = f"{track.width_px}x{track.height_px}" if track.kind == "video" else track.codec
        ladder.add_row(
            track.name if track.kind == "video" else f"sound {track.name}",
            size,
            f"{track.average_bps / 1000:,.0f}",
            f"{track.peak_bps / 1000:,.0f}",
            str(track.segment_count),
            f"{track.size_bytes / 1e6:,.1f}",
        )
    console.print(ladder)
    length = f"{_clock(plan.duration_s)} of {file.name}"
    if not outcome.already_there:
        speed = float(plan.duration_s) / outcome.wall_s
        resumed = f", {outcome.resumed_tasks} tasks of an earlier run kept" if outcome.resumed_tasks else ""
        console.print(
            f"{length} in {outcome.wall_s:.1f} s: {speed:.1f} times real time, "
            f"{report.cpu_s:.0f} CPU seconds{resumed}.",
            markup=False,
        )
    for line in plan.source.notes:
        console.print(f"Note: {line}.", markup=False)
    if report.complaints:
        console.print(
            f"The source is damaged: the decoder complained and concealed it. First of {len(report.complaints)} lines: "
            f"{report.complaints[0]}",
            style="yellow",
            markup=False,
        )
    console.print(f"Look: {index} plays in Safari, VLC, mpv, and any HLS player.", markup=False)


def outcome_document(outcome: Outcome, output: Path) -> dict[str, Any]:
    """The same for machines."""
    report = outcome.report
    return {
        "index": str(output / MULTIVARIANT_KEY),
        "edition": report.plan.edition,
        "already_there": outcome.already_there,
        "resumed_tasks": outcome.resumed_tasks,
        "duration_s": float(report.plan.duration_s),
        "wall_s": outcome.wall_s,
        "cpu_s": report.cpu_s,
        "tracks": report.tracks,
        "complaints": report.complaints,
    }


def print_plan(plan: Plan, binaries: Binaries, url: str) -> None:
    """Source facts, ladder with reasons, cuts, cost, commands."""
    console = Console(highlight=False, soft_wrap=True)

    def say(text: str = "", style: str = "") -> None:
        console.print(text, markup=False, style=style)

    say("Source", "bold")
    for name, value in _source_facts(plan.source):
        say(f"  {name:<12} {value}")
    say("\nLadder", "bold")
    for decision in plan.decisions:
        say(f"  {'+' if decision.taken else '-'} {decision.rung:<8} {decision.reason}")
    if plan.video:
        for rendition in plan.video.renditions:
            say(
                f"    {rendition.name:<8} {rendition.width_px}x{rendition.height_px}, CRF {rendition.crf:g}, "
                f"at most {rendition.max_bitrate_bps / 1e6:g} Mb/s"
            )
    for track in plan.audio:
        say(
            f"  + sound    {track.name}: AAC, {track.channels} channel{'s' if track.channels > 1 else ''}, "
            f"{track.bitrate_bps // 1000} kb/s"
        )
    if plan.video:
        video = plan.video
        say("\nCuts", "bold")
        say(f"  {video.frame_count} frames at {_rate(video.frame_rate)} fps, {_clock(plan.duration_s)}")
        if video.lead_frames or video.hold_frames:
            say(f"  first picture held {video.lead_frames} frames, last one {video.hold_frames}: the sound is longer")
        say(f"  {len(video.segment_borders)} segments, a keyframe every {video.gop_frames} frames")
        say(f"  {len(video.chunks)} chunks, segment numbers {_chunk_ranges(plan)}")
    say("\nCost", "bold")
    per_second = plan.predicted_cpu_s / float(plan.duration_s)
    say(f"  about {plan.predicted_cpu_s:.0f} CPU seconds, {per_second:.2f} per second of video")
    say("\nCommands", "bold")
    for command in _commands(plan, binaries, url):
        say(f"  # {command['task']}")
        say(f"  {command['paste']}")


def plan_document(plan: Plan, binaries: Binaries, url: str) -> dict[str, Any]:
    """The same for machines."""
    return {"plan": plan, "predicted_cpu_s": plan.predicted_cpu_s, "commands": _commands(plan, binaries, url)}


def _commands(plan: Plan, binaries: Binaries, url: str) -> list[dict[str, Any]]:
    """Every encoder run, with files for outputs where the pipeline has pipes."""
    found = []
    for chunk in plan.video.chunks if plan.video else ():
        assert plan.video is not None  # noqa: S101 - for the type checker
        outputs = [f"{encode.task_name(chunk)}-{rendition.name}.mp4" for rendition in plan.video.renditions]
        argv = encode_command(binaries.ffmpeg, plan, chunk, url=url, outputs=outputs)
        found.append({"task": encode.task_name(chunk), "argv": argv, "paste": shlex.join(argv)})
    for track in plan.audio:
        argv = audio_command(binaries.ffmpeg, plan, track, url=url, output=f"{audio.task_name(track)}.mp4")
        found.append({"task": audio.task_name(track), "argv": argv, "paste": shlex.join(argv)})
    return found


def _source_facts(source: Source) -> list[tuple[str, str]]:
    facts = [("file", f"{source.name}, {source.size_bytes / 1e6:,.1f} MB, {source.container}")]
    if source.video:
        video = source.video
        facts.append(
            (
                "picture",
                f"{video.codec}{f' {video.profile}' if video.profile else ''}, {video.width_px}x{video.height_px}"
                + _coded(video),
            )
        )  # fmt: skip
        facts.append(
            (
                "frames",
                f"{video.frame_count} at {_rate(video.frame_rate)} fps, "
                f"{'constant' if video.constant_rate else 'variable'} rate, {_clock(video.end_s - video.start_s)}",
            )
        )
        color = video.color
        said = [part for part in (color.primaries, color.transfer, color.matrix) if part]
        facts.append(
            (
                "colour",
                f"{video.pixel_format}, {'/'.join(said) or 'unsaid'}, {'full' if color.full_range else 'video'} range"
                f"{', HDR: will be tone-mapped to SDR' if color.is_hdr else ''}",
            )
        )
        oddities = []
        if video.rotation_deg:
            oddities.append(f"rotated by {video.rotation_deg} degrees")
        if video.sample_aspect != 1:
            oddities.append(f"pixels of {video.sample_aspect}")
        if video.interlaced:
            oddities.append("interlaced")
        if video.gaps:
            oddities.append(f"{len(video.gaps)} pictures stand longer than half a second")
        if oddities:
            facts.append(("", ", ".join(oddities)))
        facts.append(("starts", f"{float(video.start_s):.3f} s"))
    for track in source.audio:
        facts.append(
            (
                "sound",
                f"{track.codec}, {track.channels} channels, {track.sample_rate_hz} Hz, language {track.language}, "
                f"{float(track.start_s):.3f} s to {float(track.end_s):.3f} s",
            )
        )
    facts += [("note", note) for note in source.notes]
    if source.seeking is Seeking.NONE:
        facts.append(("note", "this container has no index to trust: it is encoded as one chunk"))
    return facts


def _coded(video: VideoTrack) -> str:
    """The decoder's size where it is not what is displayed."""
    size = (video.coded_width_px, video.coded_height_px)
    return "" if size == (video.width_px, video.height_px) else f" (coded {size[0]}x{size[1]})"


def _chunk_ranges(plan: Plan) -> str:
    chunks = plan.video.chunks if plan.video else ()
    ranges = [f"{chunk.first_segment}-{chunk.first_segment + chunk.segment_count - 1}" for chunk in chunks]
    return ", ".join(ranges if len(ranges) <= 12 else [*ranges[:6], "…", *ranges[-3:]])


def _rate(rate: Fraction) -> str:
    return f"{rate.numerator}" if rate.denominator == 1 else f"{float(rate):.3f} ({rate})"


def _clock(duration_s: Fraction) -> str:
    """3.2 s, 4:05, 1:30:00."""
    if duration_s < 60:
        return f"{float(duration_s):.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:37]}…"
