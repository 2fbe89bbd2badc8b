"""Every FFmpeg and ffprobe command line: pure functions from a plan to an argv.

Built with ffmpeg-python where there is a graph to build; run by `vod.ffmpeg.process`, or pasted into a shell.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import floor
from typing import Any

import ffmpeg

from vod.media.chunks import Chunk
from vod.media.ladder import Rendition
from vod.media.plan import AudioPlan, Plan, VideoPlan
from vod.media.source import Seeking, VideoTrack

#: Containers that may be opened. What is missing is missing on purpose: playlists and scripts (hls, concat,
#: dash, ffmetadata …) name other files and hosts to read.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "mpeg", "avi", "flv", "ogg", "asf", "mxf", "gif",
    "wav", "w64", "aiff", "mp3", "aac", "flac", "ac3", "eac3", "caf", "dv", "ivf", "yuv4mpegpipe", "nut",
)  # fmt: skip

#: No picture larger than this is decoded: 8K with room (8192 x 8192).
MAX_PIXELS = 8192 * 8192

#: Where frames lie off the grid or filters look back (deinterlacing), decoding starts so long before a chunk,
#: seconds, that they are in step when it begins.
PRE_ROLL_S = Fraction(1)

#: Packets in which keyframes are looked at: longer than any usual distance of keyframes, sound included.
KEYFRAME_PACKETS = 1000

#: Where a search by timestamps enters a container, reading starts so long before a known keyframe, seconds.
ROUGH_SEEK_S = Fraction(1, 2)

#: The last picture may be repeated for so long where the container promised a little more than can be decoded.
TAIL_S = Fraction(1, 2)

#: Gaps and overlaps in the sound from this length on are filled or cut, so that it stays in step, seconds.
AUDIO_RESYNC_S = 0.01

#: Linear light, tone-mapped by Hable's curve, back to BT.709. 100 cd/m² is SDR's reference white (ITU-R BT.2408).
_TONE_MAP = (
    ("zscale", {"transfer": "linear", "npl": 100}),
    ("format", {"pix_fmts": "gbrpf32le"}),
    ("zscale", {"primaries": "bt709"}),
    ("tonemap", {"tonemap": "hable", "desat": 0}),
    ("zscale", {"transfer": "bt709", "matrix": "bt709", "range": "tv"}),
)


def input_options(url: str) -> dict[str, Any]:
    """What every command says before its input: one protocol, known containers, no giant pictures."""
    return {
        # "file" alone: a container cannot make FFmpeg open a socket, a playlist, or a subprotocol.
        "protocol_whitelist": "http,tcp" if url.startswith("http://") else "file",
        "format_whitelist": ",".join(FORMATS),
        "max_pixels": MAX_PIXELS,
    }


def probe_command(ffprobe: str, url: str) -> list[str]:
    """Streams and container as JSON on stdout."""
    return [*_ffprobe(ffprobe, url), "-show_format", "-show_streams", "-of", "json", url]


def packets_command(ffprobe: str, url: str) -> list[str]:
    """One line per packet on stdout: stream_index,pts,dts,duration,size,flags."""
    return [
        *_ffprobe(ffprobe, url),
        *("-show_entries", "packet=stream_index,pts,dts,duration,size,flags"),
        *("-of", "csv=print_section=0:nokey=1"),
        url,
    ]


def keyframes_command(ffprobe: str, url: str, *, stream_index: int) -> list[str]:
    """On stdout the flags of the first packets (K: keyframe), and a type (I, P, B) for each that decodes as one."""
    return [
        *_ffprobe(ffprobe, url),
        *("-skip_frame", "nokey", "-select_streams", str(stream_index), "-read_intervals", f"%+#{KEYFRAME_PACKETS}"),
        *("-show_entries", "packet=flags:frame=pict_type", "-of", "csv=print_section=0:nokey=1"),
        url,
    ]


def _ffprobe(ffprobe: str, url: str) -> list[str]:
    argv = [ffprobe, "-hide_banner", "-v", "error"]
    for name, value in input_options(url).items():
        argv += [f"-{name}", str(value)]
    return argv


def encode_command(binary: str, plan: Plan, chunk: Chunk, *, url: str, outputs: Sequence[str]) -> list[str]:
    """Encode one chunk in every rendition: one process, one decode, each size scaled from the next larger.

    Args:
        binary: ffmpeg's path.
        plan: Of the edition; has video.
        chunk: One of its chunks.
        url: The source: "file:/…" or "http://127.0.0.1…".
        outputs: One per rendition, largest first: "pipe:7" or a file. Each gets a fragmented MP4 of one track,
            a fragment per GOP, that starts at time 0.
    """
    video, track = _video(plan)
    options = input_options(url) | {"threads": 1}  # parallel work comes from chunks; more threads only cost memory
    seek_s = _read_from_s(plan, chunk)
    if seek_s is not None:
        options["ss"] = _seconds(seek_s - plan.source.start_s)
        options["noaccurate_seek"] = None  # decode from the keyframe on; what is too early, the frame numbers cut
    stream = ffmpeg.input(url, **options)[str(track.stream_index)]
    trunk = _colors(_frames(stream, plan, chunk), track, video.renditions[0])
    legs = []
    for number, rendition in enumerate(video.renditions):
        if (rendition.width_px, rendition.height_px) != _size_before(track, video.renditions, number):
            trunk = trunk.filter("scale", w=rendition.width_px, h=rendition.height_px, flags="bicubic")
        if number == len(video.renditions) - 1:
            leg = trunk
        else:
            split = trunk.filter_multi_output("split", 2)
            leg, trunk = split[0], split[1]
        # Rounding to even sizes bends the pixel shape by a hair; players must not squeeze it back.
        leg = leg.filter("setsar", 1)
        legs.append(ffmpeg.output(leg, outputs[number], **_x264(plan, rendition, chunk)))
    return _compile(binary, legs)


def audio_command(binary: str, plan: Plan, track: AudioPlan, *, url: str, output: str) -> list[str]:
    """Encode one sound track, whole, in step with the picture: padded with silence, cut at the picture's end."""
    stream = ffmpeg.input(url, **input_options(url))[str(track.stream_index)]
    stream = (
        # Time 0 is the picture's; round() because asetpts cuts off fractions.
        stream.filter("asetpts", f"PTS-round({plan.zero_s}/TB)")
        .filter("atrim", start=0)
        # first_pts pads a late start with silence, async=1 fills the gaps.
        .filter("aresample", track.sample_rate_hz, min_hard_comp=AUDIO_RESYNC_S, first_pts=0, **{"async": 1})
        .filter("aformat", sample_fmts="fltp", channel_layouts="stereo" if track.channels == 2 else "mono")
        .filter("apad")
        .filter("atrim", end=_seconds(plan.duration_s))
    )
    output_options = {
        "c:a": "aac",
        "b:a": track.bitrate_bps,
        "frag_duration": 1_000_000,  # microseconds; keeps memory small, our own segmenter cuts anew
        **_fragmented_mp4(),
    }
    return _compile(binary, [ffmpeg.output(stream, output, **output_options)])


