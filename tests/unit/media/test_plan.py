"""The plan of an edition: what is decided of picture and sound, its name, and its way through JSON."""

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_chunk, a_plan, a_profile, a_rung, a_sound, a_source, a_video
from vod.errors import InputError
from vod.media.plan import MAX_FRAMES, Plan, VideoPlan, dump_json, load_plan, make_plan
from vod.media.profile import Profile
from vod.media.source import Color, Gap, Seeking, Source, VideoTrack

RATES = ("24000/1001", "25", "30000/1001", "60000/1001", "12.5", "120", "0.1", "1213020000/40499887")


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """Anything that a probe may say of a file worth encoding."""
    times_s = st.fractions(-10, 100, max_denominator=90_000)
    video: VideoTrack | None = None
    if draw(st.booleans()):
        video = a_video(
            width_px=draw(st.integers(64, 4096)),
            height_px=draw(st.integers(64, 4096)),
            frame_rate=Fraction(draw(st.sampled_from(RATES))),
            frame_count=draw(st.integers(1, 5000)),
            time_base=Fraction(1, draw(st.sampled_from((1000, 90_000, 15_360)))),
            start_ticks=draw(st.integers(-1000, 100_000)),
            sample_aspect=draw(st.fractions(Fraction(1, 2), 2)),
            rotation_deg=draw(st.sampled_from((0, 90, 180, 270))),
            color=Color(transfer=draw(st.sampled_from(("", "bt709", "smpte2084"))), full_range=draw(st.booleans())),
            gaps=tuple(Gap(start_s=at, duration_s=Fraction(1)) for at in draw(st.lists(times_s, max_size=2))),
        )
    sounds = []
    for number in range(draw(st.integers(0 if video else 1, 3))):
        start_s = draw(times_s)
        title = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=10))
        end_s = start_s + draw(st.fractions(Fraction(1, 10), 100, max_denominator=48_000))
        sounds.append(a_sound(stream_index=number + 1, title=title, start_s=start_s, end_s=end_s))
    return a_source(
        name=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
        seeking=draw(st.sampled_from(Seeking)),
        video=video,
        audio=tuple(sounds),
        notes=tuple(draw(st.lists(st.text(max_size=5).filter(str.isprintable), max_size=2))),
    )


def video_of(plan: Plan) -> VideoPlan:
    assert plan.video
    return plan.video


def edition(*, source: Source | None = None, profile: Profile | None = None, engine: str = "ffmpeg 9") -> str:
    return make_plan(source or a_source(), profile or a_profile(), engine=engine).edition


# -- picture ----------------------------------------------------------------------------------------


def test_a_picture_is_planned_frame_by_frame():
    plan = a_plan(source=a_source(video=a_video(frame_rate=25, frame_count=1501)))
    video = video_of(plan)

    assert (video.frame_rate, video.frame_count, video.gop_frames) == (25, 1501, 50)
    assert (video.lead_frames, video.hold_frames) == (0, 0)
    assert video.segment_borders == (0, 25, 150, 300, 450, 600, 750, 900, 1050, 1200, 1350, 1500)
    assert [video.segment_frame_count(number) for number in (0, 1, 2, 11)] == [25, 125, 150, 1]
    assert (plan.zero_s, plan.duration_s, plan.segment_s) == (0, Fraction(1501, 25), 6)
    assert [rendition.name for rendition in video.renditions] == ["720p", "360p"]


@pytest.mark.parametrize(
    ("rate", "timescale", "frame_ticks"),
    [
        ("24000/1001", 24_000, 1001),
        ("25", 25_000, 1000),
        ("30000/1001", 30_000, 1001),
        ("60000/1001", 60_000, 1001),
        ("12.5", 25_000, 2000),
        ("1.6", 8000, 5000),
        ("60", 60_000, 1000),
    ],
)
def test_a_frame_is_a_whole_number_of_ticks(rate: str, timescale: int, frame_ticks: int):
    video = video_of(a_plan(source=a_source(video=a_video(frame_rate=Fraction(rate), frame_count=100))))

    assert (video.timescale, video.frame_ticks) == (timescale, frame_ticks)
    assert Fraction(video.timescale, video.frame_ticks) == video.frame_rate


@pytest.mark.parametrize(
    ("start_s", "segment_counts", "forced"),
    [
        pytest.param(1.0, (12,), [(25, 150)], id="one chunk: where the first segment ends, and where the grid goes on"),
        pytest.param(1.0, (1, 1, 10), [(), (), ()], id="a chunk starts with a keyframe anyway"),
        pytest.param(1.0, (1, 11), [(), (125,)], id="counted from the start of the chunk"),
        pytest.param(1.0, (2, 10), [(25,), ()], id="in the first chunk only"),
        pytest.param(2.0, (12,), [()], id="a first segment of one GOP"),
        pytest.param(6.0, (11,), [()], id="no short first segment"),
    ],
)
def test_keyframes_are_forced_where_the_gop_would_miss_a_border(
    start_s: float, segment_counts: tuple[int, ...], forced: list[tuple[int, ...]]
):
    video = video_of(a_plan(source=a_source(video=a_video(frame_count=1501)), profile=a_profile(start_s=start_s)))
    borders, first, found = video.segment_borders, 0, []
    for count in segment_counts:
        found.append(
            video.forced_keyframes(a_chunk(first_segment=first, segment_count=count, start_frame=borders[first]))
        )
        first += count

    assert first == len(borders)
    assert found == forced


