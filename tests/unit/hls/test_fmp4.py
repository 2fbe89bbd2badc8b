"""Fragmented MP4: what is written is read back, cuts fall where planned, and damage is told as damage."""

import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vod.hls.fmp4 import (
    MAX_BOX_BYTES,
    Fragment,
    FragmentReader,
    Init,
    MalformedError,
    MediaSegment,
    Sample,
    Segmenter,
    read_init,
    write_segment,
)

SYNC, NON_SYNC = 0x0200_0000, 0x0101_0000


# -- init segments by hand -----------------------------------------------------------------------------


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def avc1(width_px: int = 1280, height_px: int = 720, avcc: bytes = b"\x01\x64\x00\x1f\xff\xe0\x00") -> bytes:
    """A VisualSampleEntry (14496-12 12.1.3.2): 78 bytes, then its boxes."""
    before, after = bytes(24), bytes(78 - 28)
    return box(b"avc1", before, struct.pack(">HH", width_px, height_px), after, box(b"avcC", avcc))


def mp4a(channels: int = 2, esds: bytes | None = None) -> bytes:
    """An AudioSampleEntry (14496-12 12.2.3.2): 28 bytes, then its boxes."""
    if esds is None:
        specific = b"\x05\x02\x11\x90"  # AAC-LC, 48 kHz, stereo
        config = b"\x04" + bytes([13 + len(specific)]) + b"\x40" + bytes(12) + specific
        esds = b"\x03\x80\x80\x80" + bytes([3 + len(config)]) + b"\x00\x01\x00" + config
    return box(b"mp4a", bytes(16), struct.pack(">HH", channels, 16), bytes(8), full_box(b"esds", esds))


def trak(entry: bytes, timescale: int = 30_000, version: int = 0) -> bytes:
    times = struct.pack(">QQIQ", 0, 0, timescale, 0) if version else struct.pack(">IIII", 0, 0, timescale, 0)
    mdhd = full_box(b"mdhd", times, bytes(4), version=version)
    stsd = full_box(b"stsd", struct.pack(">I", 1), entry)
    return box(b"trak", full_box(b"tkhd", bytes(80)), box(b"mdia", mdhd, box(b"minf", box(b"stbl", stsd))))


def an_init(*traks: bytes) -> bytes:
    """The least that is an init segment."""
    return box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", full_box(b"mvhd", bytes(96)), *(traks or (trak(avc1()),)))


INIT = an_init()


def fragments(data: bytes, splits: Iterable[int] = ()) -> list[Fragment]:
    """What a reader makes of a stream that arrives in these pieces."""
    reader = FragmentReader()
    ends = [0, *sorted(splits), len(data)]
    found = [fragment for start, end in pairwise(ends) for fragment in reader.feed(data[start:end])]
    reader.close()
    return found


def a_sample(size_bytes: int = 4, duration: int = 1001, flags: int = SYNC, composition_offset: int = 0) -> Sample:
    return Sample(size_bytes, duration, flags, composition_offset)


def a_fragment(*samples: Sample) -> Fragment:
    """Samples whose bytes tell them apart."""
    return Fragment(
        samples=samples, payload=b"".join(bytes([n % 256]) * one.size_bytes for n, one in enumerate(samples))
    )


samples_of_any_kind = st.lists(
    st.builds(
        Sample,
        size_bytes=st.integers(0, 300),
        duration=st.integers(0, 2**32 - 1),
        flags=st.integers(0, 2**32 - 1),
        composition_offset=st.integers(-(2**31), 2**31 - 1),
    ),
    min_size=1,
    max_size=30,
)


# -- init ----------------------------------------------------------------------------------------------


def test_picture_init():
    assert read_init(INIT) == Init(
        data=INIT, timescale=30_000, codec="avc1.64001f", width_px=1280, height_px=720, channels=0
    )


def test_sound_init():
    data = an_init(trak(mp4a(channels=1), timescale=48_000))

    assert read_init(data) == Init(data=data, timescale=48_000, codec="mp4a.40.2", channels=1)


