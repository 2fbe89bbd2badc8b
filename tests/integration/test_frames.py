"""Every frame once, in order, at its time: proved with bar codes, over rates, chunk sizes and jobs."""

import hashlib
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from made import (
    coded_clip,
    codes_of,
    durations,
    encoded,
    ffprobe,
    joined,
    media_playlists,
    packet_times,
    segment_files,
    small_profile,
)
from vod.ffmpeg.binaries import find_binaries
from vod.ffmpeg.command import encode_command
from vod.local.folder import open_source, plan_file
from vod.media.chunks import Chunk
from vod.media.plan import Plan

RATES = ("24000/1001", "25", "30000/1001", "50", "60000/1001")
#: CPU seconds a chunk should be: one chunk, a few, one per segment.
CHUNK_WORKS_S = (1000.0, 0.08, 0.001)


def one_pass(clip: Path, plan: Plan) -> list[int]:
    """What FFmpeg shows in one pass over the whole file at the plan's rate: the judge of chunked encoding."""
    assert plan.video
    return codes_of(clip, f"setpts=PTS-STARTPTS,fps={plan.video.frame_rate}:start_time=0")


def check_stream(output: Path, plan: Plan, expected: list[int], tmp_path: Path) -> None:
    """Frames, times, borders and playlists of every rendition."""
    assert plan.video
    playlists = media_playlists(output, "video")
    assert list(playlists) == ["big", "small"]
    frame_s = 1 / plan.video.frame_rate
    for name, playlist in playlists.items():
        whole = joined(playlist, tmp_path / f"{name}.mp4")

        assert codes_of(whole) == expected, name

        times = packet_times(whole)
        assert [at - times[0] for at in times] == [number * frame_s for number in range(len(expected))], name
        assert abs(sum(durations(playlist)) - len(expected) * frame_s) < frame_s
        borders = [0]
        for segment in segment_files(playlist):
            part = tmp_path / "part.mp4"
            part.write_bytes((playlist.parent / "init.mp4").read_bytes() + segment.read_bytes())
            shown = ffprobe("-show_packets", "-select_streams", "v:0", part)["packets"]
            assert shown[0]["flags"].startswith("K")
            assert min(int(packet["pts"]) for packet in shown) - min(
                int(packet["dts"]) for packet in shown
            ) == pytest.approx(0, abs=4 * plan.video.frame_ticks)
            borders.append(borders[-1] + len(shown))
        assert tuple(borders[:-1]) == plan.video.segment_borders, name
    assert durations(playlists["big"]) == durations(playlists["small"])


@pytest.mark.parametrize("rate", RATES)
def test_constant_rates_come_out_frame_by_frame_for_any_chunk_size(rate: str, tmp_path: Path):
    """Each source frame once, in order; the chunk size changes no frame and no time."""
    count = round(Fraction(rate) * 7) + 1  # the last segment holds a single frame more
    clip = coded_clip(tmp_path / "clip.mp4", rate=rate, frame_count=count)
    for number, chunk_work_s in enumerate(CHUNK_WORKS_S):
        output = tmp_path / f"out{number}"
        plan = encoded(clip, output, chunk_work_s)

        assert plan.video
        assert plan.video.frame_rate == Fraction(rate)
        check_stream(output, plan, list(range(count)), tmp_path)
    assert len(plan.video.chunks) >= 2


@pytest.mark.parametrize("container", ["mp4", "mkv", "webm"])
def test_variable_rate_shows_what_one_pass_shows(container: str, tmp_path: Path):
    """Frames dropped at random, and none at all for 1.7 s in two places."""
    chosen = "gt(random(7)\\,0.45)*not(between(t\\,2.3\\,4.0))*not(between(t\\,5.1\\,6.8))"
    options = ("-c:v", "libvpx", "-b:v", "2M", "-deadline", "realtime", "-g", "40") if container == "webm" else ()
    clip = coded_clip(
        tmp_path / f"clip.{container}", rate="60", frame_count=540, filters=f"select='{chosen}'", options=options
    )
    seen = []
    for number, chunk_work_s in enumerate(CHUNK_WORKS_S):
        output = tmp_path / f"out{number}"
        plan = encoded(clip, output, chunk_work_s)

        assert plan.source.video
        assert not plan.source.video.constant_rate
        assert plan.source.video.gaps
        expected = one_pass(clip, plan)
        assert len(expected) == plan.video.frame_count
        check_stream(output, plan, expected, tmp_path)
        seen.append(expected)
    assert seen[0] == sorted(seen[0])


