"""The clip that everybody encodes, made once by FFmpeg's own generators."""

import hashlib
from pathlib import Path

from bench.process import Runner

WIDTH_PX, HEIGHT_PX = 1920, 1080
FRAME_RATE = 30

#: The long clip is this many short ones.
REPEATS = 10

#: A slow zoom with edges, fine texture and gradients that gets harder all the time, a clock with hard edges that
#: moves, and the noise of a camera. Blurred to what a lens delivers: 1080p at CRF 23 needs 2.5 to 5 Mb/s.
_PICTURE = (
    f"mandelbrot=size=640x360:rate={FRAME_RATE}:maxiter=200:start_scale=0.5:end_scale=0.01:end_pts=1800,"
    f"gblur=sigma=1.6,hue=s=0.5,scale={WIDTH_PX}:{HEIGHT_PX}:flags=bicubic,noise=alls=2:allf=t:all_seed=1[zoom];"
    f"testsrc2=size=480x270:rate={FRAME_RATE}[clock];"
    "[zoom][clock]overlay=60:60:shortest=1,format=yuv420p"
)

#: Closed GOPs of 2 s with B-frames, as a camera or an editor would deliver them.
_ENCODE = (
    *("-c:v", "libx264", "-preset", "fast", "-crf", "18", "-bf", "3"),
    *("-g", str(2 * FRAME_RATE), "-keyint_min", str(2 * FRAME_RATE), "-sc_threshold", "0"),
)

_TONE = "aevalsrc='0.2*sin(2*PI*440*t)|0.2*sin(2*PI*(330+20*sin(t))*t)':sample_rate=48000:channel_layout=stereo"


def make_source(runner: Runner, ffmpeg: str, seconds: int) -> Path:
    """The clip of so many seconds, in the runner's folder; made when it is not there yet."""
    return _mux(runner, ffmpeg, seconds, repeats=1)


def make_long_source(runner: Runner, ffmpeg: str, seconds: int) -> Path:
    """The same picture REPEATS times, joined by stream copy."""
    return _mux(runner, ffmpeg, seconds, repeats=REPEATS)


def _mux(runner: Runner, ffmpeg: str, seconds: int, *, repeats: int) -> Path:
    recipe = hashlib.sha256(repr((_PICTURE, _ENCODE, _TONE)).encode()).hexdigest()[:8]
    path = runner.folder / f"source-{seconds * repeats}s-{recipe}.mp4"
    if path.is_file():
        return path
    quiet = ("-v", "error", "-nostdin", "-y")
    picture = runner.folder / f"picture-{seconds}s-{recipe}.mp4"
    if not picture.is_file():
        part = picture.with_suffix(".part.mp4")
        runner.run([ffmpeg, *quiet, "-filter_complex", _PICTURE, "-t", str(seconds), *_ENCODE, *("-an", part.name)])
        part.replace(picture)
    # The picture alone is repeated: an AAC track is never a whole number of packets long, and would open a gap
    # of some milliseconds at each joint.
    joints = runner.folder / "joints.txt"
    joints.write_text(f"file {picture.name}\n" * repeats)
    part = path.with_suffix(".part.mp4")
    runner.run(
        [
            *(ffmpeg, *quiet, "-f", "concat", "-i", joints.name),
            *("-f", "lavfi", "-t", str(seconds * repeats), "-i", _TONE),
            *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", "128k"),
            *("-movflags", "+faststart", part.name),
        ]
    )
    part.replace(path)
    return path
