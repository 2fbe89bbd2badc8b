"""How Hypothesis runs here: no deadlines, because other processes share the machine."""

from hypothesis import settings

settings.register_profile("unit", deadline=None, max_examples=60)
settings.load_profile("unit")
