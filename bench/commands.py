"""Every FFmpeg command line of the benchmark: pure functions from a ladder to an argv.

Written by hand, as somebody would who knows FFmpeg and does not know vod. Paths are relative to the work folder.
"""

from collections.abc import Sequence

from bench.ladder import Ladder, Rung
from bench.source import HEIGHT_PX, WIDTH_PX

#: One more or less in x264's CRF changes the bitrate by this factor (six halve or double it); caps move with it.
BITRATE_PER_CRF = 2 ** (1 / 6)


def sequential_commands(ffmpeg: str, source: str, ladder: Ladder, folder: str) -> list[list[str]]:
    """One process per rung, each with its own decode; the first takes the sound along."""
    commands = []
    for number, rung in enumerate(ladder.rungs):
        argv = [*_begin(ffmpeg, source), "-map", "0:v:0"]
        if (rung.width_px, rung.height_px) != (WIDTH_PX, HEIGHT_PX):
            argv += ["-vf", _scale(rung)]
        argv += [*_x264(rung, ladder), *_hls(ladder), *_files(f"{folder}/{rung.name}")]
        if number == 0:
            argv += ["-map", "0:a:0", *_aac(ladder), *_hls(ladder), *_files(f"{folder}/audio")]
        commands.append(argv)
    return commands


def single_command(
    ffmpeg: str, source: str, ladder: Ladder, folder: str, *, threads: int | None, crf_shift: int = 0
) -> list[str]:
    """The best that one command can do: decode once, scale each size from the next larger, one hls muxer.

    Args:
        ffmpeg: The program.
        source: The clip.
        ladder: What to encode.
        folder: Where to.
        threads: Of each x264; None leaves the choice to x264.
        crf_shift: Added to each CRF; caps are divided by BITRATE_PER_CRF as often, so that a rung that runs into
            its cap moves too.
    """
    argv = [*_begin(ffmpeg, source), "-filter_complex", _cascade(ladder)]
    for number in range(len(ladder.rungs)):
        argv += ["-map", f"[v{number}]"]
    argv += ["-map", "0:a:0", *_aac(ladder)]
    for number, rung in enumerate(ladder.rungs):
        argv += _x264(rung, ladder, stream=f":{number}", threads=threads, crf_shift=crf_shift)
    streams = [f"v:{number},agroup:audio,name:{rung.name}" for number, rung in enumerate(ladder.rungs)]
    argv += [*_hls(ladder), "-master_pl_name", "index.m3u8"]
    argv += ["-var_stream_map", " ".join([*streams, "a:0,agroup:audio,default:yes,name:audio"])]
    return [*argv, *_files(f"{folder}/%v")]


def decode_command(ffmpeg: str, source: str) -> list[str]:
    """Decode the picture and throw it away; one thread is the cheapest."""
    return [*_begin(ffmpeg, source, "-threads", "1"), "-map", "0:v:0", "-f", "null", "-"]


def scale_command(ffmpeg: str, source: str, ladder: Ladder) -> list[str]:
    """The same, and all sizes of the ladder."""
    argv = [*_begin(ffmpeg, source, "-threads", "1"), "-filter_complex_threads", "1"]
    argv += ["-filter_complex", _cascade(ladder)]
    for number in range(len(ladder.rungs)):
        argv += ["-map", f"[v{number}]"]
    return [*argv, "-f", "null", "-"]


def audio_command(ffmpeg: str, source: str, ladder: Ladder) -> list[str]:
    """Encode the sound and throw it away."""
    return [*_begin(ffmpeg, source), "-map", "0:a:0", *_aac(ladder), "-f", "null", "-"]


def raw_command(ffmpeg: str, source: str, rung: Rung, path: str) -> list[str]:
    """The frames of one size as raw 4:2:0."""
    return [*_begin(ffmpeg, source), "-map", "0:v:0", "-vf", _scale(rung), "-f", "rawvideo", path]


