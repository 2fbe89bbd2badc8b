"""What an upload is: ffprobe's answers read once into a `Source`, or a refusal in plain words.

Headers lie, so times, frame rate and length come from the packets: one pass over the file without decoding.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec

from vod.errors import FFmpegError, InputError, Interrupted, VodError
from vod.ffmpeg.binaries import Binaries
from vod.ffmpeg.command import MAX_PIXELS, keyframes_command, packets_command, probe_command
from vod.ffmpeg.process import Limits, run
from vod.media.source import AudioTrack, Color, Gap, Seeking, Source, VideoTrack

#: Reading a header takes a moment, reading all packets as long as reading the file.
HEADER_LIMITS = Limits(timeout_s=60, stall_s=60, memory_bytes=4 << 30)
SLOWEST_READ_BPS = 2_000_000  # bytes per second: slower than any disk or bucket
PACKETS_STALL_S = 60.0

#: Bounds against a hostile file: 24 h of 60 fps video with several sound tracks stay below.
MAX_PACKETS = 40_000_000
MAX_JSON_BYTES = 16 << 20
MAX_TRACKS = 32  # sound tracks that are encoded

#: A frame that stays longer than this is remembered as a gap, seconds; shorter ones the pre-roll covers.
GAP_FROM_S = Fraction(1, 2)

#: The container promises this much more than its packets hold: then it was cut off, seconds.
TRUNCATED_FROM_S = Fraction(1, 2)

#: How containers can be entered, by FFmpeg's name; proved frame by frame in tests/integration/test_frames.py.
SEEKING = {"mov": Seeking.EXACT, "matroska": Seeking.EXACT, "mpegts": Seeking.ROUGH}

#: Rates that cameras and films have; a measured rate within 0.2 % of one is that one.
STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in (
        "5", "6", "8", "10", "12", "12.5", "15000/1001", "15", "20", "24000/1001", "24", "25", "30000/1001", "30",
        "48000/1001", "48", "50", "60000/1001", "60", "72", "75", "90", "100", "120000/1001", "120", "144",
        "240000/1001", "240",
    )
)  # fmt: skip

#: What ffprobe says when the index names bytes that are not there.
_PARTIAL = ("partial file", "Truncating packet", "truncated")


@dataclass(slots=True)
class _Packets:
    """Times of one stream's packets, ticks, in file order."""

    pts: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    last: int = 0  #: largest presentation time
    last_duration: int = 0  #: of that packet; others' say when the next one is decoded, not how long they are shown
    count: int = 0

    @property
    def end(self) -> int:
        """When the last one stops being shown."""
        return self.last + self.last_duration


def probe(binaries: Binaries, url: str, *, name: str, size_bytes: int, stop: threading.Event | None = None) -> Source:
    """Read everything that a plan needs to know about a source.

    Args:
        binaries: The programs.
        url: "file:/…" or "http://127.0.0.1…".
        name: For people.
        size_bytes: Of the file.
        stop: When set, gives up.

    Raises:
        InputError: It is empty, no media, cut off, or damaged in its timing.
        FFmpegError: ffprobe itself died or hung.
        Interrupted: `stop` was set.
    """
    if size_bytes == 0:
        raise InputError("empty", f"{name} is empty.", "Upload it again.")
    header = _read_header(binaries, url, name, stop)
    streams = header.get("streams", [])
    form = header.get("format", {})
    video_stream = next((stream for stream in streams if _is_picture(stream)), None)
    audio_streams = [stream for stream in streams if _is_sound(stream)]
    wanted = {int(stream["index"]) for stream in (*audio_streams, *([video_stream] if video_stream else []))}
    if not wanted:
        raise InputError(
            "no_media",
            f"{name} has neither picture nor sound that can be decoded.",
            "Upload a video or an audio file.",
        )
    # At the same time, for it has to decode: may chunks begin at what the container calls keyframes?
    with _Aside(lambda enough: _keyframes_are_whole(binaries, url, video_stream, enough)) as aside:
        packets, fingerprint, partial = _read_packets(binaries, url, name, size_bytes, wanted, stop)
        if video_stream and (table := packets[int(video_stream["index"])]) and len(table.keys) * 4 > table.count:
            aside.enough.set()  # nearly every picture is one: no need to decode them all
        enterable = aside.result()

    containers = form.get("format_name", "").split(",")
    notes = _notes(streams, audio_streams)
    video = _video_track(video_stream, packets.get(int(video_stream["index"])), name) if video_stream else None
    audio = tuple(
        track
        for stream in audio_streams[:MAX_TRACKS]
        if (track := _audio_track(stream, packets.get(int(stream["index"]))))
    )
    _check_complete(form, streams, packets, name, partial=partial)
    return Source(
        name=name,
        fingerprint=fingerprint,
        size_bytes=size_bytes,
        container=form.get("format_name", ""),
        start_s=_decimal(form.get("start_time")) or Fraction(0),
        seeking=next((SEEKING[found] for found in containers if found in SEEKING and enterable), Seeking.NONE),
        video=video,
        audio=audio,
        notes=notes,
    )


