"""Values for tests: each builder makes a plausible one, so that a test names only what matters to it."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from vod.media.chunks import Chunk
from vod.media.ladder import Rendition
from vod.media.plan import Plan, make_plan
from vod.media.profile import Profile, Rung
from vod.media.source import AudioTrack, Seeking, Source, VideoTrack


def a_video(**changes: Any) -> VideoTrack:
    """A minute of progressive 720p at 25 fps from time 0, a keyframe every two seconds.

    Its coded size and its end follow from what is changed, unless they are named themselves.
    """
    facts: dict[str, Any] = {
        "stream_index": 0,
        "codec": "h264",
        "pixel_format": "yuv420p",
        "width_px": 1280,
        "height_px": 720,
        "frame_rate": Fraction(25),
        "constant_rate": True,
        "time_base": Fraction(1, 12_800),
        "start_ticks": 0,
    } | changes
    facts["frame_rate"] = Fraction(facts["frame_rate"])
    facts.setdefault("frame_count", int(60 * facts["frame_rate"]))
    size = (facts["width_px"], facts["height_px"])
    coded_width_px, coded_height_px = size[::-1] if facts.get("rotation_deg", 0) in (90, 270) else size
    facts.setdefault("coded_width_px", coded_width_px)
    facts.setdefault("coded_height_px", coded_height_px)
    start_s = facts["start_ticks"] * facts["time_base"]
    facts.setdefault("end_s", start_s + facts["frame_count"] / facts["frame_rate"])
    facts.setdefault("keyframes_s", tuple(start_s + 2 * n for n in range(int((facts["end_s"] - start_s) / 2) + 1)))
    return VideoTrack(**facts)


def a_sound(**changes: Any) -> AudioTrack:
    """A minute of English stereo from time 0."""
    facts: dict[str, Any] = {
        "stream_index": 1,
        "codec": "aac",
        "sample_rate_hz": 48_000,
        "channels": 2,
        "language": "en",
        "start_s": Fraction(0),
        "end_s": Fraction(60),
    }
    return AudioTrack(**facts | changes)


def a_source(**changes: Any) -> Source:
    """An MP4 with `a_video` and no sound."""
    facts: dict[str, Any] = {
        "name": "in.mp4",
        "fingerprint": "5eed",
        "size_bytes": 10_000_000,
        "container": "mov,mp4,m4a,3gp,3g2,mj2",
        "start_s": Fraction(0),
        "seeking": Seeking.EXACT,
        "video": a_video(),
    }
    return Source(**facts | changes)


def a_rung(name: str, width_px: int, height_px: int, **changes: Any) -> Rung:
    """A rung of that box."""
    return Rung(
        name=name, width_px=width_px, height_px=height_px, **{"crf": 23.0, "max_bitrate_bps": 2_000_000} | changes
    )


def a_profile(**changes: Any) -> Profile:
    """Two rungs, 720p and 360p; all else is the default."""
    rungs = (
        a_rung("720p", 1280, 720, max_bitrate_bps=3_500_000),
        a_rung("360p", 640, 360, max_bitrate_bps=900_000),
    )
    return Profile(**{"name": "test", "rungs": rungs} | changes)


def a_plan(*, source: Source | None = None, profile: Profile | None = None, **changes: Any) -> Plan:
    """What `make_plan` says of a source and a profile; further changes are made to the plan itself."""
    plan = make_plan(source or a_source(), profile or a_profile(), engine=changes.pop("engine", "ffmpeg 9"))
    return replace(plan, **changes)


def a_chunk(**changes: Any) -> Chunk:
    """The first six seconds of `a_video`."""
    facts = {"index": 0, "first_segment": 0, "segment_count": 2, "start_frame": 0, "frame_count": 150}
    return Chunk(**facts | changes)


def a_rendition(**changes: Any) -> Rendition:
    """The upper rung of `a_profile`."""
    facts: dict[str, Any] = {
        "name": "720p",
        "width_px": 1280,
        "height_px": 720,
        "crf": 23.0,
        "max_bitrate_bps": 3_500_000,
        "buffer_bits": 7_000_000,
    }
    return Rendition(**facts | changes)
