"""The decisions inside the probe, which need no ffprobe: rates, gaps, languages, turns, and what is cut off."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vod.errors import FFmpegError, InputError
from vod.ffmpeg.probe import (
    MAX_TRACKS,
    STANDARD_RATES,
    _add_packet,
    _check_complete,
    _clock,
    _color,
    _decimal,
    _frame_rate,
    _gaps,
    _is_picture,
    _is_sound,
    _language,
    _notes,
    _Packets,
    _rate,
    _refusal,
    _rotation,
    _thinned,
)
from vod.media.source import Color, Gap

MS = Fraction(1, 1000)
MPEG = Fraction(1, 90_000)


def ticks(rate: str, count: int, time_base: Fraction, start: int = 0) -> list[int]:
    """Presentation times of a constant rate, as a container rounds them."""
    return [start + round(number / Fraction(rate) / time_base) for number in range(count)]


def frame_rate(pts: list[int], time_base: Fraction, **said: str) -> tuple[Fraction, bool]:
    return _frame_rate({f"{key}_frame_rate": value for key, value in said.items()}, pts, time_base)


# -- frame rate ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["24000/1001", "25", "30000/1001", "30", "50", "60000/1001", "12.5", "0.1", "7.4987"])
@pytest.mark.parametrize("time_base", [MS, MPEG, Fraction(1, 15_360), Fraction(1, 1_000_000_000)])
def test_a_constant_rate_is_found_without_a_header(rate: str, time_base: Fraction):
    """Also where the container counts in milliseconds, so no two frames are equally far apart."""
    found, constant = frame_rate(ticks(rate, 500, time_base, start=7777), time_base)

    assert constant
    assert abs(found - Fraction(rate)) < Fraction(rate) / 50_000
    assert found == Fraction(rate) or Fraction(rate) not in STANDARD_RATES


@pytest.mark.parametrize(
    ("pts", "time_base", "said", "expected"),
    [
        pytest.param(ticks("30", 50, MS), MS, {"r": "30/1", "avg": "30/1"}, "30", id="as said"),
        pytest.param(
            ticks("60000/1001", 500, MS),
            MS,
            {"r": "19001/317", "avg": "19001/317"},
            "60000/1001",
            id="guessed from milliseconds, as FFmpeg does of Matroska",
        ),
        pytest.param(ticks("25", 50, MPEG), MPEG, {"r": "50/1", "avg": "25/1"}, "25", id="fields are no frames"),
        pytest.param(ticks("25", 50, MPEG), MPEG, {"r": "90000/1", "avg": "0/0"}, "25", id="nonsense said"),
        pytest.param(ticks("24", 3, MPEG), MPEG, {}, "24", id="three frames"),
        pytest.param([0, 1, 2, 3], Fraction(1, 25), {}, "25", id="a tick is a frame"),
        pytest.param(ticks("30000/1001", 200, Fraction(1, 100)), Fraction(1, 100), {}, "30000/1001", id="coarse clock"),
        pytest.param([7], MPEG, {"r": "24/1", "avg": "2997/100"}, "30000/1001", id="one frame"),
        pytest.param([7], MPEG, {"r": "90000/1", "avg": "24/1"}, "24", id="one frame, average believed"),
        pytest.param([7], MPEG, {}, "25", id="one frame, nothing said"),
        pytest.param([7, 7], MPEG, {"avg": "0/0"}, "25", id="two frames at one time"),
    ],
)
def test_constant_rates(pts: list[int], time_base: Fraction, said: dict[str, str], expected: str):
    assert frame_rate(pts, time_base, **said) == (Fraction(expected), True)


def phone(rate: int, count: int) -> list[int]:
    """Frames of a phone in the dark: every tenth takes twice as long."""
    step, at, pts = 90_000 // rate, 0, []
    for number in range(count):
        pts.append(at)
        at += step * (2 if number % 10 == 9 else 1)
    return pts


@pytest.mark.parametrize(
    ("pts", "time_base", "expected"),
    [
        pytest.param(phone(30, 300), MPEG, "30", id="dropped frames"),
        pytest.param([at * 40 for at in (0, 1, 2, 25, 26, 27, 90)], MS, "25", id="screen recording"),
        pytest.param([0, 33, 67, 100, 133, 5000, 5033], MS, "30", id="milliseconds"),
        pytest.param([0, 100, 5000, 90_000], MS, "10", id="slides"),
        pytest.param([0, 2000, 9000, 30_000], MS, "1", id="slower than any camera"),
        pytest.param([0, 1, 2, 100_000], Fraction(1, 1_000_000), "240", id="faster than any camera"),
    ],
)
def test_a_variable_rate_becomes_a_standard_one_that_is_fast_enough(pts: list[int], time_base: Fraction, expected: str):
    assert frame_rate(pts, time_base, r="90000/1", avg="11/2") == (Fraction(expected), False)


@given(
    steps=st.lists(st.integers(0, 5000), min_size=1, max_size=50),
    start=st.integers(-(2**33), 2**33),
    time_base=st.sampled_from((MS, MPEG, Fraction(1, 1_000_000))),
    said=st.sampled_from(("0/0", "25/1", "30000/1001", "1000000/1", "N/A")),
)
def test_any_timestamps_have_a_rate(steps: list[int], start: int, time_base: Fraction, said: str):
    pts = [start]
    for step in steps:
        pts.append(pts[-1] + step)

    rate, _ = frame_rate(pts, time_base, r=said, avg=said)

    assert rate > 0


def test_a_clock_that_is_off_gives_a_rate_that_ffmpeg_can_hold():
    """An hour of a camera at 29.98: too near to 29.97 for a rate of its own, too far to be on its grid.

    FFmpeg's numerators, and the time scale made of this one, are 31 bits.
    """
    rate, constant = frame_rate(ticks("29.98", 100_000, MPEG), MPEG)

    assert constant
    assert rate.numerator < 2**31


# -- packets, gaps, keyframes --------------------------------------------------------------------------


def packets(*lines: str) -> _Packets:
    tables = {0: _Packets()}
    for line in lines:
        _add_packet(tables, line.encode())
    return tables[0]


def test_packets_are_read_by_presentation_time():
    """B-frames come in decoding order; only the packet shown last says when the picture ends."""
    found = packets("0,0,-512,512,100,K__", "0,1024,0,512,100,___", "0,512,512,512,100,___")

    assert (found.pts, found.keys, found.count) == ([0, 1024, 512], [0], 3)
    assert (found.last, found.end) == (1024, 1536)


@pytest.mark.parametrize(
    "line",
    ["", "garbage", "x,0,0,512,100,K__", "9,0,0,512,100,K__", "0,0,0,512,100,KD_", "0,0,0"],
)
def test_what_is_no_packet_of_ours_is_left_aside(line: str):
    """Other streams, lines of another kind, and what is decoded but not shown."""
    assert packets(line).count == 0


def test_a_packet_without_times_still_counts():
    found = packets("0,N/A,N/A,N/A,100,K__", "0,N/A,512,N/A,100,___")

    assert (found.count, found.pts, found.keys) == (2, [512], [])


@pytest.mark.parametrize(
    ("pts", "end", "expected"),
    [
        pytest.param([0, 40, 80], 120, [], id="none"),
        pytest.param([0, 500, 540], 580, [], id="half a second is covered by the pre-roll"),
        pytest.param([0, 501, 541], 580, [(0, 501)], id="longer"),
        pytest.param([0, 40, 3040], 9000, [(40, 3000), (3040, 5960)], id="also the last picture"),
        pytest.param([700], 740, [], id="one frame"),
        pytest.param([700], 5700, [(700, 5000)], id="one long frame"),
    ],
)
def test_gaps(pts: list[int], end: int, expected: list[tuple[int, int]]):
    assert _gaps(pts, end, MS) == tuple(Gap(start_s=at * MS, duration_s=long * MS) for at, long in expected)


def test_keyframes_are_thinned_to_one_a_second():
    assert _thinned([0, 500, 999, 1000, 1500, 2400, 3399], MS) == tuple(map(Fraction, ("0", "1", "2.4")))


def test_the_first_keyframe_is_kept_wherever_it_is():
    assert _thinned([-300], MS) == (Fraction(-3, 10),)


# -- tags ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("", "und"), ("und", "und"), ("eng", "en"), ("ENG", "en"), ("en_US", "en-US"), ("ger", "de"), ("deu", "de"),
        ("zho", "zh"), ("zh-Hant-TW", "zh-Hant-TW"), ("gsw", "gsw"), ("mul", "mul"), ("qaa", "qaa"),
        ("English", "und"), ("e", "und"), ("!!", "und"), ("日本語", "und"), ('en"', "und"), ("en\nfr", "und"),
        ("en/../../etc", "und"), ("en-x-a-private-very-long-tag", "und"),
    ],
)  # fmt: skip
def test_languages(tag: str, expected: str):
    assert _language(tag) == expected


@given(tag=st.text(max_size=20))
def test_any_language_is_safe_in_a_folder_name_and_a_playlist(tag: str):
    language = _language(tag)

    assert language.isascii()
    assert language.replace("-", "").isalnum()
    assert len(language) <= 16


@pytest.mark.parametrize(
    ("counter_clockwise", "clockwise"),
    [(-90, 90), (90, 270), (180, 180), (-180, 180), (270, 90), (0, 0), (-89, 90), (44, 0), ("-90", 90), ("90.0", 270)],
)
def test_rotation(counter_clockwise: int | str, clockwise: int):
    assert _rotation({"side_data_list": [{"side_data_type": "x"}, {"rotation": counter_clockwise}]}) == clockwise


@pytest.mark.parametrize("stream", [{}, {"side_data_list": []}, {"side_data_list": [{"side_data_type": "x"}]}])
def test_no_rotation(stream: dict[str, Any]):
    assert _rotation(stream) == 0


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ({}, Color()),
        (
            {"color_primaries": "bt709", "color_transfer": "bt709", "color_space": "bt709", "color_range": "tv"},
            Color(primaries="bt709", transfer="bt709", matrix="bt709"),
        ),
        ({"color_primaries": "unknown", "color_space": "reserved", "color_range": "pc"}, Color(full_range=True)),
        ({"pix_fmt": "yuvj420p"}, Color(full_range=True)),
    ],
)
def test_color(stream: dict[str, str], expected: Color):
    assert _color(stream) == expected


@pytest.mark.parametrize(
    ("transfer", "is_hdr"), [("smpte2084", True), ("arib-std-b67", True), ("bt709", False), ("", False)]
)
def test_hdr_is_known_by_its_transfer(transfer: str, is_hdr: bool):
    assert _color({"color_transfer": transfer}).is_hdr is is_hdr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:01:02.003000000", "62.003"), ("1:00:00", "3600"), ("00:00:00", "0"),
        (None, None), ("", None), ("01:02", None), ("1:2:3:4", None), ("a:b:c", None), ("1:2:1/0", None),
        ("nan:0:0", None),
    ],
)  # fmt: skip
def test_clock(text: str | None, expected: str | None):
    assert _clock(text) == (None if expected is None else Fraction(expected))


@pytest.mark.parametrize(
    ("text", "rate", "decimal"),
    [
        ("30000/1001", "30000/1001", "30000/1001"), ("25", "25", "25"), ("1.5", "1.5", "1.5"), ("-5", None, "-5"),
        ("0/0", None, None), ("0", None, "0"), ("N/A", None, None), (None, None, None), ("nan", None, None),
        ("inf", None, None), ("9" * 5000, None, None),
    ],
)  # fmt: skip
def test_numbers_as_ffprobe_writes_them(text: str | None, rate: str | None, decimal: str | None):
    """A rate has to be positive."""
    assert _rate(text) == (None if rate is None else Fraction(rate))
    assert _decimal(text) == (None if decimal is None else Fraction(decimal))


# -- streams -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "is_picture"),
    [
        ({}, True),
        ({"disposition": {"attached_pic": 1}}, False),
        ({"codec_name": "unknown"}, False),
        ({"width": 0}, False),
        ({"codec_type": "audio"}, False),
        ({"disposition": {"attached_pic": 0}}, True),
    ],
)
def test_which_stream_is_the_picture(changes: dict[str, Any], is_picture: bool):
    assert _is_picture({"codec_type": "video", "codec_name": "h264", "width": 640} | changes) is is_picture


@pytest.mark.parametrize(
    ("stream", "is_sound"),
    [
        ({"codec_type": "audio", "codec_name": "aac"}, True),
        ({"codec_type": "audio", "codec_name": "none"}, False),
        ({"codec_type": "audio"}, False),
        ({"codec_type": "video", "codec_name": "aac"}, False),
    ],
)
def test_which_streams_are_sound(stream: dict[str, str], is_sound: bool):
    assert _is_sound(stream) is is_sound


def test_what_is_left_aside_is_noted():
    sounds = [{"codec_type": "audio"}] * (MAX_TRACKS + 1)
    others = [
        {"codec_type": "subtitle"},
        {"codec_type": "subtitle"},
        {"codec_type": "data"},
        {"codec_type": "video", "disposition": {"attached_pic": 1}},
    ]

    assert _notes([{"codec_type": "video"}, *sounds, *others], sounds) == (
        "1 cover picture stream left aside",
        "1 data stream left aside",
        "2 subtitle streams left aside",
        "only the first 32 of 33 sound tracks are encoded",
    )


# -- cut off -------------------------------------------------------------------------------------------


def a_table(end: int, *, start: int = 0, count: int = 290) -> _Packets:
    """A stream's packets, in milliseconds."""
    return _Packets(pts=[start, end - 40], last=end - 40, last_duration=40, count=count)


