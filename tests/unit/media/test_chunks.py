"""Where a video is cut: every frame once, on whole GOPs, in even pieces."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vod.media.chunks import MAX_WASTE, Chunk, gop_frames, plan_chunks, segment_borders


@st.composite
def cuts(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `plan_chunks` for a film of up to some hundred segments."""
    segment = draw(st.integers(1, 600))
    frame_count = draw(st.integers(1, segment * 200))
    work_per_frame_s = draw(st.floats(0.0001, 1))
    keyframe_distance = draw(st.integers(1, 3000))
    return {
        "borders": segment_borders(frame_count, segment=segment, start=draw(st.integers(1, segment))),
        "frame_count": frame_count,
        "work_per_frame_s": work_per_frame_s,
        "decode_per_frame_s": work_per_frame_s * draw(st.floats(0, 1)),
        "chunk_work_s": draw(st.floats(1, 100)),
        "keyframes": tuple(range(0, frame_count, keyframe_distance)),
        "splittable": True,
    }


def cut(frame_count: int, **changes: Any) -> tuple[Chunk, ...]:
    """Segments of 180 frames, the first of 60; chunks of one CPU second where a frame costs a hundredth."""
    arguments: dict[str, Any] = {
        "work_per_frame_s": 0.01,
        "decode_per_frame_s": 0.001,
        "chunk_work_s": 1.0,
        "keyframes": range(frame_count),
        "splittable": True,
    }
    borders = segment_borders(frame_count, segment=180, start=60)
    return plan_chunks(borders, frame_count, **arguments | changes)


def wasted_frames(chunks: tuple[Chunk, ...], keyframes: tuple[int, ...]) -> int:
    """Frames decoded from the keyframe before each chunk and thrown away."""
    return sum(chunk.start_frame - max(at for at in keyframes if at <= chunk.start_frame) for chunk in chunks)


@pytest.mark.parametrize(
    ("gop_s", "rate", "expected"),
    [
        (2.0, "25", 50),
        (2.0, "30000/1001", 60),
        (2.0, "24000/1001", 48),
        (2.0, "60", 120),
        (0.5, "12.5", 6),
        (0.5, "1", 1),
    ],
)
def test_gop_is_the_nearest_whole_number_of_frames(gop_s: float, rate: str, expected: int):
    assert gop_frames(gop_s, Fraction(rate)) == expected


@pytest.mark.parametrize(
    ("frame_count", "start", "expected"),
    [
        pytest.param(601, 60, (0, 60, 180, 360, 540), id="the grid goes on after the short first one"),
        pytest.param(361, 60, (0, 60, 180, 360), id="a remainder of one frame"),
        pytest.param(360, 60, (0, 60, 180), id="no remainder"),
        pytest.param(60, 60, (0,), id="no longer than the first one"),
        pytest.param(61, 60, (0, 60), id="one frame longer"),
        pytest.param(1, 60, (0,), id="one frame"),
        pytest.param(400, 180, (0, 180, 360), id="the first one like all others"),
        pytest.param(400, 999, (0, 180, 360), id="none is longer than nominal"),
        pytest.param(400, 1, (0, 1, 180, 360), id="a first one of one frame"),
    ],
)
def test_borders_of_segments(frame_count: int, start: int, expected: tuple[int, ...]):
    """A player starts sooner; every later border is where it would be without."""
    assert segment_borders(frame_count, segment=180, start=start) == expected


def test_a_video_of_one_frame_is_one_chunk():
    assert cut(1) == (Chunk(index=0, first_segment=0, segment_count=1, start_frame=0, frame_count=1),)


@pytest.mark.parametrize(("frame_count", "segment", "start"), [(0, 60, 3), (-1, 60, 3), (60, 0, 3), (60, 60, 0)])
def test_nothing_cannot_be_cut(frame_count: int, segment: int, start: int):
    with pytest.raises(ValueError, match="cannot cut"):
        segment_borders(frame_count, segment=segment, start=start)


@pytest.mark.parametrize("borders", [(), (60, 120), (0, 60, 600), (0, 601)])
def test_borders_have_to_cover_the_frames(borders: tuple[int, ...]):
    with pytest.raises(ValueError, match="do not cover 600 frames"):
        plan_chunks(
            borders,
            600,
            work_per_frame_s=1,
            decode_per_frame_s=0,
            chunk_work_s=1,
            keyframes=(0,),
            splittable=True,
        )


