"""The profile: the default is sound and documented, and each mistake is told with its place."""

import re
import tomllib
from dataclasses import fields
from importlib import resources

import pytest

from vod.errors import ConfigError
from vod.media.profile import PRESETS, Audio, Profile, Rung, Video, default_profile, parse_profile

DEFAULT_TEXT = resources.files("vod.media").joinpath("default_profile.toml").read_text()

SOUND = """\
name = "mine"
segment_s = 6.0

[video]
preset = "veryfast"
gop_s = 2.0

[[rungs]]
name = "720p"
width_px = 1280
height_px = 720
crf = 23
max_bitrate_bps = 3_500_000

[[rungs]]
name = "360p"
width_px = 640
height_px = 360
crf = 23
max_bitrate_bps = 900_000
"""


def told(text: str) -> str:
    """The message of the error that this profile gives."""
    with pytest.raises(ConfigError) as caught:
        parse_profile(text, "my.toml")
    return str(caught.value)


def with_change(old: str, new: str) -> str:
    assert SOUND.count(old) >= 1
    return SOUND.replace(old, new, 1)


def test_the_default_is_sound():
    profile = default_profile()

    assert profile.name == "default"
    assert profile.problems() == []
    assert [rung.name for rung in profile.rungs] == ["2160p", "1440p", "1080p", "720p", "480p", "360p", "240p"]


def test_the_default_says_in_its_file_what_the_fields_would_say():
    """Both are read: one by people, one by the code. They must not drift apart."""
    said, profile = tomllib.loads(DEFAULT_TEXT), default_profile()

    assert said["segment_s"] == Profile(name="bare", rungs=profile.rungs).segment_s
    assert said["chunk_work_s"] == Profile(name="bare", rungs=profile.rungs).chunk_work_s
    assert Video(**said["video"]) == Video()
    assert Audio(**said["audio"]) == Audio()


@pytest.mark.parametrize("kind", [Profile, Video, Audio, Rung])
def test_every_key_stands_in_the_default_profile(kind: type):
    """Set there, or, where leaving it out is usual, explained in a comment."""
    for field in fields(kind):
        if field.name in ("video", "audio", "rungs"):
            assert f"[{field.name}]" in DEFAULT_TEXT
        else:
            assert re.search(rf"\b{field.name}\b", DEFAULT_TEXT), field.name


def test_every_rung_key_is_explained_or_says_it_itself():
    """`name`, `width_px` and `height_px` need no words; what they mean together does."""
    (comment,) = re.findall(r"(?:^# .*\n)+(?=\n\[\[rungs\]\])", DEFAULT_TEXT, re.MULTILINE)[:1]

    assert "box" in comment
    for name in {field.name for field in fields(Rung)} - {"name", "width_px", "height_px"}:
        assert name in comment


def test_a_bare_profile_takes_the_defaults():
    profile = parse_profile(SOUND, "my.toml")

    assert (profile.chunk_work_s, profile.audio, profile.video) == (20.0, Audio(), Video())
    assert profile.rungs[0] == Rung(
        name="720p", width_px=1280, height_px=720, crf=23.0, max_bitrate_bps=3_500_000, buffer_s=2.0
    )


