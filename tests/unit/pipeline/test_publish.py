"""Publishing: playlists out of what tasks left behind, in any order, and refusals of what does not fit."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import msgspec
import pytest

from builders import a_plan, a_sound, a_source, a_video
from vod.errors import FFmpegError
from vod.hls.layout import init_key, segment_key
from vod.media.encoded import Segment, TaskResult, Track
from vod.media.plan import Plan, decode_fraction
from vod.media.source import AudioTrack
from vod.pipeline.audio import task_name as audio_task
from vod.pipeline.encode import task_name as chunk_task
from vod.pipeline.publish import Report, publish


def a_short_sound(**changes: object) -> AudioTrack:
    """As long as the picture of `a_short_plan`."""
    return a_sound(**{"end_s": Fraction(8)} | changes)


SOUND = a_short_sound(title="English")


class MemoryStore:
    """Objects in the order in which they were written."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        self.objects.pop(key, None)
        self.objects[key] = data

    def text(self, key: str) -> str:
        return self.objects[key].decode()


def a_short_plan(*sounds: AudioTrack) -> Plan:
    """Eight seconds: segments of 1, 5 and 2 s, in one chunk."""
    return a_plan(source=a_source(video=a_video(frame_count=200), audio=sounds), edition="0123456789abcdef")


def results_of(plan: Plan) -> list[TaskResult]:
    """What all tasks of a plan leave behind: 100 kB a second in the top rendition, half below, 16 kB of sound."""
    results = []
    if plan.video:
        video = plan.video
        for chunk in video.chunks:
            numbers = range(chunk.first_segment, chunk.first_segment + chunk.segment_count)
            tracks = []
            for level, rendition in enumerate(video.renditions):
                durations_s = [video.segment_frame_count(number) / video.frame_rate for number in numbers]
                track = a_track("video", rendition.name, numbers, durations_s, 100_000 >> level, chunk=chunk.index)
                tracks.append(replace(track, width_px=rendition.width_px, height_px=rendition.height_px))
            results.append(TaskResult(task=chunk_task(chunk), tracks=tuple(tracks), cpu_s=1.0, wall_s=1.0))
    for sound in plan.audio:
        track = a_track("audio", sound.name, range(2), [plan.duration_s / 2] * 2, 16_000)
        track = replace(track, codec="mp4a.40.2", channels=sound.channels)
        results.append(TaskResult(task=audio_task(sound), tracks=(track,), cpu_s=0.5, wall_s=1.0))
    return results


def a_track(
    kind: str, name: str, numbers: Sequence[int], durations_s: Sequence[Fraction], bytes_per_s: int, *, chunk: int = 0
) -> Track:
    return Track(
        kind=kind,
        name=name,
        init_key=init_key(kind, name),
        init_sha256=f"sha of {name}",
        codec="avc1.64001f",
        segments=tuple(
            Segment(
                number=number,
                key=segment_key(kind, name, chunk=chunk, fence=0, number=number),
                size_bytes=int(bytes_per_s * duration_s),
                duration_s=duration_s,
            )
            for number, duration_s in zip(numbers, durations_s, strict=True)
        ),
    )


def published(plan: Plan) -> tuple[Report, MemoryStore]:
    store = MemoryStore()
    return publish(plan, results_of(plan), store), store


def names_of(store: MemoryStore) -> list[str]:
    """NAME of each sound track in the multivariant playlist."""
    lines = store.text("index.m3u8").splitlines()
    return [line.partition('NAME="')[2].partition('"')[0] for line in lines if line.startswith("#EXT-X-MEDIA:")]


