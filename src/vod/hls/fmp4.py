"""Fragmented MP4 read and written: just the boxes of one track that CMAF needs.

FFmpeg writes each rendition as a stream of fragments that starts at time 0 in every chunk. `FragmentReader`
takes that stream apart as it arrives, `Segmenter` writes it anew as media segments: cut at the plan's
borders, with the film's own times and sequence numbers. So what is in a segment is decided here, and is the
same whatever a muxer's version does.

Sources: ISO/IEC 14496-12 (boxes), 14496-15 (avcC), 14496-1 (esds), 23000-19 (CMAF); RFC 6381 (codec names).
"""

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

#: No fragment of a GOP comes near; a larger size is damage.
MAX_BOX_BYTES = 1 << 28

#: A GOP has some hundred frames, a second of sound some fifty.
MAX_SAMPLES = 100_000

_NON_SYNC = 0x0001_0000  # sample_is_non_sync_sample, 14496-12 8.8.3.1
_SYNC_FLAGS = 0x0200_0000  # sample_depends_on = 2: an independent picture, or sound


class MalformedError(ValueError):
    """The stream is not the one-track fragmented MP4 that was asked for."""


class Sample(NamedTuple):
    """One coded picture, or one AAC frame."""

    size_bytes: int
    duration: int  #: ticks
    flags: int
    composition_offset: int  #: ticks from decode to presentation; may be negative

    @property
    def is_sync(self) -> bool:
        """Decoding can start here."""
        return not self.flags & _NON_SYNC


@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """The init segment: `ftyp` and `moov`, as they are, and what a playlist says of them."""

    data: bytes
    timescale: int  #: ticks per second
    codec: str  #: RFC 6381
    width_px: int = 0
    height_px: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One `moof` and its `mdat`."""

    samples: tuple[Sample, ...]
    payload: bytes  #: the samples' bytes, end to end


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSegment:
    """One media segment, ready to be stored."""

    number: int  #: position in the rendition, from 0
    data: bytes
    duration: int  #: ticks
    sample_count: int


class FragmentReader:
    """Takes a byte stream apart into one `Init` and then `Fragment`s; holds one fragment at most."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._head = b""
        self._samples: tuple[Sample, ...] | None = None
        self.init: Init | None = None

    def feed(self, data: bytes) -> Iterator[Fragment]:
        """Add bytes; yields each fragment that they complete.

        Raises:
            MalformedError: A box is impossibly large, out of order, or says what this reader does not know.
        """
        self._pending += data
        while True:
            header = _box_header(self._pending)
            if header is None or len(self._pending) < header.size:
                return
            box = bytes(self._pending[: header.size])
            del self._pending[: header.size]
            body = box[header.length :]
            if header.kind == b"ftyp":
                self._head = box
            elif header.kind == b"moov":
                self.init = read_init(self._head + box)
            elif header.kind == b"moof":
                self._samples = tuple(_read_moof(body))
            elif header.kind == b"mdat":
                if self.init is None or self._samples is None:
                    raise MalformedError("media data before its description")
                samples, self._samples = self._samples, None
                if sum(sample.size_bytes for sample in samples) != len(body):
                    raise MalformedError(f"a fragment describes other than its {len(body)} bytes")
                yield Fragment(samples=samples, payload=body)

    def close(self) -> None:
        """The stream has ended.

        Raises:
            MalformedError: In the middle of a box.
        """
        if self._pending or self._samples is not None:
            raise MalformedError(f"the stream ends inside a fragment ({len(self._pending)} bytes left over)")


