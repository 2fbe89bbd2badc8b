"""Whole command lines as text: what is run is what can be read here, and pasted."""

import shlex
from fractions import Fraction

import pytest

from builders import a_chunk, a_plan, a_profile, a_rung, a_sound, a_source, a_video
from vod.ffmpeg.command import audio_command, encode_command, packets_command, probe_command
from vod.media.chunks import Chunk
from vod.media.ladder import output_frame_rate
from vod.media.plan import Plan
from vod.media.source import Color, Gap, Seeking

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,mxf,gif,"
    "wav,w64,aiff,mp3,aac,flac,ac3,eac3,caf,dv,ivf,yuv4mpegpipe,nut"
)
GUARDS = f"-format_whitelist {FORMATS} -max_pixels 67108864 -protocol_whitelist file"
MIDWAY = f"-format_whitelist {FORMATS} -max_pixels 67108864 -noaccurate_seek -protocol_whitelist file"
GLOBALS = "-copyts -nostdin -hide_banner -nostats -y -loglevel error -progress pipe:1 -stats_period 0.25"
FRAGMENTS = "-movflags +empty_moov+default_base_moof+frag_keyframe+negative_cts_offsets+skip_trailer"


def x264(bufsize: int, maxrate: int, *, gop: int = 50, timescale: int = 25_000, forced: str = "") -> str:
    """One rendition's options; the first test spells them out."""
    return (
        f"-f mp4 -bufsize {bufsize} -c:v libx264 -crf 23 -fflags +bitexact -flags +bitexact {forced}"
        "-fps_mode passthrough "
        f"-g {gop} -keyint_min {gop} -map_metadata -1 -maxrate {maxrate} {FRAGMENTS} -preset veryfast -profile:v high "
        f"-sc_threshold 0 -threads 1 -use_editlist 0 -video_track_timescale {timescale}"
    )


TOP, LOW = x264(7_000_000, 3_500_000), x264(1_800_000, 900_000)

#: In the first chunk the short first segment ends between two keyframes of the grid.
FORCED = "-force_key_frames 'expr:eq(n,25)' "
FIRST_TOP, FIRST_LOW = x264(7_000_000, 3_500_000, forced=FORCED), x264(1_800_000, 900_000, forced=FORCED)


def line(plan: Plan, chunk: Chunk, *outputs: str, url: str = "file:/in.mp4") -> str:
    """The command for a chunk, as it would be pasted."""
    return shlex.join(encode_command("ffmpeg", plan, chunk, url=url, outputs=outputs or ("a.mp4", "b.mp4")))


def middle() -> Chunk:
    """Frames 600 to 750: from 24 s on."""
    return a_chunk(index=4, first_segment=5, segment_count=1, start_frame=600, frame_count=150)


# -- chunks --------------------------------------------------------------------------------------------


def test_middle_chunk():
    """Entered at the keyframe of its first picture, found from a quarter of a frame later; the grid starts before."""
    assert line(a_plan(), middle()) == " ".join(
        (
            "ffmpeg",
            "-format_whitelist mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,mxf,gif,"
            "wav,w64,aiff,mp3,aac,flac,ac3,eac3,caf,dv,ivf,yuv4mpegpipe,nut",
            "-max_pixels 67108864 -noaccurate_seek -protocol_whitelist file -ss 24.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];[s4]split=2[s5][s6];"
            "[s5]setsar=1[s7];[s6]scale=flags=bicubic:h=360:w=640[s8];[s8]setsar=1[s9]'",
            "-map '[s7]' -f mp4 -bufsize 7000000 -c:v libx264 -crf 23 -fflags +bitexact -flags +bitexact",
            "-fps_mode passthrough -g 50 -keyint_min 50 -map_metadata -1 -maxrate 3500000",
            "-movflags +empty_moov+default_base_moof+frag_keyframe+negative_cts_offsets+skip_trailer",
            "-preset veryfast -profile:v high -sc_threshold 0 -threads 1 -use_editlist 0",
            "-video_track_timescale 25000 a.mp4",
            "-map '[s9]' -f mp4 -bufsize 1800000 -c:v libx264 -crf 23 -fflags +bitexact -flags +bitexact",
            "-fps_mode passthrough -g 50 -keyint_min 50 -map_metadata -1 -maxrate 900000",
            "-movflags +empty_moov+default_base_moof+frag_keyframe+negative_cts_offsets+skip_trailer",
            "-preset veryfast -profile:v high -sc_threshold 0 -threads 1 -use_editlist 0",
            "-video_track_timescale 25000 b.mp4",
            "-copyts -nostdin -hide_banner -nostats -y -loglevel error -progress pipe:1 -stats_period 0.25",
        )
    )