def _read_header(binaries: Binaries, url: str, name: str, stop: threading.Event | None) -> dict[str, Any]:
    data = bytearray()

    def collect(part: bytes) -> None:
        data.extend(part)
        if len(data) > MAX_JSON_BYTES:
            raise InputError("too_complex", f"{name} has more streams or tags than any video.", "Export it again.")

    try:
        run(probe_command(binaries.ffprobe, url), limits=HEADER_LIMITS, stdout=collect, stop=stop)
        header = msgspec.json.decode(bytes(data))
    except FFmpegError as exc:
        raise _refusal(exc, name) from exc
    except msgspec.DecodeError as exc:
        raise FFmpegError(f"ffprobe wrote no JSON about {name}: {exc}.") from exc
    return header if isinstance(header, dict) else {}


def _refusal(exc: FFmpegError, name: str) -> VodError:
    """ffprobe's failure in the uploader's words; our own failures stay what they are."""
    said = " ".join(exc.stderr_tail)
    if exc.exit_code is None or exc.exit_code < 0:
        return InputError("unreadable", f"{name} cannot be read: {exc.reason}", "Export it again, as MP4 with H.264.")
    if "moov atom not found" in said:
        return InputError(
            "truncated",
            f"{name} has no index (moov): it was cut off, is still being recorded, or is no video.",
            "Upload the whole file.",
        )
    if "not in whitelist" in said or "not allowed" in said or "whitelist" in said:
        return InputError(
            "not_allowed",
            f"{name} is a playlist, a script or another format that names other files.",
            "Upload the video itself: MP4, MOV, MKV, WebM, TS, AVI …",
        )
    if "Connection refused" in said or "Server returned 5" in said:
        return exc
    return InputError(
        "unreadable",
        f"{name} is no video or audio file that can be read.",
        "Upload MP4, MOV, MKV, WebM, TS, AVI, or another common format.",
    )


def _read_packets(
    binaries: Binaries, url: str, name: str, size_bytes: int, wanted: set[int], stop: threading.Event | None
) -> tuple[dict[int, _Packets], str, bool]:
    """Packet times by stream, a fingerprint of all of them, and whether the file was cut off."""
    tables: dict[int, _Packets] = {index: _Packets() for index in wanted}
    digest = hashlib.sha256(str(size_bytes).encode())
    rest = b""
    total = 0

    def collect(part: bytes) -> None:
        nonlocal rest, total
        digest.update(part)
        *lines, rest = (rest + part).split(b"\n")
        total += len(lines)
        if total > MAX_PACKETS:
            raise InputError("too_long", f"{name} has more than {MAX_PACKETS} packets.", "Split it.")
        for line in lines:
            _add_packet(tables, line)

    limits = Limits(
        timeout_s=120 + size_bytes / SLOWEST_READ_BPS,
        stall_s=PACKETS_STALL_S,
        memory_bytes=HEADER_LIMITS.memory_bytes,
    )
    try:
        finished = run(packets_command(binaries.ffprobe, url), limits=limits, stdout=collect, stop=stop)
    except FFmpegError as exc:
        raise _refusal(exc, name) from exc
    partial = any(word in line for line in finished.stderr_tail for word in _PARTIAL)
    return tables, digest.hexdigest(), partial


class _Aside:
    """A question asked in a thread of its own while another one is answered; given up when the block is left."""

    def __init__(self, question: Callable[[threading.Event], bool]) -> None:
        self.enough = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._answer = self._pool.submit(question, self.enough)

    def __enter__(self) -> "_Aside":
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self._pool.shutdown(wait=True)

    def result(self) -> bool:
        return self._answer.result()