def test_times_of_64_bits_move_the_timescale():
    assert read_init(an_init(trak(avc1(), timescale=90_000, version=1))).timescale == 90_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "no moov box", id="nothing"),
        pytest.param(an_init(trak(avc1()), trak(mp4a())), "an init segment with 2 tracks", id="two tracks"),
        pytest.param(box(b"moov"), "an init segment with 0 tracks", id="no track"),
        pytest.param(an_init(trak(box(b"hvc1", bytes(78)))), "an init segment with the codec b'hvc1'", id="codec"),
        pytest.param(an_init(trak(b"")), "an init segment that cannot be read", id="no description"),
        pytest.param(an_init(trak(box(b"avc1", bytes(78)))), "no avcC box", id="no avcC"),
        pytest.param(an_init(trak(box(b"avc1", bytes(10)))), "an init segment that cannot be read", id="short avc1"),
        pytest.param(an_init(trak(mp4a(esds=b""))), "no AudioSpecificConfig", id="empty esds"),
        pytest.param(an_init(trak(mp4a(esds=b"\x03\x80\x80"))), "an init segment that cannot be read", id="cut esds"),
        pytest.param(an_init(trak(mp4a(esds=b"\x06\x00"))), "no AudioSpecificConfig", id="foreign esds"),
        pytest.param(box(b"moov", box(b"trak", box(b"mdia"))), "no mdhd box", id="no mdhd"),
        pytest.param(box(b"moov", box(b"trak", box(b"mdia", box(b"mdhd")))), "cannot be read", id="empty mdhd"),
    ],
)
def test_an_init_that_is_none_is_malformed(data: bytes, message: str):
    with pytest.raises(MalformedError, match=message):
        read_init(data)


def test_a_short_avcc_is_malformed():
    with pytest.raises(MalformedError):
        read_init(an_init(trak(avc1(avcc=b"\x01\x64\x00"))))


# -- there and back ------------------------------------------------------------------------------------


@given(samples=samples_of_any_kind, decode_time=st.integers(0, 2**64 - 1), data=st.data())
def test_what_is_written_is_read_back(samples: list[Sample], decode_time: int, data: st.DataObject):
    payload = data.draw(st.binary(min_size=(size := sum(one.size_bytes for one in samples)), max_size=size))
    stream = INIT + write_segment(samples, payload, sequence=1, decode_time=decode_time)
    splits = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))

    assert fragments(stream, splits) == [Fragment(samples=tuple(samples), payload=payload)]


@given(samples=samples_of_any_kind, equal=st.sets(st.sampled_from(("duration", "flags", "composition_offset"))))
def test_what_is_equal_is_said_once(samples: list[Sample], equal: set[str]):
    """Defaults in tfhd, and rows only for what differs, are read back all the same."""
    samples = [one._replace(**{name: getattr(samples[0], name) for name in equal}) for one in samples]
    payload = bytes(sum(one.size_bytes for one in samples))

    (found,) = fragments(INIT + write_segment(samples, payload, sequence=1, decode_time=0))

    assert found.samples == tuple(samples)


def test_a_segment_byte_by_byte():
    """Two samples that differ in nothing but size: 14496-12 8.8, by hand."""
    found = write_segment([a_sample(2), a_sample(3)], b"aabbb", sequence=7, decode_time=90_090)

    assert found == b"".join(
        (
            box(b"styp", b"msdh", bytes(4), b"msdhmsixcmfs"),
            box(
                b"moof",
                full_box(b"mfhd", struct.pack(">I", 7)),
                box(
                    b"traf",
                    full_box(b"tfhd", struct.pack(">III", 1, 1001, SYNC), flags=0x020028),
                    full_box(b"tfdt", struct.pack(">Q", 90_090), version=1),
                    full_box(b"trun", struct.pack(">IiII", 2, 112, 2, 3), version=1, flags=0x201),
                ),
            ),
            box(b"mdat", b"aabbb"),
        )
    )
    assert found[28 + 112 :] == b"aabbb", "the data offset leads from the moof to the first sample"