class Segmenter:
    """Cuts a run of samples at given counts and writes media segments with the film's times.

    Args:
        counts: Samples in each segment, in order; samples beyond their sum raise.
        first_number: Number of the first segment in its rendition.
        start: Its decode time, ticks.
    """

    def __init__(self, counts: Sequence[int], *, first_number: int, start: int) -> None:
        self._counts = deque(counts)
        self._number = first_number
        self._time = start
        self._samples: deque[Sample] = deque()
        self._payload = bytearray()

    def add(self, fragment: Fragment) -> Iterator[MediaSegment]:
        """Take one fragment; yields each segment that it completes.

        Raises:
            MalformedError: More samples than planned, or a segment that does not start with a sync sample.
        """
        self._samples.extend(fragment.samples)
        self._payload += fragment.payload
        while self._counts and len(self._samples) >= self._counts[0]:
            yield self._cut(self._counts.popleft())
        if self._samples and not self._counts:
            raise MalformedError(f"{len(self._samples)} samples more than planned")

    def finish(self, *, short_end: bool = False) -> Iterator[MediaSegment]:
        """The input has ended.

        Args:
            short_end: What is left becomes a last, shorter segment, and fewer segments than planned are right:
                sound, whose length only its encoder knows.

        Raises:
            MalformedError: Samples are missing.
        """
        if short_end:
            if self._samples:
                yield self._cut(len(self._samples))
        elif self._counts:
            raise MalformedError(f"{sum(self._counts) - len(self._samples)} samples fewer than planned")

    def _cut(self, count: int) -> MediaSegment:
        samples = [self._samples.popleft() for _ in range(count)]
        size = sum(sample.size_bytes for sample in samples)
        if not samples[0].is_sync:
            raise MalformedError(f"segment {self._number} does not start with a keyframe")
        duration = sum(sample.duration for sample in samples)
        data = write_segment(samples, self._payload[:size], sequence=self._number + 1, decode_time=self._time)
        del self._payload[:size]
        segment = MediaSegment(number=self._number, data=data, duration=duration, sample_count=count)
        self._number += 1
        self._time += duration
        return segment


def write_segment(samples: Sequence[Sample], payload: bytes | bytearray, *, sequence: int, decode_time: int) -> bytes:
    """One CMAF media segment: `styp`, `moof` of track 1, `mdat`.

    Args:
        samples: In decode order, at least one.
        payload: Their bytes, end to end.
        sequence: `mfhd` number, from 1.
        decode_time: Of the first sample, ticks.
    """
    first = samples[0]
    # tfhd: default-base-is-moof, default duration and flags; what differs is said by each sample.
    tfhd = _full_box(b"tfhd", 0, 0x020028, struct.pack(">III", 1, first.duration, first.flags))
    tfdt = _full_box(b"tfdt", 1, 0, struct.pack(">Q", decode_time))
    same_duration = all(sample.duration == first.duration for sample in samples)
    same_flags = all(sample.flags == first.flags for sample in samples)
    presented_as_decoded = all(sample.composition_offset == 0 for sample in samples)
    flags = 0x201  # data offset, sample sizes
    flags |= 0 if same_duration else 0x100
    flags |= 0 if same_flags else 0x400
    flags |= 0 if presented_as_decoded else 0x800
    rows = bytearray()
    for sample in samples:
        if not same_duration:
            rows += struct.pack(">I", sample.duration)
        rows += struct.pack(">I", sample.size_bytes)
        if not same_flags:
            rows += struct.pack(">I", sample.flags)
        if not presented_as_decoded:
            rows += struct.pack(">i", sample.composition_offset)

    def moof(data_offset: int) -> bytes:
        trun = _full_box(b"trun", 1, flags, struct.pack(">Ii", len(samples), data_offset) + bytes(rows))
        return _box(b"moof", _full_box(b"mfhd", 0, 0, struct.pack(">I", sequence)) + _box(b"traf", tfhd + tfdt + trun))

    size = len(moof(0))
    styp = _box(b"styp", b"msdh" + struct.pack(">I", 0) + b"msdhmsixcmfs")
    return styp + moof(size + 8) + _box(b"mdat", bytes(payload))


def read_init(data: bytes) -> Init:
    """Read an init segment of one track.

    Raises:
        MalformedError: It holds no or several tracks, or a codec that this pipeline does not write.
    """
    try:
        moov = _child(data, b"moov")
        tracks = [body for kind, body in _boxes(moov) if kind == b"trak"]
        if len(tracks) != 1:
            raise MalformedError(f"an init segment with {len(tracks)} tracks")
        media = _child(tracks[0], b"mdia")
        version = _child(media, b"mdhd")[0]
        (timescale,) = struct.unpack_from(">I", _child(media, b"mdhd"), 20 if version else 12)
        descriptions = _child(_child(_child(media, b"minf"), b"stbl"), b"stsd")
        kind, entry = next(_boxes(descriptions[8:]))
        if kind in (b"avc1", b"avc3"):
            width_px, height_px = struct.unpack_from(">HH", entry, 24)
            configuration = _child(entry[78:], b"avcC")
            if len(configuration) < 4:
                raise MalformedError("an avcC box that is cut off")
            profile, constraints, level = configuration[1:4]
            codec = f"{kind.decode()}.{profile:02x}{constraints:02x}{level:02x}"
            return Init(data=data, timescale=timescale, codec=codec, width_px=width_px, height_px=height_px)
        if kind == b"mp4a":
            (channels,) = struct.unpack_from(">H", entry, 16)
            object_type = _audio_object_type(_child(entry[28:], b"esds"))
            return Init(data=data, timescale=timescale, codec=f"mp4a.40.{object_type}", channels=channels)
    except (struct.error, IndexError, StopIteration, KeyError) as exc:
        raise MalformedError(f"an init segment that cannot be read: {exc!r}") from exc
    raise MalformedError(f"an init segment with the codec {kind!r}")