def a_stream(index: int = 0, **facts: Any) -> dict[str, Any]:
    return {"index": index, "time_base": "1/1000"} | facts


MOV, MKV = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"


@pytest.mark.parametrize(
    ("form", "streams", "tables"),
    [
        pytest.param(
            {"format_name": MOV, "duration": "20.0"}, [a_stream(duration="20.0")], [a_table(20_000)], id="all of it"
        ),
        pytest.param(
            {"format_name": MOV, "duration": "20.4"}, [a_stream(duration="20.4")], [a_table(20_000)], id="a little less"
        ),
        pytest.param(
            {"format_name": MOV, "duration": "7200"}, [a_stream(duration="7200")], [a_table(7_150_000)], id="1 %"
        ),
        pytest.param(
            {"format_name": MOV, "start_time": "5.0", "duration": "20.0"},
            [a_stream(duration="20.0")],
            [a_table(25_000, start=5000)],
            id="late start",
        ),
        pytest.param(
            {"format_name": MKV, "start_time": "5.0", "duration": "25.0"},
            [a_stream()],
            [a_table(25_000, start=5000)],
            id="late start, counted from zero",
        ),
        pytest.param(
            {"format_name": MKV, "duration": "30.0"},
            [a_stream(), a_stream(1)],
            [a_table(20_000)],
            id="a subtitle is the longest",
        ),
        pytest.param({"format_name": "mpegts", "duration": "30.0"}, [a_stream()], [a_table(20_000)], id="estimated"),
        pytest.param({"format_name": "mp3", "duration": "30.0"}, [a_stream()], [a_table(20_000)], id="estimated mp3"),
        pytest.param({"format_name": MKV, "duration": "N/A"}, [a_stream()], [a_table(20_000)], id="nothing promised"),
        pytest.param({}, [a_stream()], [a_table(20_000)], id="nothing said"),
    ],
)
def test_complete(form: dict[str, str], streams: list[dict[str, Any]], tables: list[_Packets]):
    _check_complete(form, streams, dict(enumerate(tables)), "in", partial=False)


