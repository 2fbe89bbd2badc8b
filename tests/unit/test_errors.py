"""The errors: their texts, and that each has its place in the tree."""

import importlib
import pkgutil
from collections.abc import Iterator

import vod
from vod import errors
from vod.errors import ConfigError, FFmpegError, InputError, Interrupted, VodError


def subclasses(kind: type) -> Iterator[type]:
    for found in kind.__subclasses__():
        yield found
        yield from subclasses(found)


def test_an_input_error_says_what_is_wrong_and_what_to_do():
    error = InputError("truncated", "a.mp4 is cut off.", "Upload all of it again.")

    assert str(error) == "a.mp4 is cut off. Upload all of it again."
    assert (error.code, error.sentence, error.remedy) == ("truncated", "a.mp4 is cut off.", "Upload all of it again.")


def test_an_ffmpeg_error_says_how_it_failed_its_last_words_and_the_command():
    error = FFmpegError(
        "ffmpeg failed with exit code 1.",
        argv=["ffmpeg", "-i", "file:/my film.mp4"],
        exit_code=1,
        stderr_tail=["first", "last"],
    )

    assert str(error) == (
        "ffmpeg failed with exit code 1.\n"
        "Its last lines:\n"
        "  first\n"
        "  last\n"
        "The command:\n"
        "  ffmpeg -i 'file:/my film.mp4'"
    )
    assert (error.reason, error.exit_code) == ("ffmpeg failed with exit code 1.", 1)
    assert error.argv == ("ffmpeg", "-i", "file:/my film.mp4")
    assert error.stderr_tail == ("first", "last")


def test_an_ffmpeg_error_without_a_process_is_one_sentence():
    assert str(FFmpegError("a task left nothing behind.")) == "a task left nothing behind."


def test_an_interruption_is_no_failure():
    """`except Exception` must not swallow it."""
    assert not issubclass(Interrupted, Exception)


def test_every_error_stands_in_the_tree():
    """Whatever module defines it."""
    for module in pkgutil.walk_packages(vod.__path__, "vod."):
        importlib.import_module(module.name)

    for error in subclasses(VodError):
        assert f"── {error.__name__} " in (errors.__doc__ or ""), error
        assert error.__module__ == "vod.errors", error


def test_the_tree_names_no_other_errors():
    named = [word for word in (errors.__doc__ or "").split() if word.endswith("Error") or word == "Interrupted"]

    assert named == ["VodError", "InputError", "ConfigError", "FFmpegError", "Interrupted"]
    assert all(issubclass(kind, VodError) for kind in (InputError, ConfigError, FFmpegError))