def test_first_chunk():
    """Read from the start. The short first segment ends between two keyframes of the grid, so one is forced."""
    assert line(a_plan(), a_chunk()) == " ".join(
        (
            f"ffmpeg {GUARDS} -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=0[s2];"
            "[s2]trim=end_pts=150:start_pts=0[s3];[s3]setpts=PTS-0[s4];[s4]split=2[s5][s6];"
            "[s5]setsar=1[s7];[s6]scale=flags=bicubic:h=360:w=640[s8];[s8]setsar=1[s9]'",
            f"-map '[s7]' {FIRST_TOP} a.mp4 -map '[s9]' {FIRST_LOW} b.mp4 {GLOBALS}",
        )
    )


def test_last_chunk_may_repeat_the_last_picture():
    """For half a second: where the container promised a little more than can be decoded."""
    assert line(
        a_plan(), a_chunk(index=9, first_segment=10, segment_count=1, start_frame=1350, frame_count=150)
    ) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 54.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=52[s2];"
            "[s2]tpad=stop=12:stop_mode=clone[s3];"
            "[s3]trim=end_pts=1500:start_pts=1350[s4];[s4]setpts=PTS-1350[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=360:w=640[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {TOP} a.mp4 -map '[s10]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_last_picture_is_held_while_there_is_sound():
    """Two seconds more sound: fifty frames, and the half second."""
    plan = a_plan(source=a_source(audio=(a_sound(end_s=Fraction(62)),)))

    assert line(plan, a_chunk(index=9, first_segment=10, start_frame=1350, frame_count=200)) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 54.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=52[s2];"
            "[s2]tpad=stop=62:stop_mode=clone[s3];"
            "[s3]trim=end_pts=1550:start_pts=1350[s4];[s4]setpts=PTS-1350[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=360:w=640[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {TOP} a.mp4 -map '[s10]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_chunk_of_held_pictures_alone_reads_the_end_of_the_source():
    plan = a_plan(source=a_source(audio=(a_sound(end_s=Fraction(120)),)))

    assert line(
        plan, a_chunk(index=12, first_segment=13, segment_count=1, start_frame=1800, frame_count=150)
    ) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 58.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=70[s2];"
            "[s2]tpad=stop=1512:stop_mode=clone[s3];"
            "[s3]trim=end_pts=1950:start_pts=1800[s4];[s4]setpts=PTS-1800[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=360:w=640[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {TOP} a.mp4 -map '[s10]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_first_picture_is_held_while_there_is_sound_before_it():
    """Half a second of sound before the picture: twelve frames."""
    plan = a_plan(source=a_source(audio=(a_sound(start_s=Fraction(-1, 2)),)))

    assert line(plan, a_chunk()) == " ".join(
        (
            f"ffmpeg {GUARDS} -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=0[s2];"
            "[s2]tpad=start=12:start_mode=clone[s3];"
            "[s3]trim=end_pts=150:start_pts=0[s4];[s4]setpts=PTS-0[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=360:w=640[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {FIRST_TOP} a.mp4 -map '[s10]' {FIRST_LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_chunk_after_the_lead_counts_the_sources_own_frames():
    """Output frame 600 is the source's 588th, at 23.52 s; a keyframe here."""
    video = a_video(keyframes_s=(Fraction(0), Fraction("23.52")))
    plan = a_plan(source=a_source(video=video, audio=(a_sound(start_s=Fraction(-1, 2)),)))

    assert line(plan, middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 23.530000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=21[s2];"
            "[s2]trim=end_pts=738:start_pts=588[s3];[s3]setpts=PTS-588[s4];[s4]split=2[s5][s6];"
            "[s5]setsar=1[s7];[s6]scale=flags=bicubic:h=360:w=640[s8];[s8]setsar=1[s9]'",
            f"-map '[s7]' {TOP} a.mp4 -map '[s9]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_short_video_is_held_at_both_ends_by_one_filter():
    sound = a_sound(start_s=Fraction(-1), end_s=Fraction(4))
    plan = a_plan(source=a_source(video=a_video(frame_count=50), audio=(sound,)))

    assert line(plan, a_chunk(frame_count=125)) == " ".join(
        (
            f"ffmpeg {GUARDS} -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=0[s2];"
            "[s2]tpad=start=25:start_mode=clone:stop=62:stop_mode=clone[s3];"
            "[s3]trim=end_pts=125:start_pts=0[s4];[s4]setpts=PTS-0[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=360:w=640[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {FIRST_TOP} a.mp4 -map '[s10]' {FIRST_LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_gap_before_a_chunk_is_read_from_the_picture_before_it():
    """Variable rate, milliseconds from 0.5 s on: what stands on screen at 24.5 s came at 20 s."""
    gap = Gap(start_s=Fraction(20), duration_s=Fraction(8))
    video = a_video(constant_rate=False, time_base=Fraction(1, 1000), start_ticks=500, gaps=(gap,))

    assert line(a_plan(source=a_source(video=video)), middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 18.510000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/1000[s0];[s0]setpts=PTS-500[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];[s4]split=2[s5][s6];"
            "[s5]setsar=1[s7];[s6]scale=flags=bicubic:h=360:w=640[s8];[s8]setsar=1[s9]'",
            f"-map '[s7]' {TOP} a.mp4 -map '[s9]' {LOW} b.mp4 {GLOBALS}",
        )
    )


@pytest.mark.parametrize(
    "gap", [Gap(start_s=Fraction(10), duration_s=Fraction(12)), Gap(start_s=Fraction(25), duration_s=Fraction(3))]
)
def test_a_gap_elsewhere_changes_nothing(gap: Gap):
    assert line(a_plan(source=a_source(video=a_video(gaps=(gap,)))), middle()) == line(a_plan(), middle())


def test_a_rough_container_is_entered_before_a_known_keyframe():
    """MPEG-TS that starts at 1.4 s: the chunk's first picture is a keyframe, at 25.4; half a second before it."""
    video = a_video(time_base=Fraction(1, 90_000), start_ticks=126_000)
    plan = a_plan(source=a_source(seeking=Seeking.ROUGH, start_s=Fraction(7, 5), video=video))

    assert line(plan, middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 23.500000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/90000[s0];[s0]setpts=PTS-126000[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];[s4]split=2[s5][s6];"
            "[s5]setsar=1[s7];[s6]scale=flags=bicubic:h=360:w=640[s8];[s8]setsar=1[s9]'",
            f"-map '[s7]' {TOP} a.mp4 -map '[s9]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_container_that_cannot_be_entered_is_read_from_the_start():
    assert "-ss" not in shlex.split(line(a_plan(source=a_source(seeking=Seeking.NONE)), middle()))


def test_the_grid_of_an_odd_rate_starts_on_a_whole_second():
    """30000/1001: only every 1001 seconds a frame lies on a whole second."""
    keyframes_s = (Fraction(0), 40_140 * Fraction(1001, 30_000))
    video = a_video(frame_rate=Fraction(30_000, 1001), frame_count=60_000, keyframes_s=keyframes_s)
    plan = a_plan(source=a_source(video=video))
    options = {"gop": 60, "timescale": 30_000}

    assert line(
        plan, a_chunk(index=9, first_segment=224, segment_count=1, start_frame=40_140, frame_count=180)
    ) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 1339.346342 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];"
            "[s1]fps=fps=30000/1001:start_time=1001[s2];"
            "[s2]trim=end_pts=40320:start_pts=40140[s3];[s3]setpts=PTS-40140[s4];[s4]split=2[s5][s6];"
            "[s5]setsar=1[s7];[s6]scale=flags=bicubic:h=360:w=640[s8];[s8]setsar=1[s9]'",
            f"-map '[s7]' {x264(7_000_000, 3_500_000, **options)} a.mp4",
            f"-map '[s9]' {x264(1_800_000, 900_000, **options)} b.mp4 {GLOBALS}",
        )
    )


def first_picture_of(rate: str, chunk: Chunk) -> tuple[Fraction, Fraction, Fraction]:
    """Where a chunk of a constant-rate film is entered, and from when to when its first picture is shown, seconds.

    That picture is a keyframe.
    """
    source_rate = Fraction(rate)
    number = chunk.start_frame / output_frame_rate(source_rate, 60) * source_rate // 1
    keyframes_s = (Fraction(0), number / source_rate)
    video = a_video(frame_rate=source_rate, frame_count=int(3600 * source_rate), keyframes_s=keyframes_s)
    plan = a_plan(source=a_source(video=video))
    argv = encode_command("ffmpeg", plan, chunk, url="file:/in.mp4", outputs=("a.mp4", "b.mp4"))
    return Fraction(argv[argv.index("-ss") + 1]), number / source_rate, (number + 1) / source_rate


@pytest.mark.parametrize(
    "rate",
    [
        pytest.param(
            "0.1",
        ),
        "0.7", "1", "24000/1001", "25", "60000/1001", "120", "240",
    ],
)  # fmt: skip
def test_a_chunk_is_entered_before_its_first_picture_is_over(rate: str):
    """Later, the keyframe that is found may be the next picture's; earlier, it may be the one before in vain."""
    for start_frame in range(9, 900, 9):
        entered_s, shown_s, over_s = first_picture_of(rate, a_chunk(start_frame=start_frame, frame_count=9))

        assert shown_s < entered_s < over_s


def test_a_chunk_is_entered_at_the_last_known_keyframe():
    """Open GOPs: pictures shown just before a keyframe are decoded after it, and need the one before.

    MP4's index is searched by decoding time: for 24.01 s it gives the keyframe that is shown at 24.04 s, decoded
    before 24 s; without what it refers to, the picture of 24 s is lost. x265 makes open GOPs unless told otherwise.
    """
    video = a_video(codec="hevc", keyframes_s=(Fraction(0), Fraction("22.04"), Fraction("24.04")))
    argv = encode_command(
        "ffmpeg", a_plan(source=a_source(video=video)), middle(), url="file:/in.mp4", outputs=("a.mp4", "b.mp4")
    )

    assert Fraction("22.04") <= Fraction(argv[argv.index("-ss") + 1]) <= Fraction("22.06")


# -- pictures ------------------------------------------------------------------------------------------


def test_interlaced():
    assert line(a_plan(source=a_source(video=a_video(interlaced=True))), middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 22.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];"
            "[s1]bwdif=deint=interlaced:mode=send_frame[s2];[s2]fps=fps=25:start_time=22[s3];"
            "[s3]trim=end_pts=750:start_pts=600[s4];[s4]setpts=PTS-600[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=360:w=640[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {TOP} a.mp4 -map '[s10]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_hdr_is_tone_mapped_at_the_largest_rendition():
    color = Color(primaries="bt2020", transfer="smpte2084", matrix="bt2020nc")
    video = a_video(width_px=1920, height_px=1080, pixel_format="yuv420p10le", color=color)

    assert line(a_plan(source=a_source(video=video)), middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 24.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];"
            "[s4]scale=flags=bicubic:h=720:w=1280[s5];"
            "[s5]zscale=npl=100:transfer=linear[s6];[s6]format=pix_fmts=gbrpf32le[s7];"
            "[s7]zscale=primaries=bt709[s8];[s8]tonemap=desat=0:tonemap=hable[s9];"
            "[s9]zscale=matrix=bt709:range=tv:transfer=bt709[s10];[s10]format=yuv420p[s11];[s11]split=2[s12][s13];"
            "[s12]setsar=1[s14];[s13]scale=flags=bicubic:h=360:w=640[s15];[s15]setsar=1[s16]'",
            f"-map '[s14]' {TOP} a.mp4 -map '[s16]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_full_range_in_ten_bits():
    video = a_video(pixel_format="yuv420p10le", color=Color(full_range=True))

    assert line(a_plan(source=a_source(video=video)), middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 24.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];"
            "[s4]scale=flags=bicubic:h=720:out_range=tv:w=1280[s5];[s5]format=yuv420p[s6];[s6]split=2[s7][s8];"
            "[s7]setsar=1[s9];[s8]scale=flags=bicubic:h=360:w=640[s10];[s10]setsar=1[s11]'",
            f"-map '[s9]' {TOP} a.mp4 -map '[s11]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_turned_picture_is_scaled_upright():
    """A phone's: 1920x1080 on the chip, 1080x1920 in the hand. FFmpeg turns it before the graph."""
    video = a_video(width_px=1080, height_px=1920, rotation_deg=90)

    assert line(a_plan(source=a_source(video=video)), middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 24.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];"
            "[s4]scale=flags=bicubic:h=1280:w=720[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=640:w=360[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {TOP} a.mp4 -map '[s10]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_turned_picture_of_the_right_size_is_not_scaled():
    video = a_video(width_px=720, height_px=1280, rotation_deg=270)

    assert line(a_plan(source=a_source(video=video)), middle()).count("scale=") == 1


def test_stretched_pixels_become_square():
    """PAL widescreen: 720x576 coded, 1024x576 shown."""
    video = a_video(width_px=1024, height_px=576, coded_width_px=720, sample_aspect=Fraction(64, 45))

    assert line(a_plan(source=a_source(video=video)), middle()) == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 24.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];"
            "[s4]scale=flags=bicubic:h=576:w=1024[s5];[s5]split=2[s6][s7];"
            "[s6]setsar=1[s8];[s7]scale=flags=bicubic:h=360:w=640[s9];[s9]setsar=1[s10]'",
            f"-map '[s8]' {TOP} a.mp4 -map '[s10]' {LOW} b.mp4 {GLOBALS}",
        )
    )


