"""Sound and picture together: a flash and a beep, at the start and at the end, within 20 ms."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from made import encoded, ffmpeg, joined, media_playlists
from vod.media.plan import Plan

FLASHES_S = (1, 4, 18)
LENGTH_S = 20
SOUND_RATE = 48_000
LIMIT_S = 0.020


def flash_and_beep(path: Path, *, sound: str = "", options: tuple[str, ...] = (), rate: str = "30000/1001") -> Path:
    """White pictures and 1 kHz beeps, each 0.2 s long, on black and silence."""
    on = "+".join(f"between(t,{at}-0.001,{at}+0.199)" for at in FLASHES_S)
    ffmpeg(
        "-copyts",  # or each input would be moved to 0
        *("-f", "lavfi", "-i", f"color=black:s=384x216:r={rate}:d={LENGTH_S},drawbox=c=white:t=fill:enable='{on}'"),
        *("-f", "lavfi", "-i", f"aevalsrc='0.8*sin(2*PI*1000*t)*({on})':s=44100:d={LENGTH_S}{sound}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60", "-c:a", "aac", "-b:a", "128k"),
        *options,
        path,
    )
    return path


def flashes_s(output: Path, plan: Plan, tmp_path: Path) -> list[float]:
    """When the picture turns white, seconds on the stream's clock."""
    assert plan.video
    whole = joined(media_playlists(output, "video")["small"], tmp_path / "picture.mp4")
    raw = ffmpeg("-i", whole, "-vf", "scale=1:1,format=gray", "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    white = np.frombuffer(raw, np.uint8) > 128
    return [float(at / plan.video.frame_rate) for at in np.flatnonzero(white[1:] & ~white[:-1]) + 1]


def beeps_s(output: Path, tmp_path: Path) -> list[float]:
    """When the sound begins after silence."""
    (playlist,) = media_playlists(output, "audio").values()
    whole = joined(playlist, tmp_path / "sound.mp4")
    raw = ffmpeg("-i", whole, "-ac", "1", "-f", "s16le", "-ar", str(SOUND_RATE), "-")
    loud = np.abs(np.frombuffer(raw, np.int16).astype(int)) > 3000
    edges = np.flatnonzero(loud)
    quiet_before = np.diff(edges, prepend=-SOUND_RATE) > SOUND_RATE // 10
    return [float(at) / SOUND_RATE for at in edges[quiet_before]]


CASES = {
    "mp4": ("clip.mp4", "", ()),
    "mkv": ("clip.mkv", "", ()),
    "ts": ("clip.ts", "", ()),
    "edit list": ("clip.mp4", "", ("-ss", "0.26694")),
    "sound starts late": ("clip.mp4", ",atrim=start=0.75", ()),
    "sound starts late in a film that does not start at 0": (
        "clip.mkv",
        ",atrim=start=0.75",
        ("-output_ts_offset", "3"),
    ),
    "a hole in the sound": ("clip.mkv", ",aselect='not(between(t,6,7.5))'", ()),
    "a sound that ends early": ("clip.mp4", ",atrim=end=18.5", ()),
    "a container in milliseconds at 23.976": ("clip.mkv", "", ("-r", "24000/1001")),
}


@pytest.mark.parametrize("case", CASES)
def test_flash_and_beep_stay_together(case: str, tmp_path: Path):
    name, sound, options = CASES[case]
    rate = options[1] if "-r" in options else "30000/1001"
    clip = flash_and_beep(tmp_path / name, sound=sound, options=options, rate=rate)
    plan = encoded(clip, tmp_path / "out", 0.05)
    seen, heard = flashes_s(tmp_path / "out", plan, tmp_path), beeps_s(tmp_path / "out", tmp_path)

    assert len(seen) == len(heard) == len(FLASHES_S)
    shift_s = seen[0] - FLASHES_S[0]  # what the source's own start moved both by
    for flash_s, beep_s, at_s in zip(seen, heard, FLASHES_S, strict=True):
        assert abs(flash_s - beep_s) <= LIMIT_S, (seen, heard)
        assert abs(flash_s - at_s - shift_s) <= 0.04


def test_sound_that_starts_before_the_picture_is_kept(tmp_path: Path):
    """The first picture is held while the sound is alone."""
    clip = tmp_path / "clip.mov"
    on = "+".join(f"between(t,{at}-0.001,{at}+0.199)" for at in FLASHES_S)
    ffmpeg(
        "-copyts",  # or each input would be moved to 0
        *("-f", "lavfi", "-i", f"color=gray:s=384x216:r=25:d=20,drawbox=c=white:t=fill:enable='{on}',trim=start=0.6"),
        *("-f", "lavfi", "-i", f"aevalsrc='0.8*sin(2*PI*1000*t)*({on}+between(t,0.2,0.3))':s=48000:d=20"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le", clip),
    )
    plan = encoded(clip, tmp_path / "out", 0.05)

    assert plan.video
    assert plan.video.lead_frames == 15
    assert beeps_s(tmp_path / "out", tmp_path) == pytest.approx([0.2, 1, 4, 18], abs=LIMIT_S)
    assert flashes_s(tmp_path / "out", plan, tmp_path) == pytest.approx([1, 4, 18], abs=LIMIT_S)


def test_sound_that_outlasts_the_picture_holds_the_last_one(tmp_path: Path):
    clip = tmp_path / "clip.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=384x216:r=25:d=3"),
        *("-f", "lavfi", "-i", "sine=f=440:d=9:r=48000"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac", clip),
    )
    plan = encoded(clip, tmp_path / "out", 0.0005)

    assert plan.video
    assert len(plan.video.chunks) >= 2
    assert plan.video.hold_frames in (150, 151)
    assert abs(plan.duration_s - 9) <= Fraction(2, 25)