def test_number_of_chunks_follows_the_work():
    assert [(chunk.start_frame, chunk.frame_count) for chunk in cut(720, chunk_work_s=2.4)] == [
        (0, 180), (180, 360), (540, 180),
    ]  # fmt: skip


def test_a_chunk_holds_a_segment_at_least():
    """Work enough for seven chunks, but only four segments to make them of."""
    assert [(chunk.first_segment, chunk.frame_count) for chunk in cut(361, chunk_work_s=0.5)] == [
        (0, 60), (1, 120), (2, 180), (3, 1),
    ]  # fmt: skip


def test_a_source_that_cannot_be_entered_is_one_chunk():
    (chunk,) = cut(100_000, splittable=False)

    assert (chunk.start_frame, chunk.frame_count, chunk.segment_count) == (0, 100_000, 557)


def test_a_source_with_one_keyframe_is_one_chunk():
    """Each chunk would decode all that comes before it."""
    assert len(cut(36_000, keyframes=(0,), decode_per_frame_s=0.002)) == 1


def test_a_source_without_a_known_keyframe_is_one_chunk():
    """It can be entered nowhere but at its start."""
    assert len(cut(36_000, keyframes=(), decode_per_frame_s=0.002)) == 1


def test_keyframes_far_apart_make_chunks_fewer():
    often, rarely = cut(36_000, keyframes=range(0, 36_000, 180)), cut(36_000, keyframes=range(0, 36_000, 2500))

    assert len(often) == 201
    assert 1 < len(rarely) < 100


@given(frame_count=st.integers(1, 100_000), segment=st.integers(1, 1200), start=st.integers(1, 1200))
@example(frame_count=1, segment=1, start=1)
def test_segments_cover_every_frame_once(frame_count: int, segment: int, start: int):
    borders = segment_borders(frame_count, segment=segment, start=start)

    assert borders[0] == 0
    assert all(before < after for before, after in pairwise(borders))
    assert borders[-1] < frame_count
    assert all(after - before <= segment for before, after in pairwise((*borders, frame_count)))
    assert {border for border in borders if border % segment} <= {start}


@given(arguments=cuts())
def test_chunks_cover_every_segment_and_frame_once(arguments: dict[str, Any]):
    chunks = plan_chunks(**arguments)
    borders, frame_count = arguments["borders"], arguments["frame_count"]

    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    segment = frame = 0
    for chunk in chunks:
        assert (chunk.first_segment, chunk.start_frame) == (segment, frame)
        assert chunk.segment_count > 0
        assert chunk.frame_count > 0
        assert borders[segment] == frame
        segment, frame = segment + chunk.segment_count, frame + chunk.frame_count
    assert (segment, frame) == (len(borders), frame_count)


@given(arguments=cuts())
def test_chunks_differ_by_little(arguments: dict[str, Any]):
    """Each border lies half a segment from its even share at most, so two lengths differ by less than two."""
    chunks, borders = plan_chunks(**arguments), arguments["borders"]
    longest_segment = max(after - before for before, after in pairwise((*borders, arguments["frame_count"])))
    lengths = [chunk.frame_count for chunk in chunks]

    assert max(lengths) - min(lengths) < 2 * longest_segment


@given(arguments=cuts())
def test_waste_of_decoding_is_bounded(arguments: dict[str, Any]):
    chunks = plan_chunks(**arguments)
    waste_s = wasted_frames(chunks, arguments["keyframes"]) * arguments["decode_per_frame_s"]

    assert len(chunks) == 1 or waste_s <= MAX_WASTE * arguments["frame_count"] * arguments["work_per_frame_s"]


@given(arguments=cuts())
def test_there_are_never_more_chunks_than_the_work_asks_for(arguments: dict[str, Any]):
    work_s = arguments["frame_count"] * arguments["work_per_frame_s"]

    assert len(plan_chunks(**arguments)) <= max(1, work_s / arguments["chunk_work_s"] + 1)


@given(arguments=cuts())
def test_the_same_arguments_give_the_same_chunks(arguments: dict[str, Any]):
    """No clock, no machine, no kind of sequence has a say."""
    listed = arguments | {"borders": list(arguments["borders"]), "keyframes": list(arguments["keyframes"])}

    assert plan_chunks(**arguments) == plan_chunks(**listed)


@given(arguments=cuts())
def test_not_splittable_is_one_chunk(arguments: dict[str, Any]):
    (chunk,) = plan_chunks(**arguments | {"splittable": False})

    assert (chunk.start_frame, chunk.frame_count) == (0, arguments["frame_count"])
