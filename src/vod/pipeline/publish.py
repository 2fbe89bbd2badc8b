"""The last task of an edition: check that all parts are there and fit, write the playlists, switch the link."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from vod.errors import FFmpegError
from vod.hls.layout import MULTIVARIANT_KEY, playlist_key, report_key
from vod.hls.playlist import (
    AudioRendition,
    Entry,
    Variant,
    average_bps,
    media_playlist,
    multivariant_playlist,
    peak_bps,
    quotable,
)
from vod.media.encoded import Segment, TaskResult, Track
from vod.media.plan import Plan, dump_json
from vod.pipeline.store import Store

AUDIO_GROUP = "audio"

#: Apple's players start with the first variant named: the best one that a modest line carries, bits per second.
START_BPS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What became of one rendition or sound track."""

    kind: str  #: "video" or "audio"
    name: str
    codec: str
    width_px: int
    height_px: int
    segment_count: int
    size_bytes: int
    duration_s: Fraction
    peak_bps: int  #: RFC 8216 section 4.1
    average_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is known of a finished edition; `report.json`."""

    plan: Plan
    tracks: tuple[Measured, ...]
    predicted_cpu_s: float
    cpu_s: float  #: used by FFmpeg, all tasks
    complaints: tuple[str, ...]  #: of the decoder: damage in the source that was concealed


def publish(plan: Plan, results: Sequence[TaskResult], store: Store) -> Report:
    """Write the media playlists, the report and, last, the multivariant playlist.

    Args:
        plan: Of the edition.
        results: Of all its tasks, in any order.
        store: Already holds every segment that the results name.

    Returns:
        What was measured.

    Raises:
        FFmpegError: Parts are missing or do not fit together.
    """
    ordered = sorted(results, key=lambda result: result.task)
    parts: dict[tuple[str, str], list[Track]] = {}
    for result in ordered:
        for track in result.tracks:
            parts.setdefault((track.kind, track.name), []).append(track)
    renditions = plan.video.renditions if plan.video else ()
    videos = [_join(plan, "video", rendition.name, parts) for rendition in renditions]
    sounds = [_join(plan, "audio", track.name, parts) for track in plan.audio]
    _check_frames(plan, videos)

    measured = []
    for kind, tracks in (("video", videos), ("audio", sounds)):
        for track in tracks:
            entries = _entries(kind, track)
            store.put(
                f"{plan.edition}/{playlist_key(kind, track.name)}",
                media_playlist(entries, init_uri=posixpath.basename(track.init_key)).encode(),
            )
            measured.append(_measure(kind, track, entries))
    report = Report(
        plan=plan,
        tracks=tuple(measured),
        predicted_cpu_s=plan.predicted_cpu_s,
        cpu_s=sum(result.cpu_s for result in results),
        complaints=tuple(line for result in ordered for line in result.complaints),
    )
    store.put(f"{plan.edition}/{report_key()}", dump_json(report))
    store.put(MULTIVARIANT_KEY, multivariant(plan, report.tracks, sounds).encode())
    return report


def multivariant(plan: Plan, tracks: Iterable[Measured], sounds: Sequence[Track]) -> str:
    """The multivariant playlist, rates as measured, largest first but for the one that players start with.

    Without a picture the first sound track is the only variant.
    """
    videos = [track for track in tracks if track.kind == "video"]
    audios = [track for track in tracks if track.kind == "audio"]
    peak_audio = max((track.peak_bps for track in audios), default=0)
    average_audio = max((track.average_bps for track in audios), default=0)
    audio_codecs = tuple(dict.fromkeys(track.codec for track in audios))
    if not videos:
        return multivariant_playlist(
            [
                Variant(
                    uri=f"{plan.edition}/{playlist_key('audio', track.name)}",
                    bandwidth_bps=track.peak_bps,
                    average_bandwidth_bps=track.average_bps,
                    codecs=(track.codec,),
                )
                for track in audios[:1]
            ]
        )
    variants = [
        Variant(
            uri=f"{plan.edition}/{playlist_key('video', track.name)}",
            bandwidth_bps=track.peak_bps + peak_audio,
            average_bandwidth_bps=track.average_bps + average_audio,
            codecs=(track.codec, *audio_codecs),
            width_px=track.width_px,
            height_px=track.height_px,
            frame_rate=plan.video.frame_rate if plan.video else None,
            audio_group=AUDIO_GROUP if audios else "",
        )
        for track in videos
    ]
    start = next((variant for variant in variants if variant.bandwidth_bps <= START_BPS), variants[-1])
    variants.remove(start)
    return multivariant_playlist([start, *variants], _audio_renditions(plan, sounds))


def _audio_renditions(plan: Plan, sounds: Sequence[Track]) -> list[AudioRendition]:
    """The audio group; its members' names differ (RFC 8216 4.3.4.1.1)."""
    renditions: list[AudioRendition] = []
    used: set[str] = set()
    for number, (track, sound) in enumerate(zip(plan.audio, sounds, strict=True)):
        plain = quotable(track.title) or (track.language if track.language != "und" else "Audio")
        name = next(name for name in _numbered(plain) if name not in used)
        used.add(name)
        renditions.append(
            AudioRendition(
                uri=f"{plan.edition}/{playlist_key('audio', track.name)}",
                name=name,
                language=track.language,
                channels=sound.channels,
                default=number == 0,
            )
        )
    return renditions


