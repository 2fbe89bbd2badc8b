"""What people really upload: each either comes out right or is refused in words, never a short film in silence."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from made import coded_clip, codes_of, encoded, ffmpeg, ffprobe, joined, media_playlists
from readers.hls_parser import parsed, strict_errors
from vod.errors import InputError
from vod.media.plan import Plan

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25")
PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=384x216:r=25:d=5")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d=5")


def stream_of(clip: Path, chunk_work_s: float = 0.02) -> tuple[Plan, Path]:
    """Encode; the strict parser must have nothing to say."""
    output = clip.parent / "out"
    plan = encoded(clip, output, chunk_work_s)

    assert strict_errors(output / "index.m3u8") == []
    return plan, output


def picture_of(output: Path, rung: str, at_s: float = 1.0) -> np.ndarray:
    """One RGB picture of a rendition, as a player shows it."""
    whole = joined(media_playlists(output, "video")[rung], output.parent / "whole.mp4")
    shown = ffprobe("-show_streams", whole)["streams"][0]
    assert shown["sample_aspect_ratio"] == "1:1"
    raw = ffmpeg("-ss", f"{at_s}", "-i", whole, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(shown["height"], shown["width"], 3)


@pytest.mark.parametrize(("degrees", "width", "height"), [(90, 216, 384), (180, 384, 216), (270, 216, 384)])
def test_rotated_phone_video_stands_upright(degrees: int, width: int, height: int, tmp_path: Path):
    """The left half is red as coded; after rotation it is where the phone's sensor had it."""
    flat = tmp_path / "flat.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=blue:s=384x216:d=3,drawbox=w=192:c=red:t=fill", *X264, flat)
    clip = tmp_path / "clip.mp4"
    ffmpeg("-display_rotation:v:0", str(-degrees), "-i", flat, "-c", "copy", clip)
    plan, output = stream_of(clip)

    assert plan.source.video
    assert plan.source.video.rotation_deg == degrees
    picture = picture_of(output, "big").astype(int)
    assert picture.shape == (height, width, 3)
    y, x = {90: (20, width // 2), 180: (height // 2, width - 20), 270: (height - 20, width // 2)}[degrees]
    red, _, blue = picture[y, x]
    assert red > 150 > blue


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("383x215", (382, 214)),
        ("16x16", (16, 16)),
        ("215x383", (214, 382)),
        ("384x90", (384, 90)),
        ("64x1000", (24, 384)),
    ],
)
def test_any_shape_keeps_its_aspect_on_even_sizes(size: str, expected: tuple[int, int], tmp_path: Path):
    clip = tmp_path / "clip.mkv"
    ffmpeg("-f", "lavfi", "-i", f"testsrc=s={size}:r=25:d=2", "-c:v", "ffv1", "-pix_fmt", "yuv444p", clip)
    _, output = stream_of(clip)

    assert parsed(output / "index.m3u8")["variants"][0]["resolution"] == dict(
        zip(("width", "height"), expected, strict=True)
    )


def test_anamorphic_video_gets_square_pixels(tmp_path: Path):
    """PAL 16:9: 720x576 coded, shown 1024x576."""
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=180x144:r=25:d=2,setsar=64/45", *X264, clip)
    plan, output = stream_of(clip)

    assert plan.source.video
    assert (plan.source.video.width_px, plan.source.video.height_px) == (256, 144)
    assert picture_of(output, "big").shape == (144, 256, 3)