def test_a_single_rendition_is_not_split():
    plan = a_plan(profile=a_profile(rungs=(a_rung("720p", 1280, 720, max_bitrate_bps=3_500_000),)))

    assert line(plan, middle(), "pipe:7") == " ".join(
        (
            f"ffmpeg {MIDWAY} -ss 24.010000 -threads 1 -i file:/in.mp4",
            "-filter_complex '[0:0]settb=1/12800[s0];[s0]setpts=PTS-0[s1];[s1]fps=fps=25:start_time=22[s2];"
            "[s2]trim=end_pts=750:start_pts=600[s3];[s3]setpts=PTS-600[s4];[s4]setsar=1[s5]'",
            f"-map '[s5]' {TOP} pipe:7 {GLOBALS}",
        )
    )


# -- sound ---------------------------------------------------------------------------------------------

AAC = f"-c:a aac -fflags +bitexact -flags +bitexact -frag_duration 1000000 -map_metadata -1 {FRAGMENTS} -use_editlist 0"


def test_stereo_in_step_with_a_picture_that_starts_later():
    """The container's clock stands at -0.48 s when the output's is 0: on the picture's grid."""
    plan = a_plan(source=a_source(audio=(a_sound(start_s=Fraction(-1, 2), channels=6),)))

    assert shlex.join(audio_command("ffmpeg", plan, plan.audio[0], url="file:/in.mp4", output="a.mp4")) == " ".join(
        (
            f"ffmpeg {GUARDS} -i file:/in.mp4",
            "-filter_complex '[0:1]asetpts=PTS-round(-12/25/TB)[s0];[s0]atrim=start=0[s1];"
            "[s1]aresample=48000:async=1:first_pts=0:min_hard_comp=0.01[s2];"
            "[s2]aformat=channel_layouts=stereo:sample_fmts=fltp[s3];[s3]apad[s4];[s4]atrim=end=60.480000[s5]'",
            f"-map '[s5]' -f mp4 -b:a 128000 {AAC} a.mp4 {GLOBALS}",
        )
    )


