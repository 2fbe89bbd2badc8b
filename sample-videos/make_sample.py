"""Make the sample that `make demo` encodes; say where: `make_sample.py sample-videos/demo.mp4`.

32 s of 1080p30: drifting colours, a moving panel with a running clock and frame counter, a tone that beeps every
second. Made by FFmpeg's own sources, so it needs no font, no download and no licence.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from vod.ffmpeg.binaries import find_binaries
from vod.ffmpeg.process import Limits, run

LENGTH_S = 32
FRAME_RATE = 30

BACKGROUND = f"gradients=s=480x270:r={FRAME_RATE}:d={LENGTH_S}:n=6:speed=0.02:seed=7:type=spiral,scale=1920:1080"
PANEL = f"testsrc2=s=960x540:r={FRAME_RATE}:d={LENGTH_S}"
TONE = f"sine=frequency=330:beep_factor=4:sample_rate=48000:duration={LENGTH_S}"
GRAPH = (
    # The panel's own clock and frame counter, cut out and enlarged.
    "[1:v]setsar=1,split[panel][copy];[copy]crop=100:36:2:2,scale=800:288:flags=neighbor[clock];"
    "[0:v][panel]overlay=x='480+440*sin(t/2)':y='180+170*cos(t/3)'[both];"
    "[both][clock]overlay=x=48:y=728,format=yuv420p[v];[2:a]volume=0.25[a]"
)


def command(ffmpeg: str, path: Path) -> list[str]:
    """The FFmpeg command; the same bytes on every run."""
    return [
        ffmpeg, "-hide_banner", "-y", "-loglevel", "error", "-progress", "pipe:1", "-nostats",
        "-f", "lavfi", "-i", BACKGROUND, "-f", "lavfi", "-i", PANEL, "-f", "lavfi", "-i", TONE,
        "-filter_complex", GRAPH, "-map", "[v]", "-map", "[a]", "-ac", "2",
        "-c:v", "libx264", "-preset", "superfast", "-crf", "18", "-g", "60", "-c:a", "aac", "-b:a", "128k",
        "-movflags", "+faststart", "-f", "mp4", str(path),
    ]  # fmt: skip


def main() -> None:
    """Make it beside its name, then rename: an interrupted run leaves no half sample."""
    if len(sys.argv) != 2:
        sys.exit("Say where: python sample-videos/make_sample.py sample-videos/demo.mp4")
    path = Path(sys.argv[1]).resolve()
    part = path.with_suffix(".part")
    console = Console(stderr=True)
    with Progress(
        TextColumn("Making a sample video"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        expand=True,
    ) as progress:
        bar = progress.add_task("", total=LENGTH_S * FRAME_RATE)

        def read(data: bytes) -> None:
            for line in data.split(b"\n"):
                name, _, value = line.partition(b"=")
                if name == b"frame" and value.isdigit():
                    progress.update(bar, completed=int(value))

        try:
            limits = Limits(timeout_s=1800, stall_s=300, memory_bytes=8 << 30)
            run(command(find_binaries().ffmpeg, part), limits=limits, stdout=read)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    console.print(f"{path.name}: {LENGTH_S} s of 1080p, {path.stat().st_size / 1e6:.0f} MB.", highlight=False)


if __name__ == "__main__":
    main()