@pytest.mark.parametrize(
    ("form", "streams", "tables", "sentence"),
    [
        pytest.param(
            {"format_name": MOV, "duration": "20.0"},
            [a_stream(duration="20.0")],
            [a_table(11_760)],
            "in is cut off: its index promises 20.0 s, the file holds 11.8 s.",
            id="mp4",
        ),
        pytest.param(
            {"format_name": MOV, "duration": "20.0"},
            [a_stream(duration="20.0"), a_stream(1, duration="20.0"), a_stream(2, duration="19.0")],
            [a_table(20_000), a_table(12_000)],
            "in is cut off: its index promises 20.0 s, the file holds 20.0 s.",
            id="mp4, the sound alone, and subtitles",
        ),
        pytest.param(
            {"format_name": MKV, "duration": "20.0"},
            [a_stream()],
            [a_table(11_760)],
            "in is cut off: its index promises 20.0 s, the file holds 11.8 s.",
            id="matroska",
        ),
        pytest.param(
            {"format_name": MKV, "duration": "20.0"},
            [a_stream(tags={"DURATION": "00:00:20.000000000"}), a_stream(1, tags={"DURATION": "00:00:19.000000000"})],
            [a_table(11_760)],
            "in is cut off: its index promises 20.0 s, the file holds 11.8 s.",
            id="matroska with subtitles",
        ),
        pytest.param(
            {"format_name": "avi", "duration": "12.04"},
            [a_stream(duration="12.04", nb_frames="501", codec_type="video")],
            [a_table(11_600, count=290)],
            "in is cut off: its index promises 501 frames, the file holds 290.",
            id="avi",
        ),
    ],
)
def test_cut_off(form: dict[str, str], streams: list[dict[str, Any]], tables: list[_Packets], sentence: str):
    with pytest.raises(InputError) as caught:
        _check_complete(form, streams, dict(enumerate(tables)), "in", partial=False)

    assert (caught.value.code, caught.value.sentence) == ("truncated", sentence)