def test_mono_in_step_with_a_container_that_starts_late():
    video = a_video(time_base=Fraction(1, 90_000), start_ticks=126_000)
    plan = a_plan(source=a_source(video=video, audio=(a_sound(channels=1, stream_index=3, start_s=Fraction(2)),)))

    assert shlex.join(audio_command("ffmpeg", plan, plan.audio[0], url="file:/in.mp4", output="pipe:5")) == " ".join(
        (
            f"ffmpeg {GUARDS} -i file:/in.mp4",
            "-filter_complex '[0:3]asetpts=PTS-round(7/5/TB)[s0];[s0]atrim=start=0[s1];"
            "[s1]aresample=48000:async=1:first_pts=0:min_hard_comp=0.01[s2];"
            "[s2]aformat=channel_layouts=mono:sample_fmts=fltp[s3];[s3]apad[s4];[s4]atrim=end=60.000000[s5]'",
            f"-map '[s5]' -f mp4 -b:a 64000 {AAC} pipe:5 {GLOBALS}",
        )
    )


# -- probes and guards ---------------------------------------------------------------------------------


def test_probe_command():
    assert shlex.join(probe_command("ffprobe", "file:/in.mp4")) == (
        f"ffprobe -hide_banner -v error -protocol_whitelist file -format_whitelist {FORMATS} -max_pixels 67108864 "
        "-show_format -show_streams -of json file:/in.mp4"
    )


