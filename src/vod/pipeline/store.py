"""Where tasks put what they make: the one thing that a folder and a bucket do differently."""

from typing import Protocol


class Store(Protocol):
    """Objects below one video, named by keys of `vod.hls.layout`."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object whole, or not at all; an older one under the same key is replaced.

        Raises:
            ConfigError: There is no room, or no right to write.
        """