@given(
    rate=st.sampled_from(RATES),
    frame_count=st.integers(1, 20_000),
    gop_s=st.sampled_from((0.5, 1.0, 2.0, 3.0)),
    start_s=st.floats(0.2, 6.0),
    chunk_work_s=st.floats(1, 100),
)
def test_every_segment_starts_with_a_keyframe(
    rate: str, frame_count: int, gop_s: float, start_s: float, chunk_work_s: float
):
    """Keyframes as x264 sets them: at a chunk's start, where forced, and a GOP after the last one."""
    profile = a_profile(start_s=start_s, chunk_work_s=chunk_work_s, video=replace(a_profile().video, gop_s=gop_s))
    source = a_source(video=a_video(frame_rate=Fraction(rate), frame_count=frame_count))
    video = video_of(a_plan(source=source, profile=profile))
    keyframes: set[int] = set()
    for chunk in video.chunks:
        last, forced = 0, {0, *video.forced_keyframes(chunk)}
        for frame in range(chunk.frame_count):
            if frame in forced or frame - last == video.gop_frames:
                keyframes.add(chunk.start_frame + frame)
                last = frame

    assert set(video.segment_borders) <= keyframes


def test_frames_above_the_limit_are_halved():
    video = video_of(a_plan(source=a_source(video=a_video(frame_rate=120, frame_count=1200))))

    assert (video.frame_rate, video.frame_count, video.gop_frames) == (60, 600, 120)


def test_the_grid_starts_at_the_first_picture():
    """Wherever the container's clock stands then."""
    plan = a_plan(source=a_source(video=a_video(time_base=Fraction(1, 90_000), start_ticks=126_000)))

    assert plan.zero_s == Fraction(7, 5)
    assert plan.duration_s == 60


def test_a_source_of_one_frame_is_one_frame_long():
    plan = a_plan(source=a_source(video=a_video(frame_count=1, end_s=Fraction(0))))

    assert plan.duration_s == Fraction(1, 25)


# -- picture and sound -------------------------------------------------------------------------------


def test_sound_that_starts_earlier_holds_the_first_picture():
    plan = a_plan(source=a_source(audio=(a_sound(start_s=Fraction(-1, 2)), a_sound(start_s=Fraction(-1)))))
    video = video_of(plan)

    assert (video.lead_frames, video.frame_count) == (25, 1525)
    assert plan.zero_s == -1
    assert plan.duration_s == 61


def test_sound_that_starts_later_moves_nothing():
    plan = a_plan(source=a_source(audio=(a_sound(start_s=Fraction(3)),)))

    assert (video_of(plan).lead_frames, plan.zero_s) == (0, 0)


def test_zero_lies_on_the_grid_of_the_picture():
    """Sound 0.03 s earlier moves it by one whole frame of 0.04 s."""
    plan = a_plan(source=a_source(audio=(a_sound(start_s=Fraction(-3, 100)),)))

    assert (video_of(plan).lead_frames, plan.zero_s) == (1, Fraction(-1, 25))


@pytest.mark.parametrize(
    ("sound_end", "hold_frames"),
    [("59", 0), ("60", 0), ("60.49", 0), ("60.5", 13), ("62", 50), ("62.001", 51)],
)
def test_sound_that_ends_later_holds_the_last_picture(sound_end: str, hold_frames: int):
    """From half a second on; less is cut with the picture."""
    video = video_of(a_plan(source=a_source(audio=(a_sound(end_s=Fraction(sound_end)),))))

    assert (video.hold_frames, video.frame_count) == (hold_frames, 1500 + hold_frames)


def test_sound_is_named_and_rated_by_its_channels():
    sounds = (a_sound(channels=6), a_sound(stream_index=2, channels=1, language="und", title="Kommentar"))
    stereo, mono = a_plan(source=a_source(audio=sounds)).audio

    assert (stereo.name, stereo.channels, stereo.bitrate_bps, stereo.stream_index) == ("0-en", 2, 128_000, 1)
    assert (mono.name, mono.channels, mono.bitrate_bps, mono.title) == ("1-und", 1, 64_000, "Kommentar")


def test_sound_alone_is_as_long_as_its_longest_track():
    sounds = (a_sound(start_s=Fraction(1), end_s=Fraction(10)), a_sound(start_s=Fraction(2), end_s=Fraction(20)))
    plan = a_plan(source=a_source(video=None, audio=sounds))

    assert (plan.video, plan.decisions) == (None, ())
    assert (plan.zero_s, plan.duration_s) == (1, 19)
    assert plan.predicted_cpu_s > 0