def test_bytes_one_at_a_time():
    stream = INIT + write_segment([a_sample()], b"data", sequence=1, decode_time=0)

    assert [fragment.payload for fragment in fragments(stream, range(len(stream)))] == [b"data"]


def test_the_init_is_known_as_soon_as_it_is_there():
    reader = FragmentReader()
    list(reader.feed(INIT[:-1]))
    assert reader.init is None

    list(reader.feed(INIT[-1:]))
    assert reader.init == read_init(INIT)


def test_boxes_that_say_nothing_here_are_passed_over():
    segment = write_segment([a_sample()], b"data", sequence=1, decode_time=0)

    assert len(fragments(INIT + box(b"free", bytes(100)) + box(b"sidx", b"?") + segment + box(b"mfra"))) == 1


def test_a_box_may_say_its_size_in_64_bits():
    segment = write_segment([a_sample()], b"data", sequence=1, decode_time=0)
    assert segment.endswith(box(b"mdat", b"data"))
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 4) + b"data"

    assert fragments(INIT + segment[: -len(b"....mdatdata")] + large)[0].payload == b"data"


def test_first_sample_flags_and_default_sizes_are_understood():
    """FFmpeg writes neither now; other versions of it may."""
    tfhd = full_box(b"tfhd", struct.pack(">IIII", 1, 512, 2, NON_SYNC), flags=0x020038)
    trun = full_box(b"trun", struct.pack(">IiI", 3, 0, SYNC), flags=0x5)
    moof = box(b"moof", full_box(b"mfhd", bytes(4)), box(b"traf", tfhd, trun))

    (found,) = fragments(INIT + moof + box(b"mdat", b"aabbcc"))

    assert found.samples == (Sample(2, 512, SYNC, 0), Sample(2, 512, NON_SYNC, 0), Sample(2, 512, NON_SYNC, 0))


# -- damage --------------------------------------------------------------------------------------------

SEGMENT = write_segment([a_sample(), a_sample(flags=NON_SYNC)], b"somedata", sequence=1, decode_time=0)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        pytest.param(SEGMENT, "media data before its description", id="no init"),
        pytest.param(INIT + box(b"mdat", b"data"), "media data before its description", id="no moof"),
        pytest.param(INIT + SEGMENT + box(b"mdat", b"data"), "media data before", id="one moof for two mdat"),
        pytest.param(INIT + SEGMENT[:-16] + box(b"mdat", b"less"), "describes other than its 4 bytes", id="too few"),
        pytest.param(INIT + SEGMENT[:-16] + box(b"mdat", b"more data"), "other than its 9 bytes", id="too many"),
        pytest.param(INIT + struct.pack(">I4s", 7, b"free"), "a box b'free' of 7 bytes", id="size below its header"),
        pytest.param(INIT + struct.pack(">I4s", 0, b"mdat"), "a box b'mdat' of 0 bytes", id="size to the end"),
        pytest.param(
            INIT + struct.pack(">I4s", MAX_BOX_BYTES + 1, b"mdat"), "a box b'mdat' of 268435457 bytes", id="huge"
        ),
        pytest.param(
            INIT + struct.pack(">I4sQ", 1, b"mdat", 2**63), "a box b'mdat' of 9223372036854775808 bytes", id="giant"
        ),
        pytest.param(INIT + struct.pack(">I4sQ", 1, b"mdat", 15), "of 15 bytes", id="64 bits below its header"),
        pytest.param(INIT + box(b"moof"), "no traf box", id="empty moof"),
        pytest.param(INIT + box(b"moof", box(b"traf")), "no tfhd box", id="empty traf"),
        pytest.param(
            INIT + box(b"moof", box(b"traf", full_box(b"tfhd", bytes(4)), full_box(b"trun", struct.pack(">I", 1)))),
            "a fragment that cannot be read: KeyError",
            id="no size anywhere",
        ),
        pytest.param(
            INIT
            + box(
                b"moof",
                box(b"traf", full_box(b"tfhd", bytes(4)), full_box(b"trun", struct.pack(">Ii", 9, 0), flags=0x301)),
            ),
            "a fragment that cannot be read: error",
            id="fewer rows than samples",
        ),
        pytest.param(
            INIT + box(b"moof", struct.pack(">I4s", 100, b"traf")),
            "a box longer than its parent",
            id="too long a child",
        ),
        pytest.param(INIT + box(b"moof", b"1234"), "a box longer than its parent", id="crumbs"),
    ],
)
def test_damage_is_malformed(stream: bytes, message: str):
    with pytest.raises(MalformedError, match=message):
        fragments(stream)