def test_what_ffprobe_calls_partial_is_cut_off():
    with pytest.raises(InputError, match=r"in is cut off: its index promises more, the file holds 20\.0 s"):
        _check_complete({}, [a_stream()], {0: a_table(20_000)}, "in", partial=True)


# -- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exit_code", "said", "code"),
    [
        (1, "[mov] moov atom not found", "truncated"),
        (1, "[hls] Format not on whitelist 'mov,mp4'", "not_allowed"),
        (1, "Protocol 'http' not on whitelist 'file'!", "not_allowed"),
        (1, "Invalid data found when processing input", "unreadable"),
        (-11, "", "unreadable"),
        (None, "", "unreadable"),
    ],
)
def test_ffprobes_failures_are_the_uploads(exit_code: int | None, said: str, code: str):
    error = _refusal(FFmpegError("ffprobe failed.", exit_code=exit_code, stderr_tail=[said]), "in.mp4")

    assert isinstance(error, InputError)
    assert error.code == code
    assert "in.mp4" in error.sentence


@pytest.mark.parametrize("said", ["tcp: Connection refused", "http: Server returned 5XX Server Error reply"])
def test_a_source_that_is_away_is_not_the_uploads_fault(said: str):
    error = FFmpegError("ffprobe failed.", exit_code=1, stderr_tail=[said])

    assert _refusal(error, "in.mp4") is error