def test_picture_and_sound():
    _, store = published(a_short_plan(SOUND))

    assert store.text("index.m3u8") == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="0123456789abcdef/audio/0-en/playlist.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=928000,AVERAGE-BANDWIDTH=928000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO="audio"\n'
        "0123456789abcdef/video/720p/playlist.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=528000,AVERAGE-BANDWIDTH=528000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="audio"\n'
        "0123456789abcdef/video/360p/playlist.m3u8\n"
    )
    assert store.text("0123456789abcdef/video/720p/playlist.m3u8") == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:5\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="init.mp4"\n'
        "#EXTINF:1.000000,\n"
        "00000-0-00000.m4s\n"
        "#EXTINF:5.000000,\n"
        "00000-0-00001.m4s\n"
        "#EXTINF:2.000000,\n"
        "00000-0-00002.m4s\n"
        "#EXT-X-ENDLIST\n"
    )


def test_the_link_is_written_last():
    """Whoever reads it finds all that it names."""
    _, store = published(a_short_plan(SOUND))

    assert list(store.objects) == [
        "0123456789abcdef/video/720p/playlist.m3u8",
        "0123456789abcdef/video/360p/playlist.m3u8",
        "0123456789abcdef/audio/0-en/playlist.m3u8",
        "0123456789abcdef/report.json",
        "index.m3u8",
    ]


def test_the_report_is_stored_as_it_is_returned():
    report, store = published(a_short_plan(SOUND))

    read = msgspec.json.decode(store.objects["0123456789abcdef/report.json"], type=Report, dec_hook=decode_fraction)

    assert read == report
    assert [(track.kind, track.name, track.segment_count) for track in report.tracks] == [
        ("video", "720p", 3), ("video", "360p", 3), ("audio", "0-en", 2),
    ]  # fmt: skip
    assert report.tracks[0].duration_s == 8
    assert report.cpu_s == sum(result.cpu_s for result in results_of(report.plan))


def test_sound_alone_is_the_only_variant():
    plan = a_plan(source=a_source(video=None, audio=(SOUND, a_short_sound(stream_index=2))), edition="0123456789abcdef")
    _, store = published(plan)

    assert store.text("index.m3u8") == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=128000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2"\n'
        "0123456789abcdef/audio/0-en/playlist.m3u8\n"
    )


def test_picture_alone_names_no_audio_group():
    _, store = published(a_short_plan())

    assert "AUDIO" not in store.text("index.m3u8")


def test_the_best_variant_that_a_modest_line_carries_comes_first():
    """Apple's players start with the first one."""
    plan = a_short_plan()
    store, results = MemoryStore(), results_of(plan)
    heavy = tuple(
        replace(track, segments=tuple(replace(one, size_bytes=8 * one.size_bytes) for one in track.segments))
        for track in results[0].tracks
    )

    publish(plan, [replace(results[0], tracks=heavy)], store)

    assert [line for line in store.text("index.m3u8").splitlines() if not line.startswith("#")] == [
        "0123456789abcdef/video/360p/playlist.m3u8",
        "0123456789abcdef/video/720p/playlist.m3u8",
    ]


def test_results_may_come_in_any_order():
    plan = a_plan(source=a_source(audio=(SOUND,)), profile=replace(a_plan().profile, chunk_work_s=1.0))
    assert plan.video
    assert len(plan.video.chunks) > 3
    one, other = MemoryStore(), MemoryStore()

    publish(plan, results_of(plan), one)
    publish(plan, results_of(plan)[::-1], other)

    assert one.objects == other.objects


def test_complaints_of_the_decoder_are_kept_in_order():
    plan = a_short_plan(SOUND)
    results = [replace(result, complaints=(f"about {result.task}",)) for result in results_of(plan)]

    report = publish(plan, results[::-1], MemoryStore())

    assert report.complaints == ("about audio_0-en", "about chunk_00000")


# -- names of sound tracks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sounds", "expected"),
    [
        ([SOUND], ["English"]),
        ([a_short_sound(language="de")], ["de"]),
        ([a_short_sound(language="und")], ["Audio"]),
        ([a_short_sound(), a_short_sound(stream_index=2)], ["en", "en 2"]),
        ([SOUND, replace(SOUND, stream_index=2, title="Commentary")], ["English", "Commentary"]),
    ],
)
def test_names_of_sound_tracks(sounds: list[AudioTrack], expected: list[str]):
    assert names_of(published(a_short_plan(*sounds))[1]) == expected


