"""The factors that are only labels of entries: no run makes variants for them."""

from __future__ import annotations

from benchlab.experiment import stack
from benchlab.factors.factor import Factor, Kind

ORM = Factor("orm", is_usual=True, words={"full": "the ORM", "raw": "raw SQL"})
FRAMEWORK = Factor("framework", is_usual=True)
SERVER = Factor("server")
ORIGIN = Factor(
    "origin",
    implied=stack.LAB,
    reference=stack.LAB,
    words={stack.ADOPTED: "an adopted entry", stack.LAB: "the lab's own"},
)
DRIVER = Factor("driver", Kind.PART)
LOOP = Factor("loop", Kind.PART)
JSON = Factor("json", Kind.PART)
WORKERS = Factor("workers", Kind.PART)
INTERFACE = Factor("interface", Kind.PART)
HTTP = Factor("http", Kind.PART)
THREADS = Factor("threads", Kind.PART, is_resource=True)
