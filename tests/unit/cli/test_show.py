"""The small words that people read."""

from dataclasses import replace
from fractions import Fraction

import pytest

from builders import a_chunk, a_plan, a_sound, a_source
from vod.cli.show import _chunk_ranges, _clock
from vod.media.plan import Plan


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        ("0", "0.0 s"), ("3.24", "3.2 s"), ("59.9", "59.9 s"), ("60", "1:00"), ("245", "4:05"), ("119.6", "2:00"),
        ("3599.4", "59:59"), ("3600", "1:00:00"), ("5400", "1:30:00"), ("90061", "25:01:01"),
    ],
)  # fmt: skip
def test_clock(duration_s: str, expected: str):
    assert _clock(Fraction(duration_s)) == expected


def with_chunks(*counts: int) -> Plan:
    """A plan whose chunks have so many segments."""
    plan, first, chunks = a_plan(), 0, []
    for index, count in enumerate(counts):
        chunks.append(a_chunk(index=index, first_segment=first, segment_count=count))
        first += count
    assert plan.video
    return replace(plan, video=replace(plan.video, chunks=tuple(chunks)))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1,), "0-0"),
        ((3, 2, 1), "0-2, 3-4, 5-5"),
        ((2,) * 12, "0-1, 2-3, 4-5, 6-7, 8-9, 10-11, 12-13, 14-15, 16-17, 18-19, 20-21, 22-23"),
        ((2,) * 13, "0-1, 2-3, 4-5, 6-7, 8-9, 10-11, …, 20-21, 22-23, 24-25"),
    ],
)
def test_chunk_ranges(counts: tuple[int, ...], expected: str):
    """Many are shortened in the middle."""
    assert _chunk_ranges(with_chunks(*counts)) == expected


def test_sound_alone_has_no_chunks():
    assert _chunk_ranges(a_plan(source=a_source(video=None, audio=(a_sound(),)))) == ""
