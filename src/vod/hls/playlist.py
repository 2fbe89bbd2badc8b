"""HLS playlists as text (RFC 8216, Apple HLS authoring specification): pure functions of what was measured."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

#: EXT-X-MAP outside of I-frame playlists needs 6 (RFC 8216 section 7); fragmented MP4 is widely written as 7.
VERSION = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One media segment as a playlist names it."""

    uri: str
    size_bytes: int
    duration_s: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRendition:
    """One member of the audio group."""

    uri: str
    name: str  #: unique in the group, shown to viewers
    language: str  #: RFC 5646; "und" leaves the attribute out
    channels: int
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One EXT-X-STREAM-INF."""

    uri: str
    bandwidth_bps: int  #: peak of video plus audio, measured
    average_bandwidth_bps: int
    codecs: tuple[str, ...]
    width_px: int = 0  #: 0: sound only
    height_px: int = 0
    frame_rate: Fraction | None = None
    audio_group: str = ""


def media_playlist(entries: Sequence[Entry], *, init_uri: str) -> str:
    """The playlist of one rendition, complete: type VOD, with an end."""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s(entries)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{init_uri}"',
    ]
    for entry in entries:
        lines += [f"#EXTINF:{_seconds(entry.duration_s)},", entry.uri]
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def multivariant_playlist(variants: Sequence[Variant], audio: Sequence[AudioRendition] = ()) -> str:
    """The playlist that names all renditions; `variants` in the order a player should see them."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    groups = {variant.audio_group for variant in variants if variant.audio_group}
    for group in sorted(groups):
        for rendition in audio:
            attributes = [
                "TYPE=AUDIO",
                f'GROUP-ID="{group}"',
                f'NAME="{quotable(rendition.name)}"',
                *([f'LANGUAGE="{rendition.language}"'] if rendition.language != "und" else []),
                f"DEFAULT={'YES' if rendition.default else 'NO'}",
                "AUTOSELECT=YES",
                f'CHANNELS="{rendition.channels}"',
                f'URI="{rendition.uri}"',
            ]
            lines.append(f"#EXT-X-MEDIA:{','.join(attributes)}")
    for variant in variants:
        attributes = [
            f"BANDWIDTH={variant.bandwidth_bps}",
            f"AVERAGE-BANDWIDTH={variant.average_bandwidth_bps}",
            f'CODECS="{",".join(variant.codecs)}"',
        ]
        if variant.width_px:
            attributes.append(f"RESOLUTION={variant.width_px}x{variant.height_px}")
        if variant.frame_rate is not None:
            attributes.append(f"FRAME-RATE={float(variant.frame_rate):.3f}")
        if variant.audio_group:
            attributes.append(f'AUDIO="{variant.audio_group}"')
        lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", variant.uri]
    return "\n".join(lines) + "\n"


def target_duration_s(entries: Sequence[Entry]) -> int:
    """EXT-X-TARGETDURATION: no segment, rounded to a whole second, is longer (RFC 8216 4.3.3.1)."""
    longest = max(entry.duration_s for entry in entries)
    return max(1, int(longest + Fraction(1, 2)))


def peak_bps(entries: Sequence[Entry]) -> int:
    """Peak segment bit rate as RFC 8216 section 4.1 defines it.

    The largest rate of any contiguous set of segments whose total duration is between 0.5 and 1.5 times the
    target duration; a playlist too short to have such a set counts as a whole.
    """
    target_s = target_duration_s(entries)
    lowest_s, highest_s = Fraction(target_s, 2), Fraction(3 * target_s, 2)
    rates = []
    for first in range(len(entries)):
        size_bits, duration_s = 0, Fraction(0)
        for entry in entries[first:]:
            size_bits += 8 * entry.size_bytes
            duration_s += entry.duration_s
            if duration_s > highest_s:
                break
            if duration_s >= lowest_s:
                rates.append(size_bits / duration_s)
    return ceil(max(rates)) if rates else average_bps(entries)


def average_bps(entries: Sequence[Entry]) -> int:
    """All bits over all seconds."""
    return ceil(8 * sum(entry.size_bytes for entry in entries) / sum(entry.duration_s for entry in entries))


def _seconds(duration_s: Fraction) -> str:
    """Six decimals: rounding adds up to less than a frame over any film."""
    return f"{float(duration_s):.6f}"


def quotable(text: str) -> str:
    """What of a text may stand in a quoted string: no quotes, line ends or control characters (RFC 8216 4, 4.2)."""
    printable = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    # A typographic quote: some readers take an apostrophe for the end of a string.
    return " ".join(printable.replace('"', "\N{RIGHT DOUBLE QUOTATION MARK}").split())
