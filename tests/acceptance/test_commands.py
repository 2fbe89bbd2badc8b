"""What people type, and what they are told: help, mistakes, interruptions."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from made import CODE_HEIGHT, CODE_WIDTH, VOD, coded_clip, codes_of, joined, media_playlists, vod


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute with a number in every frame, a keyframe every second."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return coded_clip(path, rate="25", frame_count=750, options=("-g", "25"))


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """Slow enough to be interrupted, in chunks of two seconds."""
    path = tmp_path / "slow.toml"
    path.write_text(
        'name = "slow"\nsegment_s = 2.0\nchunk_work_s = 1.5\n'
        '[video]\npreset = "veryslow"\ngop_s = 1.0\n'
        f'[[rungs]]\nname = "big"\nwidth_px = {CODE_WIDTH}\nheight_px = {CODE_HEIGHT}\n'
        "crf = 18\nmax_bitrate_bps = 5_000_000\n"
        '[[rungs]]\nname = "small"\nwidth_px = 192\nheight_px = 108\ncrf = 18\nmax_bitrate_bps = 1_000_000\n'
    )
    return path


def start(clip: Path, output: Path, profile: Path) -> subprocess.Popen[str]:
    """Start encoding, and wait for the first finished chunk."""
    argv = [*VOD, "encode", str(clip), "--output", str(output), "--profile", str(profile), "--jobs", "2"]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(output.glob(".vod/*/chunk_*.json")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return running


def encoders_of(output: Path) -> list[psutil.Process]:
    """FFmpeg processes that a test left behind would show here; found by the source's name."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(output.parent) in word for word in process.info["cmdline"] or ()) and "ffmpeg" in process.name():
            found.append(process)
    return found


def finish_and_check(clip: Path, output: Path, profile: Path, *, kept: bool = True) -> None:
    """The same command goes on, and the film is whole."""
    done = vod("encode", clip, "--output", output, "--profile", profile)
    assert done.returncode == 0, done.stderr
    assert ("of an earlier run kept" in done.stdout) == kept
    for name, playlist in media_playlists(output, "video").items():
        assert codes_of(joined(playlist, output.parent / f"{name}.mp4")) == list(range(750))
    named = {path for playlist in media_playlists(output, "video").values() for path in playlist.parent.iterdir()}
    assert all(path.suffix in (".m4s", ".mp4", ".m3u8") for path in named)  # nothing half-written is left


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_goes_on_where_it_was(how: signal.Signals, clip: Path, profile: Path, tmp_path: Path):
    mine = tmp_path / "clip.mp4"
    os.link(clip, mine)
    output = tmp_path / "out"
    running = start(mine, output, profile)
    running.send_signal(how)
    _, said = running.communicate(timeout=30)

    assert running.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    if how is not signal.SIGKILL:
        assert said.strip() == "vod: Interrupted. What is done is kept: the same command goes on from there."
    assert not (output / "index.m3u8").exists()
    deadline = time.monotonic() + 20
    while encoders_of(output):
        assert time.monotonic() < deadline, "an encoder outlives its parent"
        time.sleep(0.1)
    finish_and_check(mine, output, profile)

    again = vod("encode", mine, "--output", output, "--profile", profile)
    assert again.returncode == 0
    assert again.stdout.startswith("Nothing to do: ")


def test_a_dead_encoder_is_said_with_its_command_and_the_next_run_goes_on(clip: Path, profile: Path, tmp_path: Path):
    mine = tmp_path / "clip.mp4"
    os.link(clip, mine)
    running = start(mine, tmp_path / "out", profile)
    victims = []
    deadline = time.monotonic() + 30
    while not victims and time.monotonic() < deadline:
        victims = encoders_of(tmp_path / "out")
    victims[0].kill()
    _, said = running.communicate(timeout=60)

    assert running.returncode == 1
    assert said.startswith("vod: ffmpeg was ended by SIGKILL.")
    assert "-filter_complex" in said
    assert "Traceback" not in said
    finish_and_check(mine, tmp_path / "out", profile)


def test_progress_is_shown_on_a_terminal_whatever_the_file_is_called(clip: Path, tmp_path: Path):
    """Square brackets are markup to the library that draws the bar."""
    mine = tmp_path / "[bold] [red] a.mp4"
    os.link(clip, mine)
    here, there = os.openpty()
    argv = [*VOD, "encode", str(mine), "--output", str(tmp_path / "out")]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"}
    running = subprocess.Popen(argv, stdin=there, stdout=there, stderr=there, env=environment)
    os.close(there)
    seen = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(here, 4096):
            seen += part
    os.close(here)

    assert running.wait(timeout=60) == 0
    assert b"Encoding [bold] [red] a.mp4" in seen
    assert b"times real time" in seen


def test_segments_that_were_lost_are_made_again(clip: Path, profile: Path, tmp_path: Path):
    output = tmp_path / "out"
    running = start(clip, output, profile)
    running.kill()
    running.communicate()
    for segment in output.glob("*/video/big/00000-*.m4s"):
        segment.write_bytes(b"")
    whole = len(list(output.glob(".vod/*/chunk_*.json"))) - 1
    finish_and_check(clip, output, profile, kept=whole > 0)


