"""The encoding profile: ladder, codecs and segment length as data, in one documented TOML file."""

import re
import tomllib
from dataclasses import dataclass, fields
from fractions import Fraction
from importlib import resources
from typing import Annotated

import msgspec

from vod.errors import ConfigError

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

_RUNG_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"  # it is a folder and a part of a URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One entry of the ladder: a box that the picture must fit into, and how well it is encoded."""

    name: Annotated[str, msgspec.Meta(pattern=_RUNG_NAME)]
    width_px: Annotated[int, msgspec.Meta(ge=16, le=8192, multiple_of=2)]  #: long side of the box
    height_px: Annotated[int, msgspec.Meta(ge=16, le=8192, multiple_of=2)]  #: short side of the box
    crf: Annotated[float, msgspec.Meta(ge=0, le=51)]  #: x264's constant rate factor
    max_bitrate_bps: Annotated[int, msgspec.Meta(ge=20_000, le=200_000_000)]  #: the cap, at frame rates up to 30
    buffer_s: Annotated[float, msgspec.Meta(ge=0.5, le=10)] = 2.0  #: VBV buffer, seconds at the cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """What all rungs share."""

    codec: Annotated[str, msgspec.Meta(pattern="^h264$")] = "h264"
    preset: str = "veryfast"  #: one of PRESETS
    gop_s: Annotated[float, msgspec.Meta(ge=0.5, le=10)] = 2.0
    max_frame_rate: Annotated[int, msgspec.Meta(ge=10, le=120)] = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """How every sound track is encoded."""

    codec: Annotated[str, msgspec.Meta(pattern="^aac$")] = "aac"
    bitrate_bps: Annotated[int, msgspec.Meta(ge=32_000, le=512_000)] = 128_000  #: for two channels
    channels: Annotated[int, msgspec.Meta(ge=1, le=2)] = 2  #: at most; mono stays mono
    sample_rate_hz: int = 48_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything that decides how a source is encoded; two equal profiles give equal bytes."""

    name: Annotated[str, msgspec.Meta(pattern=_RUNG_NAME)]
    segment_s: Annotated[float, msgspec.Meta(ge=1, le=20)] = 6.0
    start_s: Annotated[float, msgspec.Meta(ge=0.2, le=20)] = 1.0  #: length of the first segment
    chunk_work_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 20.0  #: CPU seconds one chunk should take
    video: Video = Video()
    audio: Audio = Audio()
    rungs: Annotated[tuple[Rung, ...], msgspec.Meta(min_length=1, max_length=16)]

    def problems(self) -> list[str]:
        """What the types cannot say; empty when the profile is sound."""
        found = []
        if self.video.preset not in PRESETS:
            found.append(f"video.preset is {self.video.preset!r}; use one of {', '.join(PRESETS)}")
        if self.audio.sample_rate_hz not in (44_100, 48_000):
            found.append(f"audio.sample_rate_hz is {self.audio.sample_rate_hz}; use 44100 or 48000")
        gops = Fraction(str(self.segment_s)) / Fraction(str(self.video.gop_s))
        if gops.denominator != 1:
            found.append(f"segment_s is {self.segment_s:g}, not a whole number of video.gop_s ({self.video.gop_s:g})")
        if self.start_s > self.segment_s:
            found.append(f"start_s is {self.start_s:g}, longer than segment_s ({self.segment_s:g})")
        names = [rung.name for rung in self.rungs]
        for name in sorted({name for name in names if names.count(name) > 1}):
            found.append(f"two rungs are called {name!r}")
        for rung in self.rungs:
            if rung.width_px < rung.height_px:
                found.append(
                    f"rung {rung.name!r}: width_px {rung.width_px} is less than height_px {rung.height_px}; "
                    "the box is written lying (portrait video turns it)"
                )
        areas: dict[tuple[int, int], str] = {}
        for rung in self.rungs:
            other = areas.setdefault((rung.width_px, rung.height_px), rung.name)
            if other != rung.name:
                found.append(f"rungs {other!r} and {rung.name!r} have the same size")
        return found


def default_profile() -> Profile:
    """The profile that comes with the package (`media/default_profile.toml`)."""
    return parse_profile(resources.files("vod.media").joinpath("default_profile.toml").read_text(), "default")


def parse_profile(text: str, where: str) -> Profile:
    """Read and check a profile.

    Args:
        text: TOML; `default_profile.toml` documents every key.
        where: File name for the messages.

    Raises:
        ConfigError: It is no TOML, a key is unknown, missing or out of range; names the place and the rule.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{where} is not TOML: {exc}.") from exc
    unknown = _unknown_keys(table)
    if unknown:
        raise ConfigError(
            f"{where}: unknown {', '.join(unknown)}. The default profile documents every key: `vod profile` prints it."
        )
    try:
        profile = msgspec.convert(table, Profile)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{where}: {_in_words(str(exc))}.") from exc
    problems = profile.problems()
    if problems:
        raise ConfigError(f"{where}: {'; '.join(problems)}.")
    return profile


def _unknown_keys(table: dict[str, object]) -> list[str]:
    """Dotted names of keys that no field has: a misspelt setting must not pass in silence."""
    known = {"": Profile, "video.": Video, "audio.": Audio}
    found = []
    for prefix, kind in known.items():
        part = table if not prefix else table.get(prefix[:-1], {})
        names = {field.name for field in fields(kind)}
        if isinstance(part, dict):
            found += [f"{prefix}{key}" for key in part if key not in names]
    rungs = table.get("rungs", [])
    rung_keys = {field.name for field in fields(Rung)}
    if isinstance(rungs, list):
        for number, rung in enumerate(rungs):
            if isinstance(rung, dict):
                found += [f"rungs[{number}].{key}" for key in rung if key not in rung_keys]
    return found


def _in_words(text: str) -> str:
    """`Expected int >= 16 - at $.rungs[0].width_px` with the place first."""
    match = re.fullmatch(r"(.*?)(?: - at `\$\.?(.*)`)", text)
    if not match:
        return text
    return f"{match[2]}: {match[1]}" if match[2] else match[1]
