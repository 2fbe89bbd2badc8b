"""Who is timed: vod, three ways to use FFmpeg, shaka-streamer, and the bound that nobody can beat."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import commands
from bench.ladder import PROFILE, Ladder
from bench.output import Output, check_output, read_output
from bench.process import BenchError, Runner, Usage

#: What it is called in tables.
TITLES = {
    "vod": "vod",
    "sequential": "FFmpeg per rung",
    "single": "one FFmpeg",
    "single-1-thread": "one FFmpeg, 1 thread",
    "shaka": "shaka-streamer",
}

SINGLES = ("single", "single-1-thread")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSegment:
    """When the first finished segments were there, seconds from the process's start."""

    video_s: float
    any_s: float
    was_complete: bool  #: the file did not grow any more after it had its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One timed run of one contestant."""

    wall_s: float
    cpu_s: float
    own_cpu_s: float  #: of the processes that we started, without their children
    size_bytes: dict[str, int]  #: rung name or "audio" -> bytes
    first_segment: FirstSegment | None  #: of vod only


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """CPU seconds of what cannot be left out."""

    decode_s: float
    scale_s: float  #: all sizes, each from the next larger
    x264_s: dict[str, float]  #: rung name -> one thread, raw frames in, nothing out
    read_s: float  #: how much of x264_s went into reading raw frames
    audio_s: float  #: decode and encode the sound; not part of the total
    cores: int

    @property
    def cpu_s(self) -> float:
        """One decode, one cascade, x264 for each rung."""
        return self.decode_s + self.scale_s + sum(self.x264_s.values())

    @property
    def wall_s(self) -> float:
        """If no core ever waited."""
        return self.cpu_s / self.cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Everything that a run needs to know."""

    runner: Runner
    ffmpeg: str
    ffprobe: str
    vod: list[str]  #: the command, as many words as it has
    source: Path
    seconds: int
    ladder: Ladder
    cores: int

    def run(self, name: str) -> Run:
        """Run one contestant into a fresh folder.

        Raises:
            BenchError: It failed, or what it made is not what was asked for.
        """
        folder = self.fresh_folder(name)
        watch = _FirstSegmentWatch(self.runner.folder / folder) if name == "vod" else None
        usage: Usage | None = None
        for argv in self.commands(name, folder):
            used = self.runner.run(argv, watch=watch)
            usage = usage + used if usage else used
        assert usage
        output = self.output(name)
        check_output(self.runner, self.ffprobe, output, self.ladder, self.seconds)
        return Run(
            wall_s=usage.wall_s,
            cpu_s=usage.cpu_s,
            own_cpu_s=usage.own_cpu_s,
            size_bytes=output.size_bytes,
            first_segment=watch.result(usage.wall_s) if watch else None,
        )

    def commands(self, name: str, folder: str) -> list[list[str]]:
        """What a contestant runs, one after the other."""
        if name == "vod":
            return [self.vod_command(self.source, folder)]
        if name == "sequential":
            for part in (*(rung.name for rung in self.ladder.rungs), "audio"):
                (self.runner.folder / folder / part).mkdir(parents=True)
            return commands.sequential_commands(self.ffmpeg, self.source.name, self.ladder, folder)
        if name in SINGLES:
            return [self.single_command(name, folder)]
        settings = self.runner.folder / "shaka.json"
        settings.write_bytes(msgspec.json.encode(self.ladder, enc_hook=str))
        script = Path(__file__).with_name("shaka.py")
        # -P: the folder of the script holds names that could hide others.
        return [[sys.executable, "-P", str(script), self.source.name, folder, settings.name]]

    def vod_command(self, source: Path, folder: str, *options: str) -> list[str]:
        """`vod encode`, as somebody types it."""
        return [*self.vod, "encode", source.name, "--output", folder, "--profile", f"../{PROFILE.name}", *options]

    def single_command(self, name: str, folder: str, *, crf_shift: int = 0) -> list[str]:
        """One of the two commands that do everything in one process."""
        return commands.single_command(
            self.ffmpeg,
            self.source.name,
            self.ladder,
            folder,
            threads=1 if name == "single-1-thread" else None,
            crf_shift=crf_shift,
        )

    def fresh_folder(self, name: str) -> str:
        """A name below the work folder that does not exist yet; what was there is removed."""
        path = self.runner.folder / "out" / name
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(exist_ok=True)
        return f"out/{name}"

    def output(self, name: str) -> Output:
        """What the contestant's last run made."""
        return read_output(self.runner.folder / "out" / name, self.ladder)

    def bound(self) -> Bound:
        """Measure the lower bound; one size of raw frames lies on the disk at a time."""

        def cpu_s(argv: Sequence[str]) -> float:
            return self.runner.run(argv).cpu_s

        raw = self.runner.folder / "raw.yuv"
        decode_s = cpu_s(commands.decode_command(self.ffmpeg, self.source.name))
        scaled_s = cpu_s(commands.scale_command(self.ffmpeg, self.source.name, self.ladder))
        x264_s, read_s = {}, 0.0
        try:
            for rung in self.ladder.rungs:
                self.runner.run(commands.raw_command(self.ffmpeg, self.source.name, rung, raw.name))
                read_s += cpu_s(commands.read_raw_command(self.ffmpeg, raw.name, rung, self.ladder))
                x264_s[rung.name] = cpu_s(commands.x264_command(self.ffmpeg, raw.name, rung, self.ladder))
                raw.unlink()
        finally:
            raw.unlink(missing_ok=True)
        return Bound(
            decode_s=decode_s,
            scale_s=max(0.0, scaled_s - decode_s),
            x264_s=x264_s,
            read_s=read_s,
            audio_s=cpu_s(commands.audio_command(self.ffmpeg, self.source.name, self.ladder)),
            cores=self.cores,
        )


class _FirstSegmentWatch:
    """Looks into a growing folder for the first segments, and remembers how large they were."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._video: tuple[Path, float, int] | None = None
        self._any: tuple[Path, float, int] | None = None

    def __call__(self, elapsed_s: float) -> bool:
        """Look once; says whether to look again."""
        for folder, _, names in os.walk(self._folder):
            for name in names:
                if not name.endswith(".m4s"):
                    continue
                path = Path(folder, name)
                seen = (path, elapsed_s, path.stat().st_size)
                self._any = self._any or seen
                if path.parent.parent.name == "video":
                    self._video = self._video or seen
        return self._video is None

    def result(self, wall_s: float) -> FirstSegment:
        """Of the run, which is over.

        Raises:
            BenchError: There was none.
        """
        if self._video is None or self._any is None:
            raise BenchError(f"vod ran for {wall_s:.1f} s and left no .m4s below */video/*/.")
        path, video_s, size_bytes = self._video
        return FirstSegment(
            video_s=video_s, any_s=self._any[1], was_complete=path.is_file() and path.stat().st_size == size_bytes
        )