def test_a_full_disk_is_said_in_words(clip: Path, tmp_path: Path):
    """A limit on file size stands for a disk without room."""
    command = shlex.join([*VOD, "encode", str(clip), "--output", str(tmp_path / "out"), "--jobs", "1"])
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 4; {command}"], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out" / "index.m3u8").exists()


def test_two_runs_do_not_write_to_one_folder(clip: Path, profile: Path, tmp_path: Path):
    running = start(clip, tmp_path / "out", profile)
    second = vod("encode", clip, "--output", tmp_path / "out", "--profile", profile)
    running.terminate()
    running.communicate()

    assert second.returncode == 2
    assert "Another run is writing" in second.stderr


def test_another_video_replaces_the_first_only_when_told(clip: Path, tmp_path: Path):
    other = coded_clip(tmp_path / "other.mp4", rate="25", frame_count=60)
    output = tmp_path / "out"
    assert vod("encode", other, "--output", output).returncode == 0
    before = (output / "index.m3u8").read_text()
    refused = vod("encode", clip, "--output", output)

    assert refused.returncode == 2
    assert "--replace" in refused.stderr
    assert (output / "index.m3u8").read_text() == before

    assert vod("encode", clip, "--output", output, "--replace").returncode == 0
    assert (output / "index.m3u8").read_text() != before
    assert len(list(output.glob("*/report.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("encode", "nowhere.mp4", "-o", "OUT"), 2, "nowhere.mp4 cannot be opened"),
        (("encode", ".", "-o", "OUT"), 2, "no regular file"),
        (("encode", "/dev/zero", "-o", "OUT"), 2, "no regular file"),
        (("plan", "/dev/null"), 2, "no regular file"),
        (("encode", "TEXT", "-o", "OUT"), 3, "Upload"),
        (("plan", "TEXT"), 3, "Upload"),
        (("encode", "CLIP", "-o", "TEXT"), 2, "is a file"),
        (("encode", "CLIP", "-o", "FULL"), 2, "holds other files"),
        (("encode", "CLIP", "-o", "/proc/nowhere"), 2, "cannot be written"),
        (("encode", "CLIP", "-o", "OUT", "--profile", "nowhere.toml"), 2, "nowhere.toml cannot be read"),
        (("encode", "CLIP", "-o", "OUT", "--profile", "TEXT"), 2, "is not TOML"),
        (("plan", "CLIP", "--profile", "BAD"), 2, "rungs[0].crf"),
    ],
)
def test_mistakes_are_one_line_that_says_what_to_do(
    arguments: tuple[str, ...], code: int, words: str, clip: Path, tmp_path: Path
):
    (tmp_path / "text.txt").write_text("hello, this is no video")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    (tmp_path / "bad.toml").write_text(
        'name = "bad"\n[[rungs]]\nname = "x"\nwidth_px = 640\nheight_px = 360\ncrf = 99\nmax_bitrate_bps = 900000\n'
    )
    places = {"OUT": "out", "TEXT": "text.txt", "FULL": "full", "BAD": "bad.toml"}
    words_typed = [
        str(tmp_path / places[word]) if word in places else str(clip) if word == "CLIP" else word for word in arguments
    ]
    done = vod(*words_typed)

    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("vod: ")
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_wrong_options_exit_with_2():
    for arguments in (
        ("encode",),
        ("encode", "a.mp4"),
        ("plan", "a", "b"),
        ("encode", "a", "-o", "b", "--jobs", "0"),
        ("x",),
    ):
        assert vod(*arguments).returncode == 2


def test_missing_programs_are_said(clip: Path, tmp_path: Path):
    done = subprocess.run(
        [*VOD, "plan", str(clip)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"VOD_FFPROBE": "/nowhere"},
    )

    assert done.returncode == 2
    assert "VOD_FFPROBE" in done.stderr


def test_plan_prints_commands_that_can_be_pasted(clip: Path, tmp_path: Path):
    """A chunk's command, run by a shell, makes what it says."""
    done = vod("plan", clip, "--json")
    document = json.loads(done.stdout)
    assert [one["name"] for one in document["plan"]["video"]["renditions"]] == ["240p"]
    command = document["commands"][0]
    subprocess.run(command["paste"], shell=True, cwd=tmp_path, check=True, capture_output=True)  # noqa: S602

    assert codes_of(tmp_path / "chunk_00000-240p.mp4") == list(
        range(document["plan"]["video"]["chunks"][0]["frame_count"])
    )
    text = vod("plan", clip).stdout
    for part in ("Source", "Ladder", "Cuts", "Cost", "Commands", "never upscaled", command["paste"]):
        assert part in text


def test_the_printed_profile_is_the_default_one(clip: Path, tmp_path: Path):
    (tmp_path / "my.toml").write_text(vod("profile").stdout)
    own = json.loads(vod("plan", clip, "--json", "--profile", tmp_path / "my.toml").stdout)
    default = json.loads(vod("plan", clip, "--json").stdout)

    assert own["plan"]["edition"] == default["plan"]["edition"]


@pytest.mark.parametrize("command", ["", "encode", "plan", "profile"])
def test_every_help_is_worth_reading(command: str):
    done = vod(*([command] if command else []), "--help")

    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert len(done.stdout.splitlines()) > 8
