"""Which programs are run: a name in the environment goes before those of the wheels."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from vod.errors import ConfigError
from vod.ffmpeg.binaries import FFMPEG_VARIABLE, FFPROBE_VARIABLE, find_binaries


@pytest.fixture(autouse=True)
def look_again(monkeypatch: pytest.MonkeyPatch):
    """Without what was found before, and without the settings of this machine."""
    monkeypatch.delenv(FFMPEG_VARIABLE, raising=False)
    monkeypatch.delenv(FFPROBE_VARIABLE, raising=False)
    find_binaries.cache_clear()
    yield
    find_binaries.cache_clear()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "my-ffmpeg"
    path.write_text("")
    path.chmod(0o755)
    return path.resolve()


def answering(said: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Stands for `subprocess.run` of a program that says this."""
    return lambda argv, **_: subprocess.CompletedProcess(argv, 0, stdout=said, stderr="")


def test_both_programs_come_with_the_wheels():
    found = find_binaries()

    assert Path(found.ffmpeg).is_file()
    assert Path(found.ffprobe).is_file()


def test_the_version_of_the_wheel_is_in_its_name(monkeypatch: pytest.MonkeyPatch):
    """No need to start it."""
    monkeypatch.setattr(subprocess, "run", None)

    assert re.fullmatch(r"\d+(\.\d+)+", find_binaries().ffmpeg_version)


def test_a_named_program_is_taken_and_asked_for_its_version(program: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FFMPEG_VARIABLE, str(program))
    monkeypatch.setattr(subprocess, "run", answering("ffmpeg version 9.9-mine Copyright (c) the developers"))

    assert find_binaries().ffmpeg == str(program)
    assert find_binaries().ffmpeg_version == "9.9-mine"


def test_a_program_that_is_another_is_told(program: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FFMPEG_VARIABLE, str(program))
    monkeypatch.setattr(subprocess, "run", answering("avconv version 12"))

    with pytest.raises(ConfigError, match=r"my-ffmpeg is no FFmpeg\. Set VOD_FFMPEG to one"):
        find_binaries()


def test_a_program_that_does_not_run_is_told(program: Path, monkeypatch: pytest.MonkeyPatch):
    def run(argv: list[str], **options: object) -> None:
        raise OSError(8, "Exec format error")

    monkeypatch.setenv(FFMPEG_VARIABLE, str(program))
    monkeypatch.setattr(subprocess, "run", run)

    with pytest.raises(ConfigError, match="my-ffmpeg does not run"):
        find_binaries()


def test_a_name_is_looked_up_in_the_path(program: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv(FFPROBE_VARIABLE, program.name)

    assert find_binaries().ffprobe == str(program)


@pytest.mark.parametrize("variable", [FFMPEG_VARIABLE, FFPROBE_VARIABLE])
def test_a_name_that_is_no_program_is_told(variable: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(variable, "/no/such/program")

    with pytest.raises(ConfigError, match=rf"^{variable} is '/no/such/program', which is no program"):
        find_binaries()


def test_an_empty_name_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FFMPEG_VARIABLE, "")

    assert Path(find_binaries().ffmpeg).name != ""
