"""What a task leaves behind: the rows that playlists are made of."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One media segment that is stored and will not change."""

    number: int  #: position in its rendition, from 0
    key: str  #: below the edition
    size_bytes: int
    duration_s: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What a task wrote of one rendition or one sound track."""

    kind: str  #: "video" or "audio"
    name: str
    init_key: str
    init_sha256: str  #: equal in every chunk, or the chunks cannot be joined
    codec: str  #: RFC 6381, from the init segment: "avc1.640028"
    width_px: int = 0
    height_px: int = 0
    channels: int = 0
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """One finished task: all that a later task or a playlist needs to know of it."""

    task: str  #: "chunk_00003", "audio_0-eng"
    tracks: tuple[Track, ...]
    cpu_s: float  #: used by FFmpeg
    wall_s: float
    complaints: tuple[str, ...] = ()  #: what the decoder said about damage; the picture was concealed