def read_raw_command(ffmpeg: str, path: str, rung: Rung, ladder: Ladder) -> list[str]:
    """Read raw frames and throw them away: what x264_command pays for its input."""
    return [*_begin(ffmpeg, path, *_raw(rung, ladder)), "-c", "copy", "-f", "null", "-"]


def x264_command(ffmpeg: str, path: str, rung: Rung, ladder: Ladder) -> list[str]:
    """x264 alone, in one thread: raw frames in, nothing out."""
    return [*_begin(ffmpeg, path, *_raw(rung, ladder)), *_x264(rung, ladder, threads=1), "-f", "null", "-"]


def vmaf_command(
    ffmpeg: str, encoded: str, source: str, ladder: Ladder, *, log: str, every: int, threads: int
) -> list[str]:
    """VMAF of one rendition, shown as large as the source, against the source.

    Frames are paired by number in a time base of one frame. In the containers' own, setpts=N/TB/fps cuts fractions
    off, now in one input, now in the other, and some frames are compared with the one before: 9 points too few.
    """
    number = f"settb=1/({ladder.frame_rate}),setpts=N"
    graph = (
        f"[0:v]{number},scale={WIDTH_PX}:{HEIGHT_PX}:flags=bicubic[encoded];[1:v]{number}[source];"
        f"[encoded][source]libvmaf=n_subsample={every}:n_threads={threads}:log_fmt=json:log_path={log}"
    )
    return [*_begin(ffmpeg, encoded), "-i", source, "-filter_complex", graph, "-f", "null", "-"]


def _begin(ffmpeg: str, source: str, *options: str) -> list[str]:
    return [ffmpeg, "-v", "error", "-nostdin", "-y", *options, "-i", source]


def _scale(rung: Rung) -> str:
    return f"scale={rung.width_px}:{rung.height_px}:flags=bicubic"


def _cascade(ladder: Ladder) -> str:
    """Labels [v0], [v1] … for the rungs, each scaled from the one before."""
    parts, label = [], "0:v:0"
    for number, rung in enumerate(ladder.rungs):
        is_last = number == len(ladder.rungs) - 1
        steps = [] if (rung.width_px, rung.height_px) == (WIDTH_PX, HEIGHT_PX) else [_scale(rung)]
        steps += [] if is_last and steps else ["null" if is_last else "split=2"]
        parts.append(f"[{label}]{','.join(steps)}[v{number}]" + ("" if is_last else f"[s{number}]"))
        label = f"s{number}"
    return ";".join(parts)


def _x264(rung: Rung, ladder: Ladder, *, stream: str = "", threads: int | None = None, crf_shift: int = 0) -> list[str]:
    factor = BITRATE_PER_CRF**-crf_shift
    options = {
        "c:v": "libx264",
        "preset:v": ladder.preset,
        "profile:v": "high",
        "crf:v": f"{rung.crf + crf_shift:g}",
        "maxrate:v": f"{rung.max_bitrate_bps * factor:.0f}",
        "bufsize:v": f"{rung.buffer_bits * factor:.0f}",
        "g:v": str(ladder.gop_frames),
        "keyint_min:v": str(ladder.gop_frames),
        "sc_threshold:v": "0",
    }
    if threads:
        options["threads:v"] = str(threads)
    return [text for name, value in options.items() for text in (f"-{name}{stream}", value)]


def _aac(ladder: Ladder) -> Sequence[str]:
    return ("-c:a", "aac", "-b:a", str(ladder.audio_bitrate_bps), "-ac", "2")


def _hls(ladder: Ladder) -> Sequence[str]:
    return (
        *("-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", f"{ladder.segment_s:g}"),
        *("-hls_playlist_type", "vod", "-hls_flags", "independent_segments"),
    )


def _files(folder: str) -> Sequence[str]:
    return ("-hls_segment_filename", f"{folder}/%05d.m4s", f"{folder}/playlist.m3u8")


def _raw(rung: Rung, ladder: Ladder) -> Sequence[str]:
    return (
        *("-f", "rawvideo", "-pixel_format", "yuv420p"),
        *("-video_size", f"{rung.width_px}x{rung.height_px}", "-framerate", str(ladder.frame_rate)),
    )
