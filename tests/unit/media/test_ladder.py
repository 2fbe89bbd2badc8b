"""Which qualities a source gets: known sizes as a table, the promises as properties."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_profile, a_rung
from vod.media.ladder import SMALLEST_SIDE_PX, Decision, Rendition, build_ladder, output_frame_rate
from vod.media.profile import Profile, default_profile

DEFAULT = default_profile()
sides_px = st.integers(SMALLEST_SIDE_PX, 8192)


@st.composite
def rungs_lying(draw: st.DrawFn, name: str = "new") -> object:
    """A rung of a 16:9 box."""
    width_px = draw(st.integers(64, 4000))
    return a_rung(name, width_px, max(16, round(width_px * 9 / 16)))


def ladder(width_px: int, height_px: int, profile: Profile = DEFAULT, rate: Fraction | int = 30) -> list[Rendition]:
    return list(build_ladder(width_px, height_px, Fraction(rate), profile)[0])


def sizes(width_px: int, height_px: int, profile: Profile = DEFAULT) -> list[tuple[str, int, int]]:
    return [(found.name, found.width_px, found.height_px) for found in ladder(width_px, height_px, profile)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("1920x1080", "1080p 1920x1080, 720p 1280x720, 480p 854x480, 360p 640x360, 240p 426x240", id="hd"),
        pytest.param(
            "1080x1920", "1080p 1080x1920, 720p 720x1280, 480p 480x854, 360p 360x640, 240p 240x426", id="portrait"
        ),
        pytest.param("1440x1080", "1080p 1440x1080, 720p 960x720, 480p 640x480, 360p 480x360, 240p 320x240", id="4:3"),
        pytest.param("640x480", "480p 640x480, 360p 480x360, 240p 320x240", id="vga"),
        pytest.param("768x576", "720p 768x576, 480p 640x480, 360p 480x360, 240p 320x240", id="pal"),
        pytest.param("1920x804", "1080p 1920x804, 720p 1280x536, 480p 854x358, 360p 640x268, 240p 426x178", id="21:9"),
        pytest.param("1600x900", "1080p 1600x900, 720p 1280x720, 480p 854x480, 360p 640x360, 240p 426x240", id="1600"),
        pytest.param("1300x720", "720p 1280x708, 480p 854x472, 360p 640x354, 240p 426x236", id="hardly larger"),
        pytest.param(
            "3840x1080",
            "2160p 3840x1080, 1440p 2560x720, 1080p 1920x540, 720p 1280x360, 480p 854x240, 360p 640x180, 240p 426x120",
            id="two screens",
        ),
        pytest.param(
            "1080x1080", "1080p 1080x1080, 720p 720x720, 480p 480x480, 360p 360x360, 240p 240x240", id="square"
        ),
        pytest.param(
            "7680x4320",
            "2160p 3840x2160, 1440p 2560x1440, 1080p 1920x1080, 720p 1280x720, 480p 854x480, 360p 640x360, "
            "240p 426x240",
            id="8K",
        ),
        pytest.param("426x240", "240p 426x240", id="smallest rung"),
        pytest.param("320x180", "240p 320x180", id="below the smallest rung"),
        pytest.param("16x16", "240p 16x16", id="smallest picture"),
    ],
)
def test_well_known_sizes(source: str, expected: str):
    width_px, height_px = map(int, source.split("x"))

    assert ", ".join(f"{name} {width}x{height}" for name, width, height in sizes(width_px, height_px)) == expected


def test_every_rung_gets_a_decision_with_its_reason():
    _, decisions = build_ladder(1300, 720, Fraction(30), DEFAULT)

    assert decisions == (
        Decision(rung="2160p", taken=False, reason="the source is smaller (1300x720), never upscaled"),
        Decision(rung="1440p", taken=False, reason="the source is smaller (1300x720), never upscaled"),
        Decision(rung="1080p", taken=False, reason="the source (1300x720) is hardly larger than 720p"),
        Decision(rung="720p", taken=True, reason="scaled to 1280x708"),
        Decision(rung="480p", taken=True, reason="scaled to 854x472"),
        Decision(rung="360p", taken=True, reason="scaled to 640x354"),
        Decision(rung="240p", taken=True, reason="scaled to 426x236"),
    )


def test_the_source_itself_is_the_largest_rendition():
    _, decisions = build_ladder(1600, 900, Fraction(30), DEFAULT)

    assert decisions[2] == Decision(rung="1080p", taken=True, reason="the source's own size")


def test_a_rung_that_would_repeat_the_one_before_is_left():
    """Two boxes that differ only where a wide film has no picture."""
    profile = a_profile(rungs=(a_rung("tall", 640, 480), a_rung("flat", 640, 360)))

    renditions, decisions = build_ladder(1920, 804, Fraction(30), profile)

    assert [found.name for found in renditions] == ["tall"]
    assert decisions[1] == Decision(rung="flat", taken=False, reason="the same size as tall")


def test_a_shape_too_long_keeps_no_rung():
    renditions, decisions = build_ladder(16, 8192, Fraction(30), DEFAULT)

    assert renditions == ()
    assert decisions[0] == Decision(rung="2160p", taken=False, reason="only 8x3840 would be left of so long a shape")


def test_rungs_may_stand_in_any_order():
    assert sizes(1920, 1080, replace(DEFAULT, rungs=DEFAULT.rungs[::-1])) == sizes(1920, 1080)


@pytest.mark.parametrize(
    ("rate", "cap_bps"), [("24", 4_000_000), ("30", 4_000_000), ("50", 6_000_000), ("60", 6_000_000)]
)
def test_caps_grow_above_thirty_frames_a_second(rate: str, cap_bps: int):
    profile = a_profile(rungs=(a_rung("one", 1280, 720, max_bitrate_bps=4_000_000, buffer_s=1.5),))

    (found,) = ladder(1280, 720, profile, Fraction(rate))

    assert (found.max_bitrate_bps, found.buffer_bits) == (cap_bps, cap_bps * 3 // 2)


def test_caps_follow_the_box_not_the_shape():
    """A wide film may spend what its rung allows."""
    assert [found.max_bitrate_bps for found in ladder(1920, 804)] == [
        found.max_bitrate_bps for found in ladder(1920, 1080)
    ]


@given(width_px=sides_px, height_px=sides_px)
def test_sizes_are_even_and_never_upscaled(width_px: int, height_px: int):
    """An odd side may grow by the pixel that makes it even."""
    for found in ladder(width_px, height_px):
        assert found.width_px % 2 == found.height_px % 2 == 0
        assert 2 <= found.width_px <= width_px + width_px % 2
        assert 2 <= found.height_px <= height_px + height_px % 2


def test_an_odd_source_is_not_upscaled():
    assert sizes(1279, 719)[0] == ("720p", 1278, 718)


@given(width_px=sides_px, height_px=sides_px)
def test_renditions_get_smaller(width_px: int, height_px: int):
    found = [(rendition.width_px, rendition.height_px) for rendition in ladder(width_px, height_px)]

    assert all(a[0] >= b[0] and a[1] >= b[1] and a != b for a, b in pairwise(found))


def test_renditions_get_smaller_whatever_the_shape_of_the_boxes():
    """The larger box holds the smaller picture of a wide film; the cascade would have to upscale."""
    profile = a_profile(rungs=(a_rung("sd", 720, 576), a_rung("wide", 768, 432)))

    assert sizes(1920, 1080, profile) == [("wide", 768, 432), ("sd", 720, 404)]


@given(
    width_px=sides_px,
    height_px=sides_px,
    boxes=st.lists(st.tuples(st.integers(8, 2000), st.integers(8, 2000)), min_size=1, max_size=5, unique=True),
)
def test_any_boxes_give_a_falling_ladder(width_px: int, height_px: int, boxes: list[tuple[int, int]]):
    """Whatever their shapes: no rendition is larger than the one it is scaled from, and none is there twice."""
    rungs = [a_rung(f"r{n}", 2 * max(box), 2 * min(box)) for n, box in enumerate(boxes)]
    found = [(one.width_px, one.height_px) for one in ladder(width_px, height_px, a_profile(rungs=tuple(rungs)))]

    assert all(a[0] >= b[0] and a[1] >= b[1] and a != b for a, b in pairwise([(8193, 8193), *found]))
    if not found:
        longest, shortest = max(width_px, height_px), min(width_px, height_px)
        best = max(min(Fraction(rung.width_px, longest), Fraction(rung.height_px, shortest)) for rung in rungs)
        assert best < 1
        assert best * shortest < SMALLEST_SIDE_PX


@given(width_px=sides_px, height_px=sides_px)
def test_aspect_is_kept_but_for_rounding(width_px: int, height_px: int):
    """Each side is rounded by one pixel at most; along the short side that is two."""
    for found in ladder(width_px, height_px):
        if width_px >= height_px:
            wanted_px, short_px = Fraction(found.width_px * height_px, width_px), found.height_px
        else:
            wanted_px, short_px = Fraction(found.height_px * width_px, height_px), found.width_px
        assert abs(short_px - wanted_px) <= 2


@given(width_px=sides_px, height_px=sides_px)
def test_portrait_mirrors_landscape(width_px: int, height_px: int):
    assert sizes(height_px, width_px) == [(name, height, width) for name, width, height in sizes(width_px, height_px)]


@given(width_px=sides_px, height_px=sides_px)
def test_only_an_absurd_shape_has_no_rendition(width_px: int, height_px: int):
    """None is left only where every rung would keep less than SMALLEST_SIDE_PX of the short side."""
    if not ladder(width_px, height_px):
        longest, shortest = max(width_px, height_px), min(width_px, height_px)
        assert longest > DEFAULT.rungs[0].width_px, "the source fits in a rung, so it is a rendition itself"
        assert DEFAULT.rungs[0].width_px * shortest < SMALLEST_SIDE_PX * longest


@given(width_px=sides_px, height_px=sides_px, rung=rungs_lying())
def test_a_new_rung_adds_at_most_its_own_rendition(width_px: int, height_px: int, rung: object):
    """No other changes. One may make way: the source's own size, or the same size under another name."""
    before = {found.name: found for found in ladder(width_px, height_px)}
    after = {found.name: found for found in ladder(width_px, height_px, replace(DEFAULT, rungs=(*DEFAULT.rungs, rung)))}
    gone = [before[name] for name in before if name not in after]

    assert set(after) - set(before) <= {"new"}
    assert all(after[name] == before[name] for name in after if name != "new")
    assert len(gone) <= 1
    if gone:
        own_px = (width_px + width_px % 2, height_px + height_px % 2)
        assert "new" in after
        assert own_px[0] - gone[0].width_px <= 2 or gone[0].width_px == after["new"].width_px