def _frames(stream: Any, plan: Plan, chunk: Chunk) -> Any:
    """Exactly the chunk's frames, numbered from 0, however the source spaces its own.

    The source's first picture is moved to time 0 in its own ticks, so the frame-rate filter's grid falls
    on it exactly, whichever chunk asks; the chunk is cut out by frame number, not by time.
    """
    video, track = _video(plan)
    rate = video.frame_rate
    stream = stream.filter("settb", f"{track.time_base}").filter("setpts", f"PTS-{track.start_ticks}")
    if track.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
    leading = chunk.start_frame < video.lead_frames
    first = chunk.start_frame if leading else chunk.start_frame - video.lead_frames
    stream = stream.filter("fps", fps=f"{rate}", start_time=_grid_start_s(first, rate, leading=leading))
    pad: dict[str, Any] = {}  # one filter for both ends: two in a row count the frames of the second wrong
    if leading:
        pad |= {"start_mode": "clone", "start": video.lead_frames}
    end = first + chunk.frame_count
    if chunk.start_frame + chunk.frame_count > video.frame_count - video.hold_frames - floor(TAIL_S * rate) - 1:
        pad |= {"stop_mode": "clone", "stop": video.hold_frames + max(2, floor(TAIL_S * rate))}
    if pad:
        stream = stream.filter("tpad", **pad)
    return stream.filter("trim", start_pts=first, end_pts=end).filter("setpts", f"PTS-{first}")


def _grid_start_s(first: int, rate: Fraction, *, leading: bool) -> int:
    """Where the frame-rate filter starts to count: a whole second on the grid, before the pre-roll.

    From 0 it would repeat the first picture up to a late chunk. A time that is whole in seconds and in frames
    is exact in every time base, so frames are rounded as from 0.
    """
    if leading:
        return 0
    step_s = rate.denominator  # in which come rate.numerator frames
    return max(0, floor((first / rate - PRE_ROLL_S - 1) / step_s)) * step_s


