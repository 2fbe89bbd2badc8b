"""The readers that judge our streams can fail: a good stream passes, each broken copy is told."""

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from readers.clips import CLIPS
from readers.hls_parser import parsed, strict_errors
from readers.player import LevelReport, play, screenshot

#: A good level takes a second; one that hangs is given up here.
LIMIT_S = 4.0


@pytest.fixture(scope="module")
def good_stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of blue with a tone, by FFmpeg's own hls muxer; two segments a rendition."""
    folder = tmp_path_factory.mktemp("good")
    options = "-v error -f lavfi -i color=blue:s=320x180:r=25:d=4 -f lavfi -i sine=r=48000:d=4 -map 0:v -map 1:a"
    options += " -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -c:a aac"
    options += " -f hls -hls_time 2 -hls_playlist_type vod -hls_segment_type fmp4 -master_pl_name index.m3u8"
    options += " -hls_fmp4_init_filename init_%v.mp4 -hls_segment_filename %v_%d.m4s"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *options.split()]
    command += ["-var_stream_map", "v:0,agroup:sound,name:video a:0,agroup:sound,name:audio", "%v.m3u8"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder


@pytest.fixture
def stream(good_stream: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(good_stream, tmp_path / "stream")


def test_good_playlists_are_read(good_stream: Path):
    index = good_stream / "index.m3u8"

    assert strict_errors(index) == []
    read = parsed(index)
    assert read["variants"][0]["resolution"] == {"width": 320, "height": 180}
    assert read["variants"][0]["audio"] == "group_sound"
    assert {"video.m3u8", "audio.m3u8"} == set(read["playlists"])
    assert sum(segment["duration"] for segment in read["playlists"]["video.m3u8"]["segments"]) == 4


@pytest.mark.parametrize("name", ["video.m3u8", "audio.m3u8"])
def test_playlist_without_target_duration_is_told(stream: Path, name: str):
    """Required in every media playlist (RFC 8216 4.3.3.1)."""
    playlist = stream / name
    kept = [line for line in playlist.read_text().splitlines() if "TARGETDURATION" not in line]
    playlist.write_text("\n".join(kept))

    (error,) = strict_errors(stream / "index.m3u8")
    assert error.startswith(name)
    assert "TARGETDURATION" in error


def test_missing_playlist_is_told(stream: Path):
    (stream / "audio.m3u8").unlink()

    assert strict_errors(stream / "index.m3u8") == ["audio.m3u8: cannot be read (ENOENT)"]


def test_good_stream_plays_to_its_end(good_stream: Path):
    (level,) = play(good_stream / "index.m3u8", seconds_limit=60)

    assert level.errors == ()
    assert level.ended
    assert (level.width_px, level.height_px) == (320, 180)
    assert (level.first_buffered_s, level.holes) == (0, 0)
    assert level.decoded_frames == 100
    assert level.reached_s == level.duration_s == pytest.approx(4, abs=0.05)


def test_sound_without_pictures_plays_to_its_end(good_stream: Path):
    (level,) = play(good_stream / "audio.m3u8", seconds_limit=60)

    assert level.errors == ()
    assert level.ended
    assert (level.width_px, level.height_px, level.decoded_frames) == (0, 0, 0)


@pytest.mark.parametrize("name", ["video_0.m4s", "video_1.m4s"])
def test_half_a_segment_is_told(stream: Path, name: str):
    segment = stream / name
    segment.write_bytes(segment.read_bytes()[: segment.stat().st_size // 2])

    (level,) = play(stream / "index.m3u8", seconds_limit=LIMIT_S)
    assert is_told(level)


def test_missing_segment_is_told_although_another_level_has_it(stream: Path):
    """A player would go on with the other level; this one must not."""
    good = (stream / "video.m3u8").read_text()
    (stream / "broken.m3u8").write_text(good.replace("video_1.m4s", "missing.m4s"))
    variant = '#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.42c00c,mp4a.40.2",AUDIO="group_sound"'
    index = stream / "index.m3u8"
    index.write_text(f"{index.read_text()}\n{variant}\nbroken.m3u8\n")

    first, second = play(index, seconds_limit=60)
    assert is_told(first)
    assert "missing.m4s" in str(first.errors)
    assert second.ended


def test_screenshot_is_the_picture(good_stream: Path, tmp_path: Path):
    picture = tmp_path / "picture.png"
    screenshot(good_stream / "index.m3u8", 3.0, picture)

    pixels = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(picture)]
    pixels += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    rgb = subprocess.run(pixels, capture_output=True, check=True, timeout=60).stdout
    assert len(rgb) == 320 * 180 * 3
    assert max(rgb[0::3]) < 16
    assert max(rgb[1::3]) < 16
    assert min(rgb[2::3]) > 224


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_clip_is_there(clip: Path):
    assert clip.is_file(), f"{clip} is missing: make test fetches it"


def is_told(level: LevelReport) -> bool:
    return bool(level.errors) and not level.ended