def test_packets_command():
    assert shlex.join(packets_command("ffprobe", "http://127.0.0.1:8080/in.mp4")) == (
        f"ffprobe -hide_banner -v error -protocol_whitelist http,tcp -format_whitelist {FORMATS} -max_pixels 67108864 "
        "-show_entries packet=stream_index,pts,dts,duration,size,flags -of csv=print_section=0:nokey=1 "
        "http://127.0.0.1:8080/in.mp4"
    )


def every_command(url: str) -> list[list[str]]:
    plan = a_plan(source=a_source(audio=(a_sound(),)))
    return [
        encode_command("ffmpeg", plan, a_chunk(), url=url, outputs=("a.mp4", "b.mp4")),
        encode_command("ffmpeg", plan, middle(), url=url, outputs=("a.mp4", "b.mp4")),
        audio_command("ffmpeg", plan, plan.audio[0], url=url, output="a.mp4"),
        probe_command("ffprobe", url),
        packets_command("ffprobe", url),
    ]


@pytest.mark.parametrize(
    ("url", "protocols"),
    [
        ("file:/in.mp4", "file"),
        ("http://127.0.0.1:8080/in.mp4", "http,tcp"),
        ("file:http://example.com/in.mp4", "file"),
        ("file:/-i concat:x|y;$(touch z) 'q'.mp4", "file"),
    ],
)
def test_every_command_is_guarded_before_its_input(url: str, protocols: str):
    """Options count for the input that follows them; what a file is called changes no option."""
    for argv in every_command(url):
        before = argv[: argv.index(url)]

        assert before[before.index("-protocol_whitelist") + 1] == protocols
        assert before[before.index("-format_whitelist") + 1] == FORMATS
        assert before[before.index("-max_pixels") + 1] == "67108864"
        assert argv.count(url) == 1
        assert argv.count("-i") == (0 if argv[0] == "ffprobe" else 1)


@pytest.mark.parametrize(
    "format_name", ["hls", "concat", "dash", "ffmetadata", "image2", "lavfi", "rtsp", "sdp", "tty"]
)
def test_formats_that_read_other_things_are_not_allowed(format_name: str):
    assert format_name not in FORMATS.split(",")


def test_a_plan_of_sound_alone_has_no_chunks():
    plan = a_plan(source=a_source(video=None, audio=(a_sound(),)))

    with pytest.raises(ValueError, match="a plan without a picture has no chunks"):
        encode_command("ffmpeg", plan, a_chunk(), url="file:/in.mp4", outputs=())