def _keyframes_are_whole(binaries: Binaries, url: str, stream: dict[str, Any] | None, enough: threading.Event) -> bool:
    """Whether what the container calls a keyframe can be decoded alone.

    With intra refresh (low-latency recordings) it may be a picture from which the film recovers bit by bit over the
    next ones; a chunk that began there would begin with rubble.
    """
    if stream is None or stream.get("codec_name") not in ("h264", "hevc"):
        return True
    said = bytearray()
    argv = keyframes_command(binaries.ffprobe, url, stream_index=int(stream["index"]))
    try:
        run(argv, limits=HEADER_LIMITS, stdout=said.extend, stop=enough)
    except (FFmpegError, Interrupted):
        return True  # damaged, or enough is known: what matters is found out elsewhere
    lines = [line.rstrip(b",") for line in bytes(said).split()]
    keys = sum(line.startswith(b"K") and b"D" not in line for line in lines)
    return lines.count(b"I") >= keys


def _add_packet(tables: dict[int, _Packets], line: bytes) -> None:
    """One line: stream_index,pts,dts,duration,size,flags."""
    fields = line.split(b",")
    if len(fields) < 6 or not fields[0].isdigit():
        return
    table = tables.get(int(fields[0]))
    if table is None or b"D" in fields[5]:  # D: decoded, never shown (before an edit list's start)
        return
    table.count += 1
    at = fields[1] if fields[1] != b"N/A" else fields[2]
    if at == b"N/A":
        return
    pts = int(at)
    duration = int(fields[3]) if fields[3] != b"N/A" else 0
    table.pts.append(pts)
    if b"K" in fields[5]:
        table.keys.append(pts)
    if pts >= table.last or len(table.pts) == 1:
        table.last, table.last_duration = pts, duration


def _video_track(stream: dict[str, Any], packets: _Packets | None, name: str) -> VideoTrack:
    if packets is None or packets.count == 0:
        raise InputError("no_frames", f"{name} has a picture track without a single frame.", "Export it again.")
    time_base = Fraction(stream["time_base"])
    pts = sorted(packets.pts)
    if len(pts) < packets.count:
        # No timestamps at all (raw streams, some AVI): frames are spaced by the rate the header gives.
        rate = _rate(stream.get("avg_frame_rate")) or _rate(stream.get("r_frame_rate")) or Fraction(25)
        ticks = 1 / (rate * time_base)
        pts = [round(number * ticks) for number in range(packets.count)]
        packets.last, packets.last_duration = pts[-1], round(ticks)
    rate, constant = _frame_rate(stream, pts, time_base)
    step = 1 / (rate * time_base)
    end = pts[-1] + (packets.last_duration or round(step))
    coded_width, coded_height = int(stream.get("width", 0)), int(stream.get("height", 0))
    if coded_width * coded_height > MAX_PIXELS or coded_width < 1 or coded_height < 1:
        raise InputError(
            "too_large",
            f"{name} is {coded_width}x{coded_height} pixels.",
            "The limit is 8K (67 million pixels).",
        )
    aspect = _rate((stream.get("sample_aspect_ratio") or "1:1").replace(":", "/")) or Fraction(1)
    if not Fraction(1, 20) < aspect < 20:
        aspect = Fraction(1)  # no camera has such pixels: a broken header
    rotation = _rotation(stream)
    width, height = max(1, round(coded_width * aspect)), coded_height
    if rotation in (90, 270):
        width, height = height, width
    return VideoTrack(
        stream_index=int(stream["index"]),
        codec=stream.get("codec_name", "unknown"),
        profile=str(stream.get("profile", "")),
        pixel_format=stream.get("pix_fmt", "unknown"),
        width_px=width,
        height_px=height,
        coded_width_px=coded_width,
        coded_height_px=coded_height,
        sample_aspect=aspect,
        rotation_deg=rotation,
        interlaced=stream.get("field_order", "progressive") in ("tt", "bb", "tb", "bt"),
        color=_color(stream),
        frame_rate=rate,
        constant_rate=constant,
        frame_count=packets.count,
        time_base=time_base,
        start_ticks=pts[0],
        end_s=end * time_base,
        keyframes_s=_thinned(sorted(packets.keys), time_base),
        gaps=_gaps(pts, end, time_base),
    )