@pytest.mark.parametrize("kept", [4, len(INIT) - 1, len(INIT) + 5, len(INIT + SEGMENT) - 1])
def test_a_stream_that_ends_early_is_malformed(kept: int):
    with pytest.raises(MalformedError, match=r"ends inside a fragment \(\d+ bytes left over\)"):
        fragments((INIT + SEGMENT)[:kept])


def test_a_moof_without_its_data_is_malformed():
    """The last thing that a killed FFmpeg leaves."""
    with pytest.raises(MalformedError, match=r"ends inside a fragment \(0 bytes left over\)"):
        fragments(INIT + SEGMENT[: -len(b"....mdatsomedata")])


@pytest.mark.timeout(5)
def test_a_sample_count_that_no_payload_can_hold_is_malformed():
    """A third of a million samples of 2 bytes, said in 80; 2**32 - 1 would fill the memory before any mdat comes."""
    tfhd = full_box(b"tfhd", struct.pack(">III", 1, 512, 0), flags=0x020018)
    moof = box(b"moof", box(b"traf", tfhd, full_box(b"trun", struct.pack(">I", 333_333))))

    with pytest.raises(MalformedError):
        list(FragmentReader().feed(INIT + moof))


def feed_anything(stream: bytes) -> None:
    """Read, and let nothing but MalformedError come out as an error."""
    try:
        fragments(stream)
    except MalformedError:
        return


@given(stream=st.binary(max_size=300))
@example(stream=b"\0\0\0\x08moov")
def test_random_bytes_are_malformed_at_worst(stream: bytes):
    feed_anything(stream)


@given(stream=st.binary(max_size=200))
def test_random_bytes_after_an_init_are_malformed_at_worst(stream: bytes):
    feed_anything(INIT + stream)


@given(kind=st.sampled_from((b"moof", b"mdat", b"moov", b"traf", b"styp")), body=st.binary(max_size=200))
def test_random_bodies_are_malformed_at_worst(kind: bytes, body: bytes):
    feed_anything(INIT + box(kind, body) + SEGMENT)


@given(data=st.data(), at=st.integers(0, len(INIT + SEGMENT) - 1), length=st.integers(1, 8))
@settings(max_examples=400)
def test_damaged_bytes_are_malformed_at_worst(data: st.DataObject, at: int, length: int):
    """Anywhere in a good stream; counts stay small, see the sample count above."""
    stream = bytearray(INIT + SEGMENT)
    stream[at : at + length] = data.draw(st.binary(min_size=length, max_size=length))
    feed_anything(bytes(stream))


@given(at=st.integers(0, len(INIT + SEGMENT)))
def test_a_cut_anywhere_is_malformed_at_worst(at: int):
    feed_anything((INIT + SEGMENT)[:at])


# -- segments ------------------------------------------------------------------------------------------


def segments(segmenter: Segmenter, *parts: Fragment, short_end: bool = False) -> Iterator[MediaSegment]:
    for part in parts:
        yield from segmenter.add(part)
    yield from segmenter.finish(short_end=short_end)


def gops(*lengths: int) -> list[Fragment]:
    """A fragment per GOP, as FFmpeg writes them."""
    return [a_fragment(a_sample(), *[a_sample(3, flags=NON_SYNC)] * (length - 1)) for length in lengths]


def sequence_and_time(segment: MediaSegment) -> tuple[int, int]:
    """Of mfhd and tfdt, found by their names."""
    mfhd, tfdt = segment.data.index(b"mfhd"), segment.data.index(b"tfdt")
    return struct.unpack_from(">I", segment.data, mfhd + 8)[0], struct.unpack_from(">Q", segment.data, tfdt + 8)[0]


