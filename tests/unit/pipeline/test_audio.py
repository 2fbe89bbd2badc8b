"""Where sound is cut: at the first AAC frame at or after each border of the picture."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_plan, a_profile, a_sound, a_source, a_video
from vod.media.plan import Plan
from vod.media.profile import Audio
from vod.pipeline.audio import AAC_FRAME_SAMPLES, aac_frame_counts, task_name


def counts_of(plan: Plan) -> list[int]:
    return aac_frame_counts(plan, plan.audio[0])


def of_sound(duration_s: str) -> Plan:
    return a_plan(source=a_source(video=None, audio=(a_sound(end_s=Fraction(duration_s)),)))


def test_sound_follows_the_borders_of_the_picture():
    """1 s is 46.875 frames of 1024 samples at 48 kHz, 6 s are 281.25; the last count is more than there can be."""
    plan = a_plan(source=a_source(video=a_video(frame_count=200), audio=(a_sound(end_s=Fraction(8)),)))
    counts = counts_of(plan)

    assert plan.video
    assert plan.video.segment_borders == (0, 25, 150)
    assert counts[:2] == [47, 282 - 47]
    assert counts[2] >= 94


def test_sound_at_another_rate():
    profile = a_profile(audio=Audio(sample_rate_hz=44_100))

    assert counts_of(a_plan(source=a_source(audio=(a_sound(),)), profile=profile))[0] == 44


@pytest.mark.parametrize(
    ("duration_s", "segments"), [("0.01", 1), ("6", 1), ("8.9", 1), ("9.1", 2), ("12", 2), ("60", 10), ("61", 10)]
)
def test_sound_alone_is_cut_every_segment_length(duration_s: str, segments: int):
    """A short rest belongs to the segment before it."""
    assert len(counts_of(of_sound(duration_s))) == segments


@given(
    rate=st.sampled_from(("24000/1001", "25", "30000/1001", "60", "1.6")),
    frame_count=st.integers(1, 20_000),
    sample_rate_hz=st.sampled_from((44_100, 48_000)),
)
def test_every_segment_of_the_picture_has_its_sound(rate: str, frame_count: int, sample_rate_hz: int):
    """It ends less than one AAC frame after the picture's; and there is room for all that the encoder may add."""
    video = a_video(frame_rate=Fraction(rate), frame_count=frame_count)
    plan = a_plan(
        source=a_source(video=video, audio=(a_sound(end_s=video.end_s),)),
        profile=a_profile(audio=Audio(sample_rate_hz=sample_rate_hz)),
    )
    counts, aac_frame_s = counts_of(plan), Fraction(AAC_FRAME_SAMPLES, sample_rate_hz)
    assert plan.video

    assert len(counts) == len(plan.video.segment_borders)
    assert all(count > 0 for count in counts)
    for number, border in enumerate(plan.video.segment_borders[1:], start=1):
        late_s = sum(counts[:number]) * aac_frame_s - border / plan.video.frame_rate
        assert 0 <= late_s < aac_frame_s
    assert sum(counts) * aac_frame_s > plan.duration_s + 4 * aac_frame_s


def test_a_task_is_named_after_its_track():
    assert task_name(of_sound("6").audio[0]) == "audio_0-en"