def _audio_object_type(esds: bytes) -> int:
    """The object type of an AudioSpecificConfig inside an ES descriptor (14496-1 7.2.6, 14496-3 1.6.2.1)."""
    position = 4  # version and flags
    while position < len(esds):
        tag = esds[position]
        position += 1
        while esds[position] & 0x80:  # length, seven bits a byte; descriptors nest, so walking on is enough
            position += 1
        position += 1
        if tag == 0x03:  # ES: id, flags
            position += 3
        elif tag == 0x04:  # decoder config
            position += 13
        elif tag == 0x05:  # AudioSpecificConfig
            return esds[position] >> 3
        else:
            break
    raise MalformedError("no AudioSpecificConfig")


def _read_moof(body: bytes) -> Iterator[Sample]:
    """The samples of one `traf`, defaults filled in from its `tfhd`."""
    try:
        traf = _child(body, b"traf")
        tfhd = _child(traf, b"tfhd")
        tfhd_flags = int.from_bytes(tfhd[1:4], "big")
        position, defaults = 8, {}
        for bit, name, width in (
            (0x01, "base", 8), (0x02, "description", 4), (0x08, "duration", 4), (0x10, "size", 4), (0x20, "flags", 4),
        ):  # fmt: skip
            if tfhd_flags & bit:
                defaults[name] = int.from_bytes(tfhd[position : position + width], "big")
                position += width
        for kind, trun in _boxes(traf):
            if kind != b"trun":
                continue
            flags = int.from_bytes(trun[1:4], "big")
            (count,) = struct.unpack_from(">I", trun, 4)
            if count > MAX_SAMPLES:
                raise MalformedError(f"a fragment of {count} samples")
            position = 8 + (4 if flags & 0x1 else 0)
            first_flags = None
            if flags & 0x4:
                (first_flags,) = struct.unpack_from(">I", trun, position)
                position += 4
            for index in range(count):
                row = {}
                for bit, name in ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "offset")):
                    if flags & bit:
                        (row[name],) = struct.unpack_from(">i" if name == "offset" else ">I", trun, position)
                        position += 4
                sample_flags = row.get("flags", defaults.get("flags", _SYNC_FLAGS))
                if index == 0 and first_flags is not None:
                    sample_flags = first_flags
                yield Sample(
                    size_bytes=row["size"] if "size" in row else defaults["size"],
                    duration=row["duration"] if "duration" in row else defaults["duration"],
                    flags=sample_flags,
                    composition_offset=row.get("offset", 0),
                )
    except (struct.error, KeyError) as exc:
        raise MalformedError(f"a fragment that cannot be read: {exc!r}") from exc


class _Header(NamedTuple):
    kind: bytes
    size: int  #: of the whole box
    length: int  #: of this header


def _box_header(data: bytes | bytearray) -> _Header | None:
    """The header at the start of `data`, or None if it is not all there yet."""
    if len(data) < 8:
        return None
    size, kind = struct.unpack_from(">I4s", data)
    length = 8
    if size == 1:
        if len(data) < 16:
            return None
        (size,) = struct.unpack_from(">Q", data, 8)
        length = 16
    if size < length or size > MAX_BOX_BYTES:
        raise MalformedError(f"a box {kind!r} of {size} bytes")
    return _Header(kind, size, length)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each box in a row."""
    position = 0
    while position < len(data):
        header = _box_header(data[position : position + 16])
        if header is None or position + header.size > len(data):
            raise MalformedError("a box longer than its parent")
        yield header.kind, data[position + header.length : position + header.size]
        position += header.size


def _child(data: bytes, kind: bytes) -> bytes:
    """Body of the first child of that kind."""
    for found, body in _boxes(data):
        if found == kind:
            return body
    raise MalformedError(f"no {kind.decode()} box")


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full_box(kind: bytes, version: int, flags: int, body: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + body)