def _numbered(name: str) -> Iterator[str]:
    """A name, and what to call its namesakes."""
    yield name
    yield from (f"{name} {number}" for number in count(2))


def _join(plan: Plan, kind: str, name: str, parts: Mapping[tuple[str, str], Sequence[Track]]) -> Track:
    """One track out of the parts that its chunks wrote."""
    found = parts.get((kind, name), ())
    if not found:
        raise FFmpegError(f"Edition {plan.edition} has no {name}: a task left nothing behind.")
    first = found[0]
    if any(part.init_sha256 != first.init_sha256 for part in found):
        raise FFmpegError(
            f"The chunks of {name} have different init segments; they were encoded by different programs."
        )
    segments: list[Segment] = sorted((segment for part in found for segment in part.segments), key=lambda s: s.number)
    if [segment.number for segment in segments] != list(range(len(segments))):
        raise FFmpegError(f"Edition {plan.edition}: segments of {name} are missing or doubled.")
    return Track(
        kind=kind,
        name=name,
        init_key=first.init_key,
        init_sha256=first.init_sha256,
        codec=first.codec,
        width_px=first.width_px,
        height_px=first.height_px,
        channels=first.channels,
        segments=tuple(segments),
    )


def _check_frames(plan: Plan, videos: Iterable[Track]) -> None:
    """Every rendition has the plan's segments, each as long as planned."""
    if plan.video is None:
        return
    planned = [
        plan.video.segment_frame_count(number) / plan.video.frame_rate
        for number in range(len(plan.video.segment_borders))
    ]
    for track in videos:
        if [segment.duration_s for segment in track.segments] != planned:
            raise FFmpegError(f"Edition {plan.edition}: the segments of {track.name} are not those of the plan.")


def _entries(kind: str, track: Track) -> list[Entry]:
    folder = posixpath.dirname(playlist_key(kind, track.name))
    return [
        Entry(
            uri=posixpath.relpath(segment.key, folder),
            size_bytes=segment.size_bytes,
            duration_s=segment.duration_s,
        )
        for segment in track.segments
    ]


def _measure(kind: str, track: Track, entries: Sequence[Entry]) -> Measured:
    return Measured(
        kind=kind,
        name=track.name,
        codec=track.codec,
        width_px=track.width_px,
        height_px=track.height_px,
        segment_count=len(entries),
        size_bytes=sum(entry.size_bytes for entry in entries),
        duration_s=sum((entry.duration_s for entry in entries), Fraction(0)),
        peak_bps=peak_bps(entries),
        average_bps=average_bps(entries),
    )
