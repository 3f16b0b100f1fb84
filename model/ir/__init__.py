"""The intermediate representation, which everything else reads; it reads errors only.  `system` says what it means."""

from .system import *  # noqa: F403
