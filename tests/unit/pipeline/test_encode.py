"""Around the encoder: its progress lines, its limits, and the cutting of what it writes."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_chunk, a_plan, a_sound, a_source, a_video
from vod.media.source import Color
from vod.pipeline.encode import PATIENCE_S, ProgressLines, limits_for, task_name

#: One report as FFmpeg writes it.
REPORT = b"frame=%d\nfps=25.0\nbitrate=N/A\nout_time_us=%d\nspeed=1x\nprogress=continue\n"


def test_progress_is_told_in_frames():
    seen: list[int] = []
    lines = ProgressLines(seen.append)

    assert lines(REPORT % (25, 1_000_000))
    assert lines(REPORT % (50, 2_000_000))
    assert seen == [25, 50]


def test_the_same_report_again_is_no_progress():
    """FFmpeg reports by the clock, also when it hangs."""
    seen: list[int] = []
    lines = ProgressLines(seen.append)
    lines(REPORT % (25, 1_000_000))

    assert not lines(REPORT % (25, 1_000_000))
    assert seen == [25]


def test_sound_comes_on_without_frames():
    lines = ProgressLines(None)

    assert lines(b"out_time_us=1000\n")
    assert not lines(b"out_time_us=1000\n")
    assert lines(b"out_time_us=2000\n")


@given(cuts=st.lists(st.integers(0, 400), max_size=10))
def test_reports_may_come_in_pieces(cuts: list[int]):
    stream = b"".join(REPORT % (number, number * 40_000) for number in range(1, 5))
    ends = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    seen: list[int] = []
    lines = ProgressLines(seen.append)

    for start, end in pairwise(ends):
        lines(stream[start:end])

    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("data", [b"", b"frame=", b"frame=N/A\n", b"\xff\xfe=\n", b"frame=-1\n", b"x" * 100_000])
def test_odd_lines_are_harmless(data: bytes):
    seen: list[int] = []

    ProgressLines(seen.append)(data)

    assert seen == []


def test_more_work_may_take_longer_but_not_hang_longer():
    short, long = limits_for(a_plan(), 1.0), limits_for(a_plan(), 100.0)

    assert PATIENCE_S < short.timeout_s < long.timeout_s
    assert short.stall_s == long.stall_s == PATIENCE_S


def test_larger_pictures_may_use_more_memory():
    plain = a_plan()
    larger = a_plan(source=a_source(video=a_video(width_px=7680, height_px=4320)))
    hdr = a_plan(source=a_source(video=a_video(color=Color(transfer="smpte2084"))))
    sound = a_plan(source=a_source(video=None, audio=(a_sound(end_s=Fraction(6)),)))

    sizes = [limits_for(plan, 1.0).memory_bytes for plan in (sound, plain, hdr, larger)]
    assert sizes == sorted(set(sizes))


def test_names_of_tasks_sort_in_presentation_order():
    names = [task_name(a_chunk(index=index)) for index in (0, 9, 10, 99_999)]

    assert names[0] == "chunk_00000"
    assert names == sorted(names)