def test_interlaced_video_is_deinterlaced(tmp_path: Path):
    """A bar that moves between the fields leaves combs unless they are woven away."""
    clip = tmp_path / "clip.mkv"
    moving = "color=black:s=384x216:r=50:d=4[b];color=white:s=40x216:r=50:d=4[w];[b][w]overlay=x='mod(t*300,340)'"
    ffmpeg(
        *("-f", "lavfi", "-i", moving, "-vf", "tinterlace=interleave_top,setfield=tff"),
        *("-flags", "+ilme+ildct", "-c:v", "mpeg2video", "-q:v", "2", clip),
    )
    plan, output = stream_of(clip)

    assert plan.source.video
    assert plan.source.video.interlaced
    gray = picture_of(output, "big", 1.2).astype(int).mean(axis=2)
    combing = np.abs(2 * gray[1:-1] - gray[:-2] - gray[2:]).mean()
    source = ffmpeg("-ss", "1.2", "-i", clip, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-")
    woven = np.frombuffer(source, np.uint8).reshape(216, 384).astype(int)
    assert combing < np.abs(2 * woven[1:-1] - woven[:-2] - woven[2:]).mean() / 4


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_becomes_sdr_of_a_natural_brightness(transfer: str, tmp_path: Path):
    """Mid-gray stays in the middle, colours stay colours, and the output says BT.709."""
    clip = tmp_path / "clip.mkv"
    to_hdr = (
        "format=gbrpf32le,zscale=transferin=bt709:primariesin=bt709:matrixin=gbr:rangein=full"
        f":transfer=linear:primaries=bt2020:npl=100,zscale=transfer={transfer}:npl=203:matrix=bt2020nc:range=tv,format=yuv420p10le"
    )
    ffmpeg(
        *("-f", "lavfi", "-i", "color=0x808080:s=384x216:r=25:d=2,drawbox=w=100:h=100:c=0xC02020:t=fill"),
        *("-vf", to_hdr, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
        *("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc", clip),
    )
    plan, output = stream_of(clip)

    assert plan.source.video
    assert plan.source.video.color.is_hdr
    picture = picture_of(output, "big").astype(int)
    assert 60 < picture[150, 300].mean() < 200
    red, green, blue = picture[50, 50]
    assert red > 1.5 * max(green, blue)
    whole = joined(media_playlists(output, "video")["big"], tmp_path / "whole.mp4")
    shown = ffprobe("-show_streams", whole)["streams"][0]
    assert (shown["color_transfer"], shown["color_primaries"], shown["pix_fmt"]) == ("bt709", "bt709", "yuv420p")


def test_full_range_keeps_black_and_white(tmp_path: Path):
    clip = tmp_path / "clip.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=black:s=384x216:r=25:d=2,drawbox=w=192:c=white:t=fill"),
        *("-vf", "scale=out_range=pc,format=yuvj420p", "-c:v", "mjpeg", "-q:v", "2", "-color_range", "pc", clip),
    )
    plan, output = stream_of(clip)

    assert plan.source.video
    assert plan.source.video.color.full_range
    picture = picture_of(output, "big").astype(int)
    assert picture[100, 50].mean() > 245
    assert picture[100, 300].mean() < 10


def test_a_video_without_sound_has_no_audio_group(tmp_path: Path):
    clip = tmp_path / "clip.mp4"
    ffmpeg(*PICTURE, *X264, clip)
    _, output = stream_of(clip)

    text = (output / "index.m3u8").read_text()
    assert "AUDIO" not in text
    assert "mp4a" not in text


@pytest.mark.parametrize("suffix", ["m4a", "mp3", "wav", "flac", "ogg"])
def test_sound_alone_is_a_stream_of_its_own(suffix: str, tmp_path: Path):
    """With a cover picture, where the container has room for one: it is no video."""
    clip = tmp_path / f"clip.{suffix}"
    cover = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=300x300:d=1", "-frames:v", "1", cover)
    art = ("-i", cover, "-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic")
    ffmpeg("-f", "lavfi", "-i", "sine=f=440:r=44100:d=13", *(art if suffix in ("m4a", "mp3") else ()), clip)
    plan, output = stream_of(clip)

    assert plan.video is None
    stream = parsed(output / "index.m3u8")
    assert [variant["codecs"] for variant in stream["variants"]] == ["mp4a.40.2"]
    (playlist,) = media_playlists(output, "audio").values()
    held = sum(segment["duration"] for segment in stream["playlists"][stream["variants"][0]["uri"]]["segments"])
    assert held == pytest.approx(13, abs=0.07)
    assert playlist.read_text().count("#EXTINF") in (6, 7)  # a container may add its padding


def test_several_sound_tracks_keep_their_languages(tmp_path: Path):
    clip = tmp_path / "clip.mkv"
    ffmpeg(
        *PICTURE, *SOUND, "-f", "lavfi", "-i", "sine=f=880:r=48000:d=5", "-map", "0:v", "-map", "1:a", "-map", "2:a",
        *X264, "-c:a", "aac", "-ac:a:1", "6", "-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=eng",
        "-metadata:s:a:1", 'title=The "director"', clip,
    )  # fmt: skip
    _, output = stream_of(clip)

    renditions = parsed(output / "index.m3u8")["renditions"]
    assert [(one["language"], one["name"], one["isDefault"]) for one in renditions] == [
        ("de", "de", True),
        ("en", "The \N{RIGHT DOUBLE QUOTATION MARK}director\N{RIGHT DOUBLE QUOTATION MARK}", False),
    ]
    assert (output / "index.m3u8").read_text().count('CHANNELS="2"') == 1


def test_subtitles_data_and_cover_are_left_aside_and_said(tmp_path: Path):
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,500 --> 00:00:09,000\nHello\n")
    clip = tmp_path / "clip.mp4"
    ffmpeg(
        *PICTURE, "-i", words, *SOUND, "-map", "0", "-map", "1", "-map", "2", "-c:s", "mov_text", *X264,
        "-timecode", "01:00:00:00", clip,
    )  # fmt: skip
    plan, output = stream_of(clip)

    assert len(plan.source.notes) == 2
    assert len(media_playlists(output, "video")) == 2
    assert plan.duration_s == 5