def test_segments_are_cut_at_the_counts_with_the_films_times():
    segmenter = Segmenter([2, 4], first_number=10, start=60_060)

    found = list(segments(segmenter, *gops(2, 2, 2)))

    assert [(one.number, one.sample_count, one.duration) for one in found] == [(10, 2, 2002), (11, 4, 4004)]
    assert [sequence_and_time(one) for one in found] == [(11, 60_060), (12, 62_062)]
    assert fragments(INIT + found[0].data + found[1].data)[1].payload == b"\0\0\0\0\1\1\1\0\0\0\0\1\1\1"


def test_a_segment_is_handed_on_as_soon_as_it_is_complete():
    segmenter = Segmenter([2, 2], first_number=0, start=0)

    assert [one.number for one in segmenter.add(gops(2)[0])] == [0]


def test_one_fragment_may_hold_several_segments():
    """Sound comes in fragments that know no segments."""
    segmenter = Segmenter([2, 2, 1], first_number=0, start=0)

    assert [one.sample_count for one in segments(segmenter, a_fragment(*[a_sample()] * 5))] == [2, 2, 1]


def test_durations_may_differ():
    samples = [a_sample(duration=duration) for duration in (1024, 1024, 960, 1024)]

    found = list(segments(Segmenter([2, 2], first_number=0, start=0), a_fragment(*samples)))

    assert [one.duration for one in found] == [2048, 1984]
    assert [sequence_and_time(one)[1] for one in found] == [0, 2048]


def test_a_segment_has_to_start_with_a_keyframe():
    with pytest.raises(MalformedError, match="segment 1 does not start with a keyframe"):
        list(segments(Segmenter([1, 3], first_number=0, start=0), *gops(2, 2)))


def test_missing_samples_are_malformed():
    with pytest.raises(MalformedError, match="3 samples fewer than planned"):
        list(segments(Segmenter([2, 2, 2], first_number=0, start=0), *gops(2, 1)))


def test_samples_that_were_not_planned_are_malformed():
    with pytest.raises(MalformedError, match="1 samples more than planned"):
        list(segments(Segmenter([2], first_number=0, start=0), *gops(2, 1)))


def test_a_short_end_is_a_segment_of_its_own():
    found = list(segments(Segmenter([2, 9], first_number=0, start=0), *gops(2, 3), short_end=True))

    assert [one.sample_count for one in found] == [2, 3]


def test_a_short_end_may_leave_segments_out():
    found = list(segments(Segmenter([2, 2, 2], first_number=0, start=0), *gops(2), short_end=True))

    assert [one.sample_count for one in found] == [2]


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 48), max_size=6),
    start=st.integers(0, 2**40),
    durations=st.lists(st.integers(1, 5000), min_size=48, max_size=48),
)
def test_nothing_is_lost_between_fragments_and_segments(
    counts: list[int], cuts: list[int], start: int, durations: list[int]
):
    """However the same samples are handed in, the segments hold all of them, in order, one after the other."""
    samples = [a_sample(n % 5, duration=durations[n]) for n in range(sum(counts))]
    whole = a_fragment(*samples)
    ends = [0, *sorted(cut for cut in cuts if cut < len(samples)), len(samples)]
    offset, parts = 0, []
    for first, after in pairwise(ends):
        size = sum(one.size_bytes for one in samples[first:after])
        parts.append(Fragment(samples=tuple(samples[first:after]), payload=whole.payload[offset : offset + size]))
        offset += size

    found = list(segments(Segmenter(counts, first_number=3, start=start), *parts))
    read = fragments(INIT + b"".join(one.data for one in found))

    assert [one.number for one in found] == list(range(3, 3 + len(counts)))
    assert [one.sample_count for one in found] == counts
    assert [one for fragment in read for one in fragment.samples] == samples
    assert b"".join(fragment.payload for fragment in read) == whole.payload
    times = [start + sum(one.duration for one in found[:number]) for number in range(len(found))]
    assert [sequence_and_time(one) for one in found] == [(4 + number, time) for number, time in enumerate(times)]
