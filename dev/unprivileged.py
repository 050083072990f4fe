"""Run a command as a user other than root: `unprivileged.py namespace|nobody COMMAND…`.

PostgreSQL refuses to run as root or as a user without a name, but many containers have no other
user. `namespace` is a user namespace in which root has the id 65534. Files still belong to root.
`nobody` is the user of that name, for systems that forbid namespaces. The process keeps the one
capability that it needs to read a checkout below /root.
"""

import contextlib
import ctypes
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Literal

Identity = Literal["self", "namespace", "nobody"]

CLONE_NEWUSER = 0x10000000
OVERFLOW_ID = 65534
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2


def choose() -> Identity:
    """Return the identity with which this process can start PostgreSQL."""
    if os.geteuid() != 0 and has_name(os.geteuid()):
        return "self"
    probe = subprocess.run(  # noqa: S603  our own script
        [*prefix("namespace"), "true"], stderr=subprocess.DEVNULL, check=False
    )
    return "namespace" if probe.returncode == 0 else "nobody"


def has_name(uid: int) -> bool:
    """Return whether a user has a name. A container may use any number, but initdb needs a name."""
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def prefix(identity: Identity) -> list[str]:
    """Return the start of a command line that runs as an identity."""
    return [] if identity == "self" else [sys.executable, "-I", "-S", __file__, identity]


def nobody() -> tuple[int, int]:
    """Return the user and group id of `nobody`."""
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def enter_namespace() -> None:
    """Enter a new user namespace as 65534. Raise OSError if that is forbidden."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are forbidden here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{OVERFLOW_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{OVERFLOW_ID} {gid} 1")


def become_nobody() -> None:
    """Switch to the user `nobody` permanently. Raise PermissionError without the privilege."""
    uid, gid = nobody()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        keep_access_to_files()


def keep_access_to_files() -> None:
    """Keep one capability across the exec, unless the container has taken it from root."""
    libc = ctypes.CDLL(None)
    bit = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(
        bit, bit, bit, 0, 0, 0
    )  # effective, permitted, inheritable; low, then high
    if libc.capset(header, data) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            enter_namespace() if sys.argv[1] == "namespace" else become_nobody()
        except OSError as error:
            sys.exit(f"cannot run {sys.argv[2]} as {sys.argv[1]}: {error}")
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  the command line of the caller