def test_one_frame_is_a_video(tmp_path: Path):
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=384x216:r=25:d=1", "-frames:v", "1", *X264, clip)
    plan, output = stream_of(clip)

    assert plan.video
    assert plan.video.frame_count == 1
    assert len(codes_of(joined(media_playlists(output, "video")["big"], tmp_path / "whole.mp4"))) == 1


def test_an_animated_gif_is_a_video(tmp_path: Path):
    clip = tmp_path / "clip.gif"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=100x80:r=10:d=3", clip)
    plan, _ = stream_of(clip)

    assert plan.duration_s == 3


def test_a_copy_cut_clip_with_a_negative_start_loses_nothing_that_was_shown(tmp_path: Path):
    """`-ss` with stream copy leaves frames before the edit list's start: decoded, never shown."""
    whole = coded_clip(tmp_path / "whole.mp4", rate="25", frame_count=300)
    clip = tmp_path / "clip.mp4"
    ffmpeg("-ss", "4.2", "-i", whole, "-c", "copy", "-avoid_negative_ts", "disabled", clip)
    plan, output = stream_of(clip)

    assert plan.video
    shown = codes_of(joined(media_playlists(output, "video")["big"], tmp_path / "whole_out.mp4"))
    assert shown == codes_of(clip)
    assert shown[-1] == 299


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_truncated_file_is_refused(container: str, tmp_path: Path):
    """With the index in front FFmpeg itself would encode what is there and exit 0."""
    whole = tmp_path / f"whole.{container}"
    ffmpeg(*PICTURE, *SOUND, *X264, "-c:a", "aac", *(("-movflags", "+faststart") if container == "mp4" else ()), whole)
    clip = tmp_path / f"clip.{container}"
    data = whole.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])

    with pytest.raises(InputError) as refusal:
        encoded(clip, tmp_path / "out", 1)
    assert refusal.value.code == "truncated"
    assert not (tmp_path / "out").exists()


def test_a_recording_without_its_index_is_refused(tmp_path: Path):
    whole = tmp_path / "whole.mp4"
    ffmpeg(*PICTURE, *X264, whole)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(whole.read_bytes()[:20_000])

    with pytest.raises(InputError) as refusal:
        encoded(clip, tmp_path / "out", 1)
    assert refusal.value.code == "truncated"


def test_damage_inside_is_concealed_and_reported(tmp_path: Path):
    """Zeroes in the middle of the picture data: every frame is still there, and the report says so."""
    clip = coded_clip(tmp_path / "clip.mp4", rate="25", frame_count=200)
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    clip.write_bytes(data)
    outcome_plan, output = stream_of(clip)

    assert outcome_plan.video
    assert outcome_plan.video.frame_count == 200
    assert '"complaints":["' in next(output.glob("*/report.json")).read_text()


def test_scripts_that_name_other_files_are_refused(tmp_path: Path):
    """A playlist or a concat script called .mp4 must not make FFmpeg open anything."""
    secret = tmp_path / "secret.mp4"
    ffmpeg(*PICTURE, *X264, secret)
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
        f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{secret}</BaseURL></MPD>',
    ):
        clip = tmp_path / "clip.mp4"
        clip.write_text(text)
        with pytest.raises(InputError) as refusal:
            encoded(clip, tmp_path / "out", 1)
        assert refusal.value.code in ("not_allowed", "unreadable", "truncated")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00" * 5000, bytes(range(256)) * 400], ids=len)
def test_what_is_no_media_is_refused(content: bytes, tmp_path: Path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(content)

    with pytest.raises(InputError) as refusal:
        encoded(clip, tmp_path / "out", 1)
    assert refusal.value.code in ("empty", "unreadable", "truncated", "no_media")


def test_hostile_names_are_only_names(tmp_path: Path):
    plain = tmp_path / "plain.mp4"
    ffmpeg(*PICTURE, *X264, plain)
    for name in ("-i.mp4", "http:evil.mp4", "a'b\"c $(x);.mp4", "%03d.mp4", "né ✓\n2.mp4"):
        clip = tmp_path / name
        shutil.copy(plain, clip)
        plan, _ = stream_of(clip)
        assert plan.duration_s == 5
        shutil.rmtree(tmp_path / "out")


def test_slow_rates_have_segments_too(tmp_path: Path):
    """A slide show at a frame every four seconds."""
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=384x216:r=1/4:d=40", *X264, clip)
    plan, output = stream_of(clip)

    assert plan.video
    assert plan.video.frame_rate == 1
    assert len(codes_of(joined(media_playlists(output, "video")["big"], tmp_path / "w.mp4"))) == 40
