"""The cost model: right in its proportions; its numbers are measurements, and no test repeats them."""

from fractions import Fraction

import pytest

from builders import a_plan, a_rendition, a_sound, a_source, a_video
from vod.media.cost import ENCODE_NS_PER_PX, decode_cost_s, encode_cost_s
from vod.media.profile import PRESETS
from vod.media.source import Color, VideoTrack

TOP, LOW = a_rendition(), a_rendition(name="360p", width_px=640, height_px=360)


def cost(video: VideoTrack, *, preset: str = "veryfast", rate: int = 25) -> float:
    return encode_cost_s(video, [TOP, LOW], preset, Fraction(rate))


def test_every_preset_has_a_cost_and_slower_ones_a_higher_one():
    costs = [cost(a_video(), preset=preset) for preset in PRESETS]

    assert set(ENCODE_NS_PER_PX) == set(PRESETS)
    assert costs == sorted(costs)
    assert costs[0] > 0


def test_another_rendition_costs_more():
    assert cost(a_video()) > encode_cost_s(a_video(), [TOP], "veryfast", Fraction(25))


@pytest.mark.parametrize(
    "dearer",
    [
        a_video(width_px=1920, height_px=1080),
        a_video(color=Color(transfer="smpte2084")),
        a_video(codec="prores"),
        a_video(codec="something new"),
        a_video(frame_rate=50),
    ],
    ids=["larger", "HDR", "codec", "unknown codec", "half of the frames dropped"],
)
def test_what_costs_more_than_plain_video(dearer: VideoTrack):
    assert cost(dearer) > cost(a_video())


def test_repeating_frames_costs_no_less_than_decoding_each_once():
    assert cost(a_video(frame_rate=10), rate=20) == cost(a_video(frame_rate=20), rate=20)


def test_decoding_is_a_part_of_encoding():
    assert 0 < decode_cost_s(a_video()) < cost(a_video())


def test_a_plan_costs_what_its_frames_and_tracks_cost():
    plan = a_plan(source=a_source(audio=(a_sound(), a_sound(stream_index=2))))
    assert plan.video

    frames_s = plan.video.frame_count * plan.video.frame_cpu_s
    assert plan.predicted_cpu_s == pytest.approx(frames_s + 2 * plan.audio[0].cpu_s)
