"""Playlists as text: whole ones compared, rates as RFC 8216 defines them, and titles that mean harm."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vod.hls.playlist import (
    AudioRendition,
    Entry,
    Variant,
    average_bps,
    media_playlist,
    multivariant_playlist,
    peak_bps,
    target_duration_s,
)

RATES = tuple(Fraction(rate) for rate in ("24000/1001", "25", "30000/1001", "50", "60000/1001", "12.5"))


@st.composite
def entries_of_a_film(draw: st.DrawFn) -> list[Entry]:
    """Segments of whole frames, as the pipeline cuts them: a short first one, a short last one."""
    rate = draw(st.sampled_from(RATES))
    gop, gops, count = draw(st.integers(1, 240)), draw(st.integers(1, 4)), draw(st.integers(1, 40))
    frames = [gop, gop * (gops - 1) or gop, *([gop * gops] * count), draw(st.integers(1, gop * gops))]
    sizes = draw(st.lists(st.integers(500, 10_000_000), min_size=len(frames), max_size=len(frames)))
    return entries(*zip((n / rate for n in frames), sizes, strict=True))


def entries(*pairs: tuple[Fraction | float, int]) -> list[Entry]:
    """Segments of these durations in seconds and sizes in bytes."""
    return [
        Entry(uri=f"{number}.m4s", size_bytes=size, duration_s=Fraction(duration))
        for number, (duration, size) in enumerate(pairs)
    ]


def a_variant(name: str = "720p", **changes: object) -> Variant:
    facts: dict[str, object] = {
        "uri": f"video/{name}/playlist.m3u8",
        "bandwidth_bps": 3_000_000,
        "average_bandwidth_bps": 2_000_000,
        "codecs": ("avc1.64001f", "mp4a.40.2"),
        "width_px": 1280,
        "height_px": 720,
        "frame_rate": Fraction(30_000, 1001),
        "audio_group": "audio",
    }
    return Variant(**facts | changes)  # type: ignore[arg-type]


def an_audio(name: str = "English", **changes: object) -> AudioRendition:
    facts: dict[str, object] = {
        "uri": "audio/0-en/playlist.m3u8",
        "name": name,
        "language": "en",
        "channels": 2,
        "default": True,
    }
    return AudioRendition(**facts | changes)  # type: ignore[arg-type]


def attributes(line: str) -> dict[str, str]:
    """An attribute list taken apart by the grammar of RFC 8216 4.2."""
    rest, found = line.partition(":")[2], {}
    while rest:
        match = re.match(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)', rest)
        assert match, rest
        assert match[1] not in found
        found[match[1]], rest = match[2], rest[match.end() :]
    return found


# -- whole playlists ---------------------------------------------------------------------------------


def test_media_playlist():
    found = media_playlist(
        entries((Fraction(1001, 500), 100), (Fraction(1001, 250), 200), (Fraction(1, 30), 10)), init_uri="init.mp4"
    )

    assert found == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MAP:URI="init.mp4"\n'
        "#EXTINF:2.002000,\n"
        "0.m4s\n"
        "#EXTINF:4.004000,\n"
        "1.m4s\n"
        "#EXTINF:0.033333,\n"
        "2.m4s\n"
        "#EXT-X-ENDLIST\n"
    )


def test_multivariant_playlist_with_an_audio_group():
    found = multivariant_playlist(
        [
            a_variant(),
            a_variant("360p", bandwidth_bps=900_001, average_bandwidth_bps=700_000, width_px=640, height_px=360),
        ],
        [
            an_audio(),
            an_audio("Kommentar", uri="audio/1-und/playlist.m3u8", language="und", channels=1, default=False),
        ],
    )

    assert found == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="audio/0-en/playlist.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Kommentar",DEFAULT=NO,AUTOSELECT=YES,'
        'CHANNELS="1",URI="audio/1-und/playlist.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2000000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="audio"\n'
        "video/720p/playlist.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=900001,AVERAGE-BANDWIDTH=700000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970,AUDIO="audio"\n'
        "video/360p/playlist.m3u8\n"
    )


def test_multivariant_playlist_without_sound():
    found = multivariant_playlist([a_variant(codecs=("avc1.64001f",), audio_group="", frame_rate=Fraction(25))])

    assert found == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2000000,"
        'CODECS="avc1.64001f",RESOLUTION=1280x720,FRAME-RATE=25.000\n'
        "video/720p/playlist.m3u8\n"
    )


def test_multivariant_playlist_of_sound_alone():
    found = multivariant_playlist(
        [
            Variant(
                uri="audio/0-en/playlist.m3u8",
                bandwidth_bps=130_000,
                average_bandwidth_bps=128_000,
                codecs=("mp4a.40.2",),
            )
        ]
    )

    assert found == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2"\n'
        "audio/0-en/playlist.m3u8\n"
    )


# -- durations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("longest", "target"), [("6", 6), ("6.006", 6), ("6.49", 6), ("6.5", 7), ("0.2", 1), ("0.03", 1)]
)
def test_target_duration_is_the_longest_segment_rounded(longest: str, target: int):
    assert target_duration_s(entries((Fraction("0.01"), 1), (Fraction(longest), 1))) == target


@given(film=entries_of_a_film())
def test_no_segment_rounds_above_the_target_duration(film: list[Entry]):
    """RFC 8216 4.3.3.1, read from the text as a player would."""
    text = media_playlist(film, init_uri="init.mp4")
    target = int(re.search(r"#EXT-X-TARGETDURATION:(\d+)\n", text)[1])  # type: ignore[index]

    assert all(int(float(said) + 0.5) <= target for said in re.findall(r"#EXTINF:([\d.]+),\n", text))


@given(film=entries_of_a_film())
def test_durations_add_up(film: list[Entry]):
    said = [Fraction(text) for text in re.findall(r"#EXTINF:([\d.]+),\n", media_playlist(film, init_uri="init.mp4"))]

    assert len(said) == len(film)
    assert abs(sum(said) - sum(entry.duration_s for entry in film)) < Fraction(1, 1000)


def test_durations_of_a_long_film_add_up():
    """Six hours at a rate whose segments have endless decimals."""
    segment_s = Fraction(180 * 1001, 30_000) + Fraction(1, 3)
    film = entries(*[(segment_s, 1)] * 3400)
    said = [Fraction(text) for text in re.findall(r"#EXTINF:([\d.]+),\n", media_playlist(film, init_uri="init.mp4"))]

    assert abs(sum(said) - 3400 * segment_s) < Fraction(2, 1000)


# -- rates -------------------------------------------------------------------------------------------


def test_peak_of_a_short_first_segment():
    """RFC 8216 4.1 by hand: target 6 s, so runs of 3 s to 9 s count; the first segment of 2 s alone does not.

    It holds 8 Mbit (4 Mb/s). With the second, 8 + 8 Mbit in 6 s: 2.67 Mb/s. The second alone, 8 Mbit in 4 s: 2 Mb/s.
    The third alone, 12 Mbit in 6 s: 2 Mb/s. Second and third last 10 s and are no such run.
    """
    assert peak_bps(entries((2, 1_000_000), (4, 1_000_000), (6, 1_500_000))) == 2_666_667


def test_peak_of_one_long_segment():
    assert peak_bps(entries((6, 600_000), (6, 900_000), (6, 600_000))) == 1_200_000


def test_peak_counts_runs_that_are_short_enough_and_no_longer():
    """9 s are one and a half times the target exactly: 1.5 + 6 + 1.5 s hold 18 Mbit. None of them alone has more."""
    film = entries((Fraction("1.5"), 1_000_000), (6, 250_000), (Fraction("1.5"), 1_000_000))

    assert peak_bps(film) == 2_000_000


def test_peak_does_not_count_runs_that_are_longer():
    """10 s of 18 Mbit are more than one and a half times the target; 8 s of 10 Mbit are not."""
    assert peak_bps(entries((2, 1_000_000), (6, 250_000), (2, 1_000_000))) == 1_250_000


def test_peak_of_runs_of_short_segments():
    """Only together are they half a target long: the worst three of half a second among segments of 3 s."""
    film = entries((3, 300_000), *[(Fraction(1, 2), 200_000)] * 3, (3, 300_000))

    assert peak_bps(film) == 3_200_000


def test_a_playlist_too_short_for_a_run_counts_as_a_whole():
    """Half a target is half a second at least."""
    assert peak_bps(entries((Fraction(1, 4), 1000))) == average_bps(entries((Fraction(1, 4), 1000))) == 32_000


def test_average_is_all_bits_over_all_seconds_rounded_up():
    assert average_bps(entries((2, 1000), (1, 1))) == 2670


@given(film=entries_of_a_film())
def test_peak_is_what_the_definition_says(film: list[Entry]):
    """The definition again, as slowly as it is written."""
    target_s = target_duration_s(film)
    rates = []
    for first in range(len(film)):
        for after in range(first + 1, len(film) + 1):
            duration_s = sum(entry.duration_s for entry in film[first:after])
            if Fraction(target_s, 2) <= duration_s <= Fraction(3 * target_s, 2):
                rates.append(8 * sum(entry.size_bytes for entry in film[first:after]) / duration_s)

    assert not rates or max(rates) <= peak_bps(film) < max(rates) + 1


# -- harm --------------------------------------------------------------------------------------------

HOSTILE = (
    'Eve",URI="http://evil/',
    "Eve\n#EXT-X-ENDLIST",
    "Eve\r\nhttp://evil/playlist.m3u8",
    'a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"',
    "comma, equals = and 'quotes'",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_title_stays_a_title(name: str):
    lines = multivariant_playlist([a_variant()], [an_audio(name)]).splitlines()

    assert len(lines) == 6
    assert set(attributes(lines[3])) == {
        "TYPE", "GROUP-ID", "NAME", "LANGUAGE", "DEFAULT", "AUTOSELECT", "CHANNELS", "URI",
    }  # fmt: skip
    assert attributes(lines[3])["URI"] == '"audio/0-en/playlist.m3u8"'


@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_no_title_breaks_the_playlist(name: str):
    lines = multivariant_playlist([a_variant()], [an_audio(name)]).split("\n")

    assert len(lines) == 7
    assert attributes(lines[3])["URI"] == '"audio/0-en/playlist.m3u8"'


def test_a_title_keeps_its_words():
    assert 'NAME="Director\'s ”cut”, 2024"' in multivariant_playlist(
        [a_variant()], [an_audio('Director\'s\n "cut", \t2024')]
    )


def test_no_control_character_reaches_a_playlist():
    """U+0000 to U+001F and U+007F to U+009F, but for line ends."""
    name = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    text = multivariant_playlist([a_variant()], [an_audio(f"a{name}b")])

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
