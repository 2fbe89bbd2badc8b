"""Names and keys of the output."""

from vod.hls.layout import CONTENT_TYPES, MULTIVARIANT_KEY, init_key, playlist_key, report_key, segment_key


def test_keys():
    assert MULTIVARIANT_KEY == "index.m3u8"
    assert init_key("video", "720p") == "video/720p/init.mp4"
    assert playlist_key("audio", "0-en") == "audio/0-en/playlist.m3u8"
    assert segment_key("video", "720p", chunk=3, fence=2, number=41) == "video/720p/00003-2-00041.m4s"


def test_another_attempt_has_other_keys():
    first, second = (segment_key("video", "720p", chunk=3, fence=fence, number=41) for fence in (1, 2))

    assert first != second


def test_every_key_has_a_content_type():
    keys = [
        MULTIVARIANT_KEY,
        init_key("video", "720p"),
        playlist_key("video", "720p"),
        segment_key("video", "720p", chunk=0, fence=0, number=0),
        report_key(),
    ]

    assert all(any(key.endswith(suffix) for suffix in CONTENT_TYPES) for key in keys)
