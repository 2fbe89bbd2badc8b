"""Clips made for the tests, and readers of what became of them.

Every frame of a bar-coded clip carries its own number as a row of black and white blocks, large enough to survive
scaling to a tenth and any quantiser; so a test sees which source frame an output frame shows.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vod.ffmpeg.binaries import find_binaries
from vod.local.folder import encode_file, open_source
from vod.media.plan import Plan
from vod.media.profile import Audio, Profile, Rung, Video

BITS = 12
CODE_WIDTH, CODE_HEIGHT = 384, 216


def ffmpeg(*arguments: str | Path, stdin: bytes | None = None) -> bytes:
    """Run FFmpeg; its stdout."""
    command = [find_binaries().ffmpeg, "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout


def ffprobe(*arguments: str | Path) -> dict:
    """Run ffprobe; its JSON."""
    command = [find_binaries().ffprobe, "-v", "error", "-of", "json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


def coded_frame(number: int, width: int = CODE_WIDTH, height: int = CODE_HEIGHT) -> NDArray[np.uint8]:
    """One gray picture with its number in the upper half, most significant bit left, and motion below."""
    picture = np.full((height, width), 96, np.uint8)
    block = width // BITS
    for bit in range(BITS):
        white = number >> (BITS - 1 - bit) & 1
        picture[: height // 2, bit * block : (bit + 1) * block] = 235 if white else 16
    rows = np.arange(height // 2)[:, None]
    columns = np.arange(width)[None, :]
    picture[height // 2 :, :] = 64 + (rows * 3 + columns * 2 + number * 5) % 128
    return picture


def coded_clip(
    path: Path,
    *,
    rate: str,
    frame_count: int,
    options: Sequence[str] = (),
    inputs: Sequence[str] = (),
    filters: str = "null",
) -> Path:
    """A bar-coded H.264 clip: 2 B-frames, a keyframe every 40 frames.

    Args:
        path: Its suffix is the container.
        rate: Frames per second, "30000/1001".
        frame_count: How many.
        options: Output options, after the defaults.
        inputs: Further inputs, such as sound.
        filters: Applied to the picture.
    """
    raw = b"".join(coded_frame(number).tobytes() for number in range(frame_count))
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{CODE_WIDTH}x{CODE_HEIGHT}", "-r", rate, "-i", "-"),
        *inputs,
        *("-vf", f"{filters},format=yuv420p", "-fps_mode", "passthrough", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-bf", "2", "-g", "40", "-crf", "12", "-c:a", "aac"),
        *options,
        path,
        stdin=raw,
    )
    return path


def codes_of(path: Path, filters: str = "null") -> list[int]:
    """The numbers that the frames of a file carry, in presentation order."""
    width, height = BITS * 8, 8
    raw = ffmpeg(
        *("-i", path, "-map", "0:v:0", "-vf", f"{filters},scale={width}:{height * 2}:flags=area,format=gray"),
        *("-fps_mode", "passthrough", "-f", "rawvideo", "-"),
    )
    frames = np.frombuffer(raw, np.uint8).reshape(-1, height * 2, width)
    blocks = frames[:, 2 : height - 2, :].reshape(len(frames), height - 4, BITS, 8)[:, :, :, 2:6].mean(axis=(1, 3))
    weights = 1 << np.arange(BITS - 1, -1, -1)
    return [int(number) for number in ((blocks > 125) * weights).sum(axis=1)]


def segment_files(playlist: Path) -> list[Path]:
    """The media segments that a media playlist names, in order."""
    return [playlist.parent / line for line in playlist.read_text().splitlines() if line and not line.startswith("#")]


def durations(playlist: Path) -> list[Fraction]:
    """The EXTINF values of a media playlist."""
    return [
        Fraction(line.removeprefix("#EXTINF:").rstrip(","))
        for line in playlist.read_text().splitlines()
        if line.startswith("#EXTINF:")
    ]


def joined(playlist: Path, to: Path) -> Path:
    """All of a rendition as one file: init segment and media segments end to end."""
    parts = [playlist.parent / "init.mp4", *segment_files(playlist)]
    to.write_bytes(b"".join(part.read_bytes() for part in parts))
    return to


def media_playlists(output: Path, kind: str) -> dict[str, Path]:
    """The media playlists of a finished folder by track name; kind is "video" or "audio"."""
    return {path.parent.name: path for path in sorted(output.glob(f"*/{kind}/*/playlist.m3u8"))}


def packet_times(path: Path, stream: str = "v:0") -> list[Fraction]:
    """Presentation times of a track's packets, seconds, ascending."""
    shown = ffprobe(
        *("-select_streams", stream, "-show_entries", "packet=pts:stream=time_base"),
        path,
    )
    base = Fraction(shown["streams"][0]["time_base"])
    return sorted(int(packet["pts"]) * base for packet in shown["packets"])


def small_profile(chunk_work_s: float) -> Profile:
    """Two small rungs, 1 s GOPs, 2 s segments: a short clip has many borders."""
    return Profile(
        name="test",
        segment_s=2.0,
        chunk_work_s=chunk_work_s,
        video=Video(gop_s=1.0, preset="ultrafast"),
        audio=Audio(),
        rungs=(
            Rung(name="big", width_px=384, height_px=216, crf=20, max_bitrate_bps=3_000_000),
            Rung(name="small", width_px=192, height_px=108, crf=20, max_bitrate_bps=1_000_000),
        ),
    )


def encoded(clip: Path, output: Path, chunk_work_s: float, jobs: int = 2) -> Plan:
    """Encode, and give the plan."""
    outcome = encode_file(find_binaries(), open_source(clip), output, small_profile(chunk_work_s), jobs=jobs)
    return outcome.report.plan


#: The command line, as its own process.
VOD = [sys.executable, "-m", "vod.cli.main"]


def vod(*arguments: str | Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run([*VOD, *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s, check=False)