def _audio_track(stream: dict[str, Any], packets: _Packets | None) -> AudioTrack | None:
    """None for a track without a packet: there is nothing to hear."""
    if packets is None or not packets.pts:
        return None
    time_base = Fraction(stream["time_base"])
    tags = {str(key).lower(): str(value) for key, value in stream.get("tags", {}).items()}
    return AudioTrack(
        stream_index=int(stream["index"]),
        codec=stream.get("codec_name", "unknown"),
        sample_rate_hz=int(stream.get("sample_rate", 0) or 0),
        channels=int(stream.get("channels", 1) or 1),
        language=_language(tags.get("language", "")),
        title=tags.get("title", "")[:100],
        start_s=min(packets.pts) * time_base,
        end_s=packets.end * time_base,
    )


def _frame_rate(stream: dict[str, Any], pts: Sequence[int], time_base: Fraction) -> tuple[Fraction, bool]:
    """The rate whose grid holds every frame once, and whether the frames really lie on it.

    Args:
        stream: ffprobe's.
        pts: Presentation times, ticks, ascending.
        time_base: Seconds per tick.

    Returns:
        For a constant rate the exact one. For a variable one, a standard rate fast enough for nine of ten frames.
    """
    said = [rate for key in ("r_frame_rate", "avg_frame_rate") if (rate := _rate(stream.get(key)))]
    if len(pts) < 2 or pts[-1] == pts[0]:
        return (_standard(said[-1]) if said else Fraction(25)), True
    measured = (len(pts) - 1) / ((pts[-1] - pts[0]) * time_base)
    exact = measured.limit_denominator(10_000)  # FFmpeg's own fractions have 31 bits
    for rate in dict.fromkeys([*map(_standard, said), *said, _standard(measured), exact]):
        if _on_grid(pts, 1 / (rate * time_base)):
            return rate, True
    steps = sorted(after - before for before, after in pairwise(pts) if after > before)
    short = steps[len(steps) // 10]
    usual = [step for step in steps if short <= step <= short * 3 // 2]
    common = 1 / (usual[len(usual) // 2] * time_base)
    if common < STANDARD_RATES[0]:
        return Fraction(max(1, round(common))), False
    nearest = min(STANDARD_RATES, key=lambda rate: abs(rate - common))
    if abs(nearest - common) <= common / 50:
        return nearest, False
    return next((rate for rate in STANDARD_RATES if rate >= common), STANDARD_RATES[-1]), False


def _on_grid(pts: Sequence[int], step: Fraction) -> bool:
    """Frame n is shown at n steps, but for what a container that counts in milliseconds rounds away."""
    if step < 1:
        return False
    # Whole numbers, not fractions: a film has half a million frames.
    top, bottom, first = step.numerator, step.denominator, pts[0]
    tolerance = max(bottom, top // 20)
    return all(abs((at - first) * bottom - number * top) <= tolerance for number, at in enumerate(pts))


def _standard(rate: Fraction) -> Fraction:
    """The standard rate within 0.2 %, or the rate with a denominator that stays small."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest - rate) <= nearest / 500 else rate.limit_denominator(1001)


def _check_complete(
    form: dict[str, Any],
    streams: Iterable[dict[str, Any]],
    packets: dict[int, _Packets],
    name: str,
    *,
    partial: bool,
) -> None:
    """Refuse a file that promises more than it holds; a truncated one must not be published short."""
    by_index = {int(stream["index"]): stream for stream in streams}
    held, promised = Fraction(0), Fraction(0)
    complete = True
    start_s = _decimal(form.get("start_time")) or Fraction(0)
    for index, table in packets.items():
        stream = by_index[index]
        end_s = table.end * Fraction(stream["time_base"])
        held = max(held, end_s, end_s - start_s)  # some containers count their length from 0, some from the start
        tags = {str(key).lower(): str(value) for key, value in stream.get("tags", {}).items()}
        said = _clock(tags.get("duration")) or _decimal(stream.get("duration"))
        container = form.get("format_name", "")
        if said is not None and ("mov" in container or "matroska" in container):
            length_s = end_s - (min(table.pts) * Fraction(stream["time_base"]) if table.pts else 0)
            if "matroska" in container:  # counts from 0
                length_s = max(length_s, end_s)
            if said - length_s > max(TRUNCATED_FROM_S, said / 100):
                complete = False
                promised = max(promised, said)
        frames = int(stream.get("nb_frames") or 0)
        if "avi" in container and stream.get("codec_type") == "video" and frames - table.count > max(2, frames // 100):
            raise InputError(
                "truncated",
                f"{name} is cut off: its index promises {frames} frames, the file holds {table.count}.",
                "Upload all of it again.",
            )
    whole = _decimal(form.get("duration"))
    mentions_all = len(by_index) == len(packets)  # a subtitle track may rightly be the longest
    estimated = "mpeg" in form.get("format_name", "") or "mp3" in form.get("format_name", "")
    if whole is not None and mentions_all and not estimated and whole - held > max(TRUNCATED_FROM_S, whole / 100):
        complete = False
        promised = max(promised, whole)
    if partial or not complete:
        promise = f"its index promises {float(promised):.1f} s" if promised else "its index promises more"
        raise InputError(
            "truncated",
            f"{name} is cut off: {promise}, the file holds {float(held):.1f} s.",
            "Upload all of it again.",
        )


def _notes(streams: Iterable[dict[str, Any]], audio_streams: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    kinds: dict[str, int] = {}
    for stream in streams:
        kind = stream.get("codec_type", "unknown")
        if stream.get("disposition", {}).get("attached_pic"):
            kind = "cover picture"
        if kind not in ("video", "audio"):
            kinds[kind] = kinds.get(kind, 0) + 1
    found = [f"{count} {kind} stream{'s' if count > 1 else ''} left aside" for kind, count in sorted(kinds.items())]
    if len(audio_streams) > MAX_TRACKS:
        found.append(f"only the first {MAX_TRACKS} of {len(audio_streams)} sound tracks are encoded")
    return tuple(found)


def _is_picture(stream: dict[str, Any]) -> bool:
    """Cover art is no video, and a stream without a known codec cannot be decoded."""
    return (
        stream.get("codec_type") == "video"
        and not stream.get("disposition", {}).get("attached_pic")
        and stream.get("codec_name") not in (None, "unknown")
        and bool(stream.get("width"))
    )


def _is_sound(stream: dict[str, Any]) -> bool:
    return stream.get("codec_type") == "audio" and stream.get("codec_name") not in (None, "unknown", "none")


def _rotation(stream: dict[str, Any]) -> int:
    """Clockwise degrees, a multiple of 90; FFmpeg's display matrix counts counter-clockwise."""
    for data in stream.get("side_data_list", []):
        if "rotation" in data:
            return round(-float(data["rotation"]) / 90) * 90 % 360
    return 0


def _color(stream: dict[str, Any]) -> Color:
    def said(key: str) -> str:
        value = str(stream.get(key, ""))
        return "" if value in ("unknown", "unspecified", "reserved") else value

    return Color(
        primaries=said("color_primaries"),
        transfer=said("color_transfer"),
        matrix=said("color_space"),
        full_range=stream.get("color_range") == "pc" or str(stream.get("pix_fmt", "")).startswith("yuvj"),
    )


def _thinned(keys: Sequence[int], time_base: Fraction) -> tuple[Fraction, ...]:
    """One keyframe a second is enough to know where decoding can start."""
    kept: list[int] = []
    second = int(1 / time_base)
    for at in keys:
        if not kept or at - kept[-1] >= second:
            kept.append(at)
    return tuple(at * time_base for at in kept)


def _gaps(pts: Sequence[int], end: int, time_base: Fraction) -> tuple[Gap, ...]:
    least = int(GAP_FROM_S / time_base)
    pairs = zip(pts, [*pts[1:], end], strict=True)
    return tuple(
        Gap(start_s=at * time_base, duration_s=(after - at) * time_base) for at, after in pairs if after - at > least
    )


def _language(tag: str) -> str:
    """The shortest RFC 5646 tag: "eng" is "en"."""
    if tag in ("", "und"):
        return "und"
    import langcodes  # noqa: PLC0415 - loads tables for a while, and few files say a language

    try:
        language = str(langcodes.standardize_tag(tag))
    except ValueError:
        return "und"
    return language if len(language) <= 16 and language.replace("-", "").isalnum() and language.isascii() else "und"


def _rate(text: object) -> Fraction | None:
    """A fraction as ffprobe writes it; None for 0/0 and the like."""
    try:
        rate = Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def _decimal(text: object) -> Fraction | None:
    try:
        return Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None


def _clock(text: str | None) -> Fraction | None:
    """Matroska's "00:01:02.003000000"."""
    if not text or text.count(":") != 2:
        return None
    try:
        hours, minutes, seconds = (Fraction(part) for part in text.split(":"))
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds
