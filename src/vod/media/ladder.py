"""Which qualities a source gets, and why: a pure decision from a source's size and a profile."""

from dataclasses import dataclass
from fractions import Fraction

from vod.media.profile import Profile, Rung

#: A picture smaller than this on a side is no video for anybody; x264's macroblock is 16 pixels.
SMALLEST_SIDE_PX = 16

#: The source's own size becomes a rung when it has this many times the pixels of the rung below.
WORTH_A_RUNG = Fraction(6, 5)

#: Above this rate the caps grow: twice the frames need about half as many bits again.
BASE_FRAME_RATE = 30
HIGH_RATE_CAP = Fraction(3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One rung as it will be encoded for one source."""

    name: str
    width_px: int  #: even
    height_px: int  #: even
    crf: float
    max_bitrate_bps: int
    buffer_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One rung of the profile, taken or left, with the reason in words."""

    rung: str
    taken: bool
    reason: str


def build_ladder(
    width_px: int, height_px: int, frame_rate: Fraction, profile: Profile
) -> tuple[tuple[Rendition, ...], tuple[Decision, ...]]:
    """Choose the renditions of a source.

    Never upscales; keeps the aspect; portrait turns the box of each rung; sizes are even. The largest
    rendition is the source itself where that is worth a rung of its own.

    Args:
        width_px: Displayed width of the source, square pixels, after rotation.
        height_px: Displayed height.
        frame_rate: Of the output, frames per second.
        profile: Its rungs may stand in any order.

    Returns:
        The renditions, largest first, and a decision per rung in the same order. None is left of a shape
        so long that no rung keeps SMALLEST_SIDE_PX of it.
    """
    renditions: list[Rendition] = []
    decisions: list[Decision] = []
    own = (max(2, width_px - width_px % 2), max(2, height_px - height_px % 2))
    # By what fits in them, not by their own size: each rendition is scaled from the one before.
    rungs = sorted(profile.rungs, key=lambda rung: _fit(width_px, height_px, rung), reverse=True)
    inside = [rung for rung in rungs if _fit(width_px, height_px, rung) >= 1]  # the source fits in the box
    tight = inside[-1] if inside else None  # the smallest box that holds the source

    for number, rung in enumerate(rungs):
        scale = _fit(width_px, height_px, rung)
        size = (_even(width_px * scale), _even(height_px * scale)) if scale < 1 else own
        if scale >= 1 and rung is not tight:
            decisions.append(_left(rung, f"the source is smaller ({width_px}x{height_px}), never upscaled"))
            continue
        if rung is tight and size != _box_size(rung, width_px, height_px):
            below = rungs[number + 1] if number + 1 < len(rungs) else None
            if below is not None and not _worth_it(own, below, width_px, height_px):
                decisions.append(_left(rung, f"the source ({width_px}x{height_px}) is hardly larger than {below.name}"))
                continue
            reason = "the source's own size"
        else:
            reason = "the source's own size" if size == own else f"scaled to {size[0]}x{size[1]}"
        if min(size) < SMALLEST_SIDE_PX and size != own:
            decisions.append(_left(rung, f"only {size[0]}x{size[1]} would be left of so long a shape"))
            continue
        if renditions and size == (renditions[-1].width_px, renditions[-1].height_px):
            decisions.append(_left(rung, f"the same size as {renditions[-1].name}"))
            continue
        renditions.append(_rendition(rung, size, frame_rate))
        decisions.append(Decision(rung=rung.name, taken=True, reason=reason))
    return tuple(renditions), tuple(decisions)


def output_frame_rate(source_rate: Fraction, max_rate: int) -> Fraction:
    """The rate that every rendition gets: the source's, halved while above the limit, doubled while below 1.

    Halving drops and doubling repeats whole frames, so motion stays even.
    """
    rate = source_rate
    while rate > max_rate:
        rate /= 2
    while rate < 1:
        rate *= 2
    return rate


def _fit(width_px: int, height_px: int, rung: Rung) -> Fraction:
    """The factor that makes the picture fit into the rung's box, turned for portrait."""
    long_side, short_side = max(width_px, height_px), min(width_px, height_px)
    return min(Fraction(rung.width_px, long_side), Fraction(rung.height_px, short_side))


def _box_size(rung: Rung, width_px: int, height_px: int) -> tuple[int, int]:
    """What a source of this shape would measure if it filled the box."""
    scale = _fit(width_px, height_px, rung)
    return _even(width_px * scale), _even(height_px * scale)


def _worth_it(own: tuple[int, int], below: Rung, width_px: int, height_px: int) -> bool:
    lower = _box_size(below, width_px, height_px)
    return Fraction(own[0] * own[1]) >= WORTH_A_RUNG * lower[0] * lower[1]


def _rendition(rung: Rung, size: tuple[int, int], frame_rate: Fraction) -> Rendition:
    """Caps follow the box, not the shape: a wide film keeps what the rung allows."""
    factor = HIGH_RATE_CAP if frame_rate > BASE_FRAME_RATE else Fraction(1)
    cap = int(rung.max_bitrate_bps * factor)
    return Rendition(
        name=rung.name,
        width_px=size[0],
        height_px=size[1],
        crf=rung.crf,
        max_bitrate_bps=cap,
        buffer_bits=int(cap * Fraction(str(rung.buffer_s))),
    )


def _left(rung: Rung, reason: str) -> Decision:
    return Decision(rung=rung.name, taken=False, reason=reason)


def _even(length: Fraction) -> int:
    """The nearest even number, at least 2: 4:2:0 has one colour sample for two pixels."""
    return max(2, round(length / 2) * 2)