# -- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("video", "code", "remedy"),
    [
        (None, "no_media", "Upload a video or an audio file."),
        (a_video(width_px=14, height_px=720), "too_small", "Upload a picture of at least 16 pixels on each side."),
        (a_video(width_px=16, height_px=8000), "odd_shape", "Crop it, or use a profile with a rung of that shape."),
        (a_video(frame_count=MAX_FRAMES + 1), "too_long", f"Split it: the limit is {MAX_FRAMES} frames."),
    ],
)
def test_what_cannot_be_encoded_is_refused(video: VideoTrack | None, code: str, remedy: str):
    with pytest.raises(InputError) as caught:
        a_plan(source=a_source(name="holiday.mp4", video=video))

    assert (caught.value.code, caught.value.remedy) == (code, remedy)
    assert caught.value.sentence.startswith("holiday.mp4 ")


# -- edition -----------------------------------------------------------------------------------------


def test_an_edition_is_sixteen_hex_digits():
    assert len(edition()) == 16
    assert int(edition(), 16) >= 0


def test_the_name_of_a_file_does_not_change_its_edition():
    assert edition(source=a_source(name="other.mp4")) == edition()


def test_other_packets_are_another_edition():
    assert edition(source=a_source(fingerprint="0ther")) != edition()


def test_another_engine_is_another_edition():
    assert edition(engine="ffmpeg 10") != edition()


def profile_changes() -> list[Any]:
    """Every value of a profile, changed on its own."""
    profile = a_profile()
    changed: dict[str, Profile] = {
        "name": replace(profile, name="other"),
        "segment_s": replace(profile, segment_s=4.0),
        "start_s": replace(profile, start_s=2.0),
        "chunk_work_s": replace(profile, chunk_work_s=21.0),
        "rungs": replace(profile, rungs=profile.rungs[:1]),
        "video.codec": replace(profile, video=replace(profile.video, codec="h265")),
        "video.preset": replace(profile, video=replace(profile.video, preset="slow")),
        "video.gop_s": replace(profile, video=replace(profile.video, gop_s=1.0)),
        "video.max_frame_rate": replace(profile, video=replace(profile.video, max_frame_rate=30)),
        "audio.codec": replace(profile, audio=replace(profile.audio, codec="opus")),
        "audio.bitrate_bps": replace(profile, audio=replace(profile.audio, bitrate_bps=96_000)),
        "audio.channels": replace(profile, audio=replace(profile.audio, channels=1)),
        "audio.sample_rate_hz": replace(profile, audio=replace(profile.audio, sample_rate_hz=44_100)),
        "rung.name": replace(profile, rungs=(a_rung("hd", 1280, 720), profile.rungs[1])),
    }
    for name, value in (
        ("width_px", 1282),
        ("height_px", 722),
        ("crf", 22.5),
        ("max_bitrate_bps", 3_400_000),
        ("buffer_s", 1.5),
    ):
        rungs = (replace(profile.rungs[0], **{name: value}), profile.rungs[1])
        changed[f"rung.{name}"] = replace(profile, rungs=rungs)
    return [pytest.param(value, id=name) for name, value in changed.items()]


@pytest.mark.parametrize("profile", profile_changes())
def test_any_value_of_the_profile_makes_another_edition(profile: Profile):
    assert edition(profile=profile) != edition()


def test_every_value_of_the_profile_is_in_that_list():
    """A field that is added to the profile has to be added above."""
    profile = a_profile()
    names = {field.name for field in fields(profile)} - {"video", "audio"}
    names |= {f"video.{field.name}" for field in fields(profile.video)}
    names |= {f"audio.{field.name}" for field in fields(profile.audio)}
    names |= {f"rung.{field.name}" for field in fields(profile.rungs[0])}

    assert {param.id for param in profile_changes()} == names


# -- JSON --------------------------------------------------------------------------------------------


@given(source=sources())
def test_a_plan_comes_back_from_json_as_it_was(source: Source):
    plan = a_plan(source=source)

    assert load_plan(dump_json(plan)) == plan


def test_the_same_plan_is_the_same_json():
    assert dump_json(a_plan()) == dump_json(load_plan(dump_json(a_plan())))


def test_fractions_are_written_exactly():
    assert dump_json({"rate": Fraction(30_000, 1001), "whole": Fraction(25)}) == b'{"rate":"30000/1001","whole":"25"}'


def test_what_has_no_place_in_json_is_refused():
    with pytest.raises(NotImplementedError, match="complex"):
        dump_json({"value": 1j})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"edition"', b'"editio"'),
        (b'"duration_s":"60"', b'"duration_s":"a minute"'),
        pytest.param(
            b'"duration_s":"60"',
            b'"duration_s":"60/0"',
        ),
        (b'"engine_version":1', b'"engine_version":"one"'),
    ],
)
def test_json_that_is_no_plan_is_refused(old: bytes, new: bytes):
    data = dump_json(a_plan())
    assert data.count(old) == 1

    with pytest.raises(msgspec.ValidationError):
        load_plan(data.replace(old, new))


def test_a_file_name_that_is_not_utf_8_can_be_planned():
    """Such a name reaches us by way of `os.fsdecode`, as on Linux: one surrogate for each odd byte."""
    plan = a_plan(source=a_source(name="caf\udce9.mp4"))

    assert load_plan(dump_json(plan)).edition == plan.edition