@pytest.mark.parametrize(
    "titles",
    [('the "cut"', "the 'cut'"), ("a  b", "a b"), ("x 3", "x", "x"), ("  ",)],
    ids=["quotes", "spaces", "numbered already", "blank"],
)
def test_names_of_sound_tracks_differ(titles: tuple[str, ...]):
    """All members of a group have different names (RFC 8216 4.3.4.1.1), and none is empty."""
    names = names_of(published(a_short_plan(*(a_short_sound(title=title) for title in titles)))[1])

    assert len(set(names)) == len(titles)
    assert all(names)


def test_one_track_is_the_default():
    _, store = published(a_short_plan(SOUND, a_short_sound(stream_index=2, language="de")))

    assert store.text("index.m3u8").count("DEFAULT=YES") == 1


# -- what does not fit -------------------------------------------------------------------------------


def changed(results: list[TaskResult], **changes: object) -> list[TaskResult]:
    """The first track of the first result, changed."""
    first, *others = results[0].tracks
    return [replace(results[0], tracks=(replace(first, **changes), *others)), *results[1:]]


def test_a_missing_task_is_told():
    plan = a_short_plan(SOUND)

    with pytest.raises(FFmpegError, match="Edition 0123456789abcdef has no 0-en: a task left nothing behind"):
        publish(plan, results_of(plan)[:1], MemoryStore())


def test_a_missing_segment_is_told():
    plan = a_short_plan()
    segments = results_of(plan)[0].tracks[0].segments

    with pytest.raises(FFmpegError, match="segments of 720p are missing or doubled"):
        publish(plan, changed(results_of(plan), segments=(segments[0], segments[2])), MemoryStore())


def test_a_doubled_segment_is_told():
    plan = a_short_plan()

    with pytest.raises(FFmpegError, match="segments of 720p are missing or doubled"):
        publish(plan, [*results_of(plan), *results_of(plan)], MemoryStore())


def test_a_last_segment_that_is_missing_is_told():
    """Numbers alone would not show it."""
    plan = a_short_plan()

    with pytest.raises(FFmpegError, match="the segments of 720p are not those of the plan"):
        publish(plan, changed(results_of(plan), segments=results_of(plan)[0].tracks[0].segments[:2]), MemoryStore())


def test_a_segment_of_another_length_is_told():
    plan = a_short_plan()
    first, *others = results_of(plan)[0].tracks[0].segments
    segments = (replace(first, duration_s=Fraction(26, 25)), *others)

    with pytest.raises(FFmpegError, match="the segments of 720p are not those of the plan"):
        publish(plan, changed(results_of(plan), segments=segments), MemoryStore())


def test_chunks_of_different_programs_are_told():
    plan = a_plan(profile=replace(a_plan().profile, chunk_work_s=1.0))

    with pytest.raises(FFmpegError, match="chunks of 720p have different init segments"):
        publish(plan, changed(results_of(plan), init_sha256="other"), MemoryStore())


def test_nothing_is_linked_that_does_not_fit():
    plan, store = a_short_plan(SOUND), MemoryStore()

    with pytest.raises(FFmpegError):
        publish(plan, results_of(plan)[:1], store)

    assert store.objects == {}


def test_a_rung_may_be_called_like_a_sound_track():
    """`0-en` is a valid name of a rung."""
    profile = a_plan().profile
    profile = replace(profile, rungs=(replace(profile.rungs[0], name="0-en"), profile.rungs[1]))
    plan = a_plan(source=a_source(video=a_video(frame_count=200), audio=(SOUND,)), profile=profile)

    report, _ = published(plan)

    assert [track.segment_count for track in report.tracks] == [3, 3, 2]
