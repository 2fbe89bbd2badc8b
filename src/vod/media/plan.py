"""The plan of one edition: everything that encoding needs to know, decided once, as data.

Any machine that holds a plan, a chunk number and the source writes the same bytes.
"""

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

import msgspec

from vod.errors import InputError
from vod.media.chunks import Chunk, gop_frames, plan_chunks, segment_borders
from vod.media.cost import AUDIO_CPU_S_PER_S, decode_cost_s, encode_cost_s
from vod.media.ladder import SMALLEST_SIDE_PX, Decision, Rendition, build_ladder, output_frame_rate
from vod.media.profile import Profile
from vod.media.source import AudioTrack, Seeking, Source, VideoTrack

#: Raised when the same source and profile would give other bytes than before.
ENGINE_VERSION = 1

#: Plans this long are cut off: 24 h at 60 fps.
MAX_FRAMES = 24 * 3600 * 60

#: Sound that outlasts the picture by less than this is cut with it; by more, the last picture is held.
HOLD_FROM_S = Fraction(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPlan:
    """How the picture is encoded. Frames are counted on the output's grid, from 0."""

    frame_rate: Fraction
    frame_count: int
    lead_frames: int  #: copies of the first frame before it, because the sound starts earlier
    hold_frames: int  #: copies of the last frame after it, because the sound ends later
    gop_frames: int
    segment_borders: tuple[int, ...]  #: first frame of every segment
    renditions: tuple[Rendition, ...]  #: largest first
    chunks: tuple[Chunk, ...]
    frame_cpu_s: float  #: predicted CPU seconds per output frame, all renditions

    @property
    def timescale(self) -> int:
        """Ticks per second in the output: at least 10,000, a whole number of them per frame."""
        numerator = self.frame_rate.numerator
        return numerator * (1 if numerator >= 10_000 else 1000)

    @property
    def frame_ticks(self) -> int:
        """Ticks per frame."""
        ticks = self.timescale / self.frame_rate
        return int(ticks)

    def forced_keyframes(self, chunk: Chunk) -> tuple[int, ...]:
        """Segment borders inside a chunk that a keyframe every GOP would miss; frames of the chunk, from 0."""
        numbers = range(chunk.first_segment + 1, chunk.first_segment + chunk.segment_count)
        return tuple(
            self.segment_borders[number] - chunk.start_frame
            for number in numbers
            if self.segment_frame_count(number - 1) % self.gop_frames
        )

    def segment_frame_count(self, number: int) -> int:
        """Frames of segment `number`."""
        ends = (*self.segment_borders[1:], self.frame_count)
        return ends[number] - self.segment_borders[number]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPlan:
    """How one sound track is encoded. Its time 0 is the picture's."""

    name: str  #: folder and group member: "0-eng"
    stream_index: int
    language: str
    title: str
    channels: int
    sample_rate_hz: int
    bitrate_bps: int
    cpu_s: float  #: predicted CPU seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One edition of one source: written once, read by every task."""

    engine_version: int
    edition: str  #: fingerprint of source, profile and engine; names the output folder
    source: Source
    profile: Profile
    zero_s: Fraction  #: container time at which the output's time 0 lies
    duration_s: Fraction
    segment_s: Fraction  #: nominal, from the profile
    video: VideoPlan | None
    audio: tuple[AudioPlan, ...]
    decisions: tuple[Decision, ...]

    @property
    def predicted_cpu_s(self) -> float:
        """CPU seconds the whole edition should cost."""
        video_s = self.video.frame_count * self.video.frame_cpu_s if self.video else 0.0
        return video_s + sum(track.cpu_s for track in self.audio)


def make_plan(source: Source, profile: Profile, *, engine: str) -> Plan:
    """Decide everything about one edition.

    Args:
        source: As probed.
        profile: As parsed.
        engine: Name and version of the encoder; another one may write other bytes.

    Raises:
        InputError: There is nothing to encode, or more than a plan may hold.
    """
    if source.video is None and not source.audio:
        raise InputError(
            "no_media",
            f"{source.name} has neither picture nor sound that can be decoded.",
            "Upload a video or an audio file.",
        )
    decisions: tuple[Decision, ...] = ()
    video: VideoPlan | None = None
    if source.video:
        video, zero_s, decisions = _plan_video(source, source.video, profile)
        duration_s = video.frame_count / video.frame_rate
    else:
        zero_s = min(track.start_s for track in source.audio)
        duration_s = max(track.end_s for track in source.audio) - zero_s
    return Plan(
        engine_version=ENGINE_VERSION,
        edition=_edition(source, profile, engine),
        source=source,
        profile=profile,
        zero_s=zero_s,
        duration_s=duration_s,
        segment_s=Fraction(str(profile.segment_s)),
        video=video,
        audio=tuple(_plan_audio(number, track, profile, duration_s) for number, track in enumerate(source.audio)),
        decisions=decisions,
    )


def _plan_video(
    source: Source, track: VideoTrack, profile: Profile
) -> tuple[VideoPlan, Fraction, tuple[Decision, ...]]:
    """The video plan, the container time of output frame 0, and the ladder's reasons."""
    if min(track.width_px, track.height_px) < SMALLEST_SIDE_PX:
        raise InputError(
            "too_small",
            f"{source.name} is {track.width_px}x{track.height_px} pixels.",
            f"Upload a picture of at least {SMALLEST_SIDE_PX} pixels on each side.",
        )
    rate = output_frame_rate(track.frame_rate, profile.video.max_frame_rate)
    renditions, decisions = build_ladder(track.width_px, track.height_px, rate, profile)
    if not renditions:
        raise InputError(
            "odd_shape",
            f"{source.name} is {track.width_px}x{track.height_px} pixels: no rung of the ladder keeps such a shape.",
            "Crop it, or use a profile with a rung of that shape.",
        )

    shown = max(1, floor((track.end_s - track.start_s) * rate + Fraction(1, 2)))  # halves up, as FFmpeg rounds
    # The grid starts at the first picture, so that each source frame lies exactly on it. Sound that
    # starts earlier moves zero back by whole frames.
    earlier_s = max([track.start_s - sound.start_s for sound in source.audio], default=Fraction(0))
    lead = max(0, round(earlier_s * rate))
    later_s = max([sound.end_s - track.end_s for sound in source.audio], default=Fraction(0))
    hold = ceil(later_s * rate) if later_s >= HOLD_FROM_S else 0
    frame_count = lead + shown + hold
    if frame_count > MAX_FRAMES:
        raise InputError(
            "too_long",
            f"{source.name} would be {frame_count} frames long ({float(frame_count / rate) / 3600:.1f} h).",
            f"Split it: the limit is {MAX_FRAMES} frames.",
        )

    gop = gop_frames(profile.video.gop_s, rate)
    gops_per_segment = int(Fraction(str(profile.segment_s)) / Fraction(str(profile.video.gop_s)))
    start = max(1, round(Fraction(str(profile.start_s)) * rate))
    borders = segment_borders(frame_count, segment=gop * gops_per_segment, start=start)
    frame_cpu_s = encode_cost_s(track, renditions, profile.video.preset, rate)
    chunks = plan_chunks(
        borders,
        frame_count,
        work_per_frame_s=frame_cpu_s,
        decode_per_frame_s=decode_cost_s(track) * float(track.frame_rate / rate),
        chunk_work_s=profile.chunk_work_s,
        # The held picture costs no decoding, so its start counts as a keyframe.
        keyframes=[
            *(lead + int((at - track.start_s) * rate) for at in track.keyframes_s if at >= track.start_s),
            lead + shown,
        ],
        splittable=source.seeking is not Seeking.NONE,
    )
    plan = VideoPlan(
        frame_rate=rate,
        frame_count=frame_count,
        lead_frames=lead,
        hold_frames=hold,
        gop_frames=gop,
        segment_borders=borders,
        renditions=renditions,
        chunks=chunks,
        frame_cpu_s=frame_cpu_s,
    )
    return plan, track.start_s - lead / rate, decisions


def _plan_audio(number: int, track: AudioTrack, profile: Profile, duration_s: Fraction) -> AudioPlan:
    channels = min(track.channels, profile.audio.channels)
    return AudioPlan(
        name=f"{number}-{track.language}",
        stream_index=track.stream_index,
        language=track.language,
        title=track.title,
        channels=channels,
        sample_rate_hz=profile.audio.sample_rate_hz,
        bitrate_bps=profile.audio.bitrate_bps * channels // 2,
        cpu_s=AUDIO_CPU_S_PER_S * float(duration_s),
    )


def _edition(source: Source, profile: Profile, engine: str) -> str:
    """Sixteen hex digits that change whenever the bytes of the output may."""
    named = [str(ENGINE_VERSION), engine, source.fingerprint, dump_json(profile).decode()]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


def dump_json(value: object) -> bytes:
    """A plan, or any value of this package, as JSON; a Fraction becomes "30000/1001"."""
    try:
        return msgspec.json.encode(value, enc_hook=_encode_fraction, order="deterministic")
    except UnicodeEncodeError:  # a file name that is not UTF-8
        plain = msgspec.to_builtins(value, enc_hook=_encode_fraction, order="deterministic")
        return msgspec.json.encode(_without_surrogates(plain), order="deterministic")


def _without_surrogates(value: Any) -> Any:
    """The same with a question mark for each byte that is no text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def load_plan(data: bytes) -> Plan:
    """Read `dump_json` of a plan back.

    Raises:
        msgspec.ValidationError: It is no plan of this version.
    """
    return msgspec.json.decode(data, type=Plan, dec_hook=decode_fraction)


def _encode_fraction(value: Any) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise NotImplementedError(f"{type(value)} has no place in JSON")


def decode_fraction(kind: type, value: Any) -> Any:
    """msgspec's hook for the one type that it does not know."""
    if kind is Fraction:
        try:
            return Fraction(value)
        except ZeroDivisionError as exc:
            raise ValueError(f"{value} is no number") from exc
    raise NotImplementedError(f"{kind} has no place in JSON")