@pytest.mark.parametrize("container", ["ts", "m2ts", "avi", "mpg", "flv"])
def test_containers_with_other_clocks_lose_no_frame(container: str, tmp_path: Path):
    """Streams that start late, that have no index, or no presentation times."""
    options = {
        "ts": ("-muxdelay", "1.4"),
        "m2ts": ("-output_ts_offset", "95432", "-g", "60"),
        "avi": ("-c:v", "mpeg4", "-bf", "0", "-q:v", "2"),
        "mpg": ("-c:v", "mpeg2video", "-q:v", "2"),
        "flv": (),
    }[container]
    clip = coded_clip(tmp_path / f"clip.{container}", rate="25", frame_count=560, options=options)
    plan = encoded(clip, tmp_path / "out", 0.001)

    assert plan.video
    assert (len(plan.video.chunks) >= 3) == container.endswith("ts")
    check_stream(tmp_path / "out", plan, list(range(560)), tmp_path)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_open_gops_in_mp4_are_entered_at_the_right_keyframe(codec: str, tmp_path: Path):
    """MP4 is searched by decode time; pictures before a keyframe that are decoded after it need the one before."""
    options = {
        "libx264": ("-x264-params", "open-gop=1:keyint=24:min-keyint=24:bframes=8:b-adapt=0:scenecut=0"),
        "libx265": ("-x265-params", "open-gop=1:keyint=24:min-keyint=24:bframes=4:b-adapt=0:scenecut=0:log-level=none"),
        "mpeg2video": ("-g", "12", "-bf", "2", "-q:v", "2"),
    }[codec]
    clip = coded_clip(tmp_path / "clip.mp4", rate="24", frame_count=150, options=("-c:v", codec, *options))
    plan = plan_file(find_binaries(), open_source(clip), small_profile(0.001))
    assert plan.video
    for start_frame in (12, 13, 19, 20, 21, 22, 23, 24, 25, 37, 44, 46, 48, 49):
        chunk = Chunk(index=1, first_segment=0, segment_count=1, start_frame=start_frame, frame_count=24)
        outputs = [str(tmp_path / "big.mp4"), str(tmp_path / "small.mp4")]
        argv = encode_command(find_binaries().ffmpeg, plan, chunk, url=f"file:{clip}", outputs=outputs)
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
        assert codes_of(tmp_path / "small.mp4") == list(range(start_frame, start_frame + 24)), start_frame


def test_intra_refresh_is_encoded_as_one_chunk(tmp_path: Path):
    """Its "keyframes" are pictures from which decoding recovers over half a second; nothing may begin there."""
    options = ("-x264-params", "intra-refresh=1:keyint=50:bframes=0:scenecut=0")
    clip = coded_clip(tmp_path / "clip.mp4", rate="25", frame_count=300, options=options)
    plan = encoded(clip, tmp_path / "out", 0.001)

    assert plan.video
    assert len(plan.video.chunks) == 1
    check_stream(tmp_path / "out", plan, list(range(300)), tmp_path)


def test_halved_rate_keeps_every_second_frame(tmp_path: Path):
    """120 fps become 60."""
    clip = coded_clip(tmp_path / "clip.mp4", rate="120", frame_count=481)
    plan = encoded(clip, tmp_path / "out", 0.01)

    assert plan.video
    assert plan.video.frame_rate == 60
    shown = one_pass(clip, plan)
    check_stream(tmp_path / "out", plan, shown, tmp_path)
    steps = {after - before for before, after in pairwise(shown)}
    assert steps <= {1, 2}


def test_the_same_bytes_on_every_run_and_with_any_number_of_jobs(tmp_path: Path):
    clip = coded_clip(
        tmp_path / "clip.mp4", rate="30", frame_count=200, inputs=("-f", "lavfi", "-i", "sine=f=440:d=6.5")
    )
    digests = []
    for jobs in (1, 2, 4):
        output = tmp_path / f"out{jobs}"
        encoded(clip, output, 0.05, jobs)
        files = sorted(path for path in output.rglob("*") if path.suffix in (".mp4", ".m4s", ".m3u8"))
        digests.append(
            [(str(path.relative_to(output)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
        )

    assert len(digests[0]) > 15
    assert digests[0] == digests[1] == digests[2]
