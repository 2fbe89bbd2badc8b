"""What is encoded: the numbers of profile.toml, as `vod plan` understands them, for every contestant."""

import json
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bench.process import BenchError, Runner
from bench.source import FRAME_RATE

PROFILE = Path(__file__).with_name("profile.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One quality."""

    name: str
    width_px: int
    height_px: int
    crf: float
    max_bitrate_bps: int
    buffer_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What every contestant is told."""

    rungs: tuple[Rung, ...]  #: largest first
    gop_frames: int
    frame_rate: Fraction
    preset: str
    segment_s: float
    audio_bitrate_bps: int
    origin: str  #: where the numbers come from, in words
    trusted: bool  #: vod itself said them


def read_ladder(runner: Runner, vod: list[str], source: Path) -> Ladder:
    """Ask vod; where it cannot say, work it out from the profile and say so."""
    profile = tomllib.loads(PROFILE.read_text())
    try:
        found = _vod_plan(runner, vod, source)
        rungs = [Rung(**{name: item[name] for name in Rung.__dataclass_fields__}) for item in found["renditions"]]
        gop_frames, frame_rate = int(found["gop_frames"]), Fraction(str(found["frame_rate"]))
        origin, trusted = "`vod plan`", True
    except (BenchError, KeyError, TypeError, ValueError) as exc:
        rungs = [_rung_of_profile(item) for item in profile["rungs"]]
        gop_frames, frame_rate = round(profile["video"]["gop_s"] * FRAME_RATE), Fraction(FRAME_RATE)
        origin, trusted = f"profile.toml alone, `vod plan` did not say them: {_first_line(exc)}", False
    return Ladder(
        rungs=tuple(sorted(rungs, key=lambda rung: rung.height_px, reverse=True)),
        gop_frames=gop_frames,
        frame_rate=frame_rate,
        preset=profile["video"]["preset"],
        segment_s=profile["segment_s"],
        audio_bitrate_bps=profile["audio"]["bitrate_bps"],
        origin=origin,
        trusted=trusted,
    )


def _vod_plan(runner: Runner, vod: list[str], source: Path) -> dict[str, Any]:
    """The picture's part of the plan; what is printed before the JSON (a notice) is skipped."""
    text = runner.text([*vod, "plan", source.name, "--profile", f"../{PROFILE.name}", "--json"])
    document, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    plan = document.get("plan", document)
    video: dict[str, Any] = plan.get("video", plan)
    return video


def _rung_of_profile(item: dict[str, Any]) -> Rung:
    cap = int(item["max_bitrate_bps"])
    return Rung(
        name=item["name"],
        width_px=item["width_px"],
        height_px=item["height_px"],
        crf=item["crf"],
        max_bitrate_bps=cap,
        buffer_bits=int(cap * item.get("buffer_s", 2)),
    )


def _first_line(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}".splitlines()[0]