def _read_from_s(plan: Plan, chunk: Chunk) -> Fraction | None:
    """Container time from which the chunk's frames can be made; None: from the start."""
    video, track = _video(plan)
    if plan.source.seeking is Seeking.NONE or chunk.start_frame <= video.lead_frames:
        return None
    at_s = min(track.start_s + (chunk.start_frame - video.lead_frames) / video.frame_rate, track.end_s)
    if track.constant_rate and not track.interlaced and at_s < track.end_s:
        # The chunk's first picture is known to the frame: enter at its keyframe, even if that is the picture itself.
        from_s = at_s + 1 / (4 * max(track.frame_rate, video.frame_rate))
    else:
        from_s = at_s - PRE_ROLL_S
    for gap in track.gaps:
        # The picture on screen at the chunk's start may have come long before.
        if gap.start_s <= at_s and gap.start_s + gap.duration_s >= from_s:
            from_s = min(from_s, gap.start_s - PRE_ROLL_S / 2)
    keyframe_s = max((at for at in track.keyframes_s if at <= from_s), default=track.start_s)
    if plan.source.seeking is Seeking.ROUGH:
        from_s = keyframe_s - ROUGH_SEEK_S
    else:
        # MP4's index is searched by decode time, which runs ahead of presentation: a little after the picture before
        # a keyframe the search finds that keyframe, too late. Just after a known one it finds that one.
        from_s = min(from_s, keyframe_s + 1 / (4 * max(track.frame_rate, video.frame_rate)))
    return from_s if from_s > track.start_s else None


def _colors(stream: Any, track: VideoTrack, top: Rendition) -> Any:
    """Eight-bit 4:2:0 in video range; HDR is tone-mapped at the largest size that is needed."""
    if track.color.is_hdr:
        if (top.width_px, top.height_px) != _upright(track):
            stream = stream.filter("scale", w=top.width_px, h=top.height_px, flags="bicubic")
        for name, options in _TONE_MAP:
            stream = stream.filter(name, **options)
    elif track.color.full_range:
        stream = stream.filter("scale", w=top.width_px, h=top.height_px, out_range="tv", flags="bicubic")
    return stream.filter("format", "yuv420p") if track.pixel_format != "yuv420p" else stream


def _size_before(track: VideoTrack, renditions: Sequence[Rendition], number: int) -> tuple[int, int]:
    """Size of the picture that rendition `number` is scaled from."""
    if number:
        return renditions[number - 1].width_px, renditions[number - 1].height_px
    if track.color.is_hdr or track.color.full_range:  # scaled with the colours
        return renditions[0].width_px, renditions[0].height_px
    return _upright(track)


def _upright(track: VideoTrack) -> tuple[int, int]:
    """Coded size after FFmpeg's automatic rotation."""
    size = (track.coded_width_px, track.coded_height_px)
    return size[::-1] if track.rotation_deg in (90, 270) else size


def _x264(plan: Plan, rendition: Rendition, chunk: Chunk) -> dict[str, Any]:
    video, _ = _video(plan)
    forced = video.forced_keyframes(chunk)
    return {
        "c:v": "libx264",
        "preset": plan.profile.video.preset,
        "profile:v": "high",
        "crf": f"{rendition.crf:g}",
        "maxrate": rendition.max_bitrate_bps,
        "bufsize": rendition.buffer_bits,
        # Keyframes at fixed frames and nowhere else: the same borders in every rendition.
        "g": video.gop_frames,
        "keyint_min": video.gop_frames,
        "sc_threshold": 0,
        # By number: a time with six decimals can be a frame late.
        **({"force_key_frames": "expr:" + "+".join(f"eq(n,{frame})" for frame in forced)} if forced else {}),
        # More threads with VBV are not repeatable; parallel work comes from rungs and chunks.
        "threads": 1,
        # Frames come numbered: none may be dropped or repeated to please a muxer.
        "fps_mode": "passthrough",
        "video_track_timescale": video.timescale,
        **_fragmented_mp4(),
    }


def _fragmented_mp4() -> dict[str, Any]:
    """A stream that can be cut while it is written; every player agrees on its times without an edit list."""
    return {
        "f": "mp4",
        "movflags": "+empty_moov+default_base_moof+frag_keyframe+negative_cts_offsets+skip_trailer",
        "use_editlist": 0,
        "map_metadata": -1,
        "fflags": "+bitexact",  # no version or date in the bytes
        "flags": "+bitexact",
    }


def _compile(binary: str, outputs: Sequence[Any]) -> list[str]:
    merged = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    # copyts: the source's own timestamps reach the filters. Progress goes to stdout, errors to stderr.
    argv: list[str] = merged.global_args(
        *("-copyts", "-nostdin", "-hide_banner", "-nostats", "-y"),
        *("-loglevel", "error", "-progress", "pipe:1", "-stats_period", "0.25"),
    ).compile(cmd=binary)
    return argv


def _video(plan: Plan) -> tuple[VideoPlan, VideoTrack]:
    if plan.video is None or plan.source.video is None:
        raise ValueError("a plan without a picture has no chunks")
    return plan.video, plan.source.video


def _seconds(value: Fraction) -> str:
    """Six decimals, as FFmpeg keeps them."""
    return f"{float(value):.6f}"