def test_whole_numbers_and_fractions_are_the_same_profile():
    """`crf = 23` and `crf = 23.0` have to give the same edition."""
    assert repr(parse_profile(with_change("crf = 23", "crf = 23.0"), "a")) == repr(parse_profile(SOUND, "b"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "segment_s = 6.0",
            "segment = 6.0",
            "my.toml: unknown segment. The default profile documents every key: `vod profile` prints it.",
            id="unknown key",
        ),
        pytest.param(
            "gop_s = 2.0",
            "gops = 2.0",
            "my.toml: unknown video.gops. The default profile documents every key: `vod profile` prints it.",
            id="unknown key in a table",
        ),
        pytest.param(
            'name = "360p"',
            'name = "360p"\nbitrate = 1',
            "my.toml: unknown rungs[1].bitrate. The default profile documents every key: `vod profile` prints it.",
            id="unknown key in a rung",
        ),
        pytest.param('name = "mine"', "", "my.toml: Object missing required field `name`.", id="missing key"),
        pytest.param(
            "width_px = 1280\n",
            "",
            "my.toml: rungs[0]: Object missing required field `width_px`.",
            id="missing key in a rung",
        ),
        pytest.param(
            "width_px = 640", "width_px = 15", "my.toml: rungs[1].width_px: Expected `int` >= 16.", id="too small"
        ),
        pytest.param("crf = 23", "crf = 52", "my.toml: rungs[0].crf: Expected `float` <= 51.0.", id="too large"),
        pytest.param("crf = 23", "crf = nan", "my.toml: rungs[0].crf: Expected `float` >= 0.0.", id="not a number"),
        pytest.param("gop_s = 2.0", "gop_s = inf", "my.toml: video.gop_s: Expected `float` <= 10.0.", id="infinite"),
        pytest.param(
            "width_px = 1280", 'width_px = "wide"', "my.toml: rungs[0].width_px: Expected `int`, got `str`.", id="kind"
        ),
        pytest.param(
            "width_px = 1280", "width_px = true", "my.toml: rungs[0].width_px: Expected `int`, got `bool`.", id="truth"
        ),
        pytest.param(
            'name = "720p"',
            'name = "../720p"',
            "my.toml: rungs[0].name: Expected `str` matching regex '^[a-z0-9][a-z0-9_-]{0,31}$'.",
            id="a name that leaves its folder",
        ),
        pytest.param(
            "gop_s = 2.0",
            "gop_s = 4.0",
            "my.toml: segment_s is 6, not a whole number of video.gop_s (4).",
            id="half a GOP in a segment",
        ),
        pytest.param('name = "360p"', 'name = "720p"', "my.toml: two rungs are called '720p'.", id="double names"),
        pytest.param(
            "width_px = 640\nheight_px = 360",
            "width_px = 1280\nheight_px = 720",
            "my.toml: rungs '720p' and '360p' have the same size.",
            id="double sizes",
        ),
        pytest.param(
            "width_px = 640\nheight_px = 360",
            "width_px = 360\nheight_px = 640",
            "my.toml: rung '360p': width_px 360 is less than height_px 640; the box is written lying "
            "(portrait video turns it).",
            id="standing box",
        ),
        pytest.param(
            'preset = "veryfast"',
            'preset = "placebo"',
            f"my.toml: video.preset is 'placebo'; use one of {', '.join(PRESETS)}.",
            id="preset",
        ),
        pytest.param(
            "[video]",
            "[audio]\nsample_rate_hz = 22_050\n[video]",
            "my.toml: audio.sample_rate_hz is 22050; use 44100 or 48000.",
            id="sample rate",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, message: str):
    assert told(with_change(old, new)) == message


@pytest.mark.parametrize("text", ['name = "mine', 'name = "a"\nname = "b"', "[video]\n[video]", "{}", "\x00"])
def test_what_is_not_toml_is_told_with_its_place(text: str):
    assert re.fullmatch(r"my\.toml is not TOML: .*\(at .*\)\.", told(text), re.DOTALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"', "my.toml: Object missing required field `rungs`."),
        ('name = "x"\nrungs = []', "my.toml: rungs: Expected `array` of length >= 1."),
        ('name = "x"\nrungs = 3', "my.toml: rungs: Expected `array`, got `int`."),
        ('name = "x"\nvideo = 3\nrungs = [{}]', "my.toml: video: Expected `object`, got `int`."),
        ('name = "x"\nrungs = [1]', "my.toml: rungs[0]: Expected `object`, got `int`."),
    ],
)
def test_a_wrong_shape_is_told_with_its_place(text: str, message: str):
    assert told(text) == message


def test_all_problems_are_told_at_once():
    text = with_change("gop_s = 2.0", "gop_s = 4.0").replace("360p", "720p").replace('"veryfast"', '"fastest"')

    message = told(text)

    assert "segment_s" in message
    assert "'720p'" in message
    assert "'fastest'" in message
