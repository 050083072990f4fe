"""How a worker describes itself to whoever asks which workers there are."""

import os
import resource
import socket
import sys
import time
from pathlib import Path
from uuid import uuid4

import pydantic_core

from app import __version__
from app.core.redis import from_json
from app.core.worker.claims import Claim

STARTED = time.time()
STATM = Path("/proc/self/statm")


def new_worker_id() -> str:
    """Make up an id that tells where the worker is."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def describe_worker(
    claims: list[Claim], *, concurrency: int, succeeded: int, failed: int, retried: int
) -> bytes:
    """Tell as JSON what a worker is and does; times in Unix seconds, memory in bytes."""
    return pydantic_core.to_json(
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "started": STARTED,
            "rss": resident_bytes(),
            "concurrency": concurrency,
            "running": [
                {
                    "id": claim.job_id,
                    "name": _name(claim.payload),
                    "started": claim.claimed_ms / 1000,
                }
                for claim in claims
            ],
            "succeeded": succeeded,
            "failed": failed,
            "retried": retried,
        }
    )


def resident_bytes() -> int:
    """Tell how much memory this process uses; where the system does not say, its maximum so far."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _name(payload: bytes | None) -> str:
    try:
        return str(from_json(payload or b"")["f"])
    except (ValueError, LookupError, TypeError):
        return "<unreadable>"
