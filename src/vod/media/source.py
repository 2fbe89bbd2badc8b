"""What an upload is: facts read once, exact, and never changed."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Seeking(StrEnum):
    """How a container can be entered in the middle."""

    EXACT = "exact"  #: its index leads to the keyframe before any time
    ROUGH = "rough"  #: a search by timestamps ends near a time, perhaps after the keyframe
    NONE = "none"  #: it is decoded from the start, so as one chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """How the numbers of a picture mean light (ITU-T H.273), in FFmpeg's names; "" is unsaid."""

    primaries: str = ""
    transfer: str = ""
    matrix: str = ""
    full_range: bool = False

    @property
    def is_hdr(self) -> bool:
        """PQ (SMPTE ST 2084) or HLG (ARIB STD-B67): needs tone mapping for an SDR rung."""
        return self.transfer in ("smpte2084", "arib-std-b67")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A frame that stays on screen long, as in a screen recording where nothing moves."""

    start_s: Fraction  #: when the frame before the gap is shown, container time
    duration_s: Fraction  #: until the next frame


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """The picture of a source. Times are the container's own, seconds, exact."""

    stream_index: int  #: in the container, as FFmpeg counts
    codec: str
    profile: str = ""
    pixel_format: str
    width_px: int  #: as displayed: square pixels, after rotation; may be odd
    height_px: int
    coded_width_px: int  #: as decoded
    coded_height_px: int
    sample_aspect: Fraction = Fraction(1)  #: shape of a coded pixel, width over height
    rotation_deg: int = 0  #: clockwise turn the player would do: 0, 90, 180, 270
    interlaced: bool = False
    color: Color = Color()
    frame_rate: Fraction  #: the rate that shows every frame of a constant-rate source exactly once
    constant_rate: bool
    frame_count: int  #: coded frames in the container
    time_base: Fraction  #: seconds per tick of its timestamps
    start_ticks: int  #: first presentation time
    end_s: Fraction  #: when the last frame stops being shown
    keyframes_s: tuple[Fraction, ...]  #: ascending, thinned to one a second
    gaps: tuple[Gap, ...] = ()

    @property
    def start_s(self) -> Fraction:
        """When the first frame is shown, container time."""
        return self.start_ticks * self.time_base


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """One sound track of a source."""

    stream_index: int
    codec: str
    sample_rate_hz: int
    channels: int
    language: str = "und"  #: RFC 5646; "und" is unsaid
    title: str = ""
    start_s: Fraction  #: container time
    end_s: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One version of an upload, as probed."""

    name: str  #: file name, for people
    fingerprint: str  #: hex; the same for the same packets, whatever the file is called
    size_bytes: int
    container: str  #: FFmpeg's demuxer names
    start_s: Fraction  #: container time that FFmpeg counts `-ss` from
    seeking: Seeking
    video: VideoTrack | None
    audio: tuple[AudioTrack, ...] = ()
    notes: tuple[str, ...] = ()  #: what was seen and left aside, for people