@given(width_px=sides_px, height_px=sides_px)
def test_every_rung_is_decided_once(width_px: int, height_px: int):
    renditions, decisions = build_ladder(width_px, height_px, Fraction(30), DEFAULT)

    assert [decision.rung for decision in decisions] == [rung.name for rung in DEFAULT.rungs]
    assert [decision.rung for decision in decisions if decision.taken] == [found.name for found in renditions]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("24000/1001", "24000/1001"),
        ("25", "25"),
        ("59.94", "59.94"),
        ("60", "60"),
        ("120", "60"),
        ("120000/1001", "60000/1001"),
        ("100", "50"),
        ("144", "36"),
        ("240", "60"),
        ("1", "1"),
        ("1/2", "1"),
        ("0.1", "1.6"),
    ],
)
def test_output_frame_rate(source: str, expected: str):
    """Halved while above the limit, doubled while below one."""
    assert output_frame_rate(Fraction(source), 60) == Fraction(expected)


@given(rate=st.fractions(min_value=Fraction(1, 1000), max_value=1000), limit=st.integers(10, 120))
def test_output_frame_rate_is_the_source_times_a_power_of_two(rate: Fraction, limit: int):
    found = output_frame_rate(rate, limit)
    factor = max(found / rate, rate / found)

    assert 1 <= found <= limit
    assert factor.denominator == 1
    assert factor.numerator.bit_count() == 1
