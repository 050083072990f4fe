"""Descriptions of processes and of the holders of ports, for error messages."""

import random
import re
import socket
import subprocess
from pathlib import Path

LISTEN = "0A"


def command_of(pid: int) -> str | None:
    """Return the command line of a process, or None if it has ended, is a zombie, or is hidden."""
    proc = Path(f"/proc/{pid}")
    try:
        if Path("/proc/self").exists():
            return (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(
                errors="replace"
            ).strip() or None
        shown = subprocess.run(  # noqa: S603  only a number varies
            ["/bin/ps", "-o", "command=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return shown.stdout.strip() or None


def describe(pid: int) -> str:
    """Return `pid 123 (the command, in its folder)`, without the parts that are hidden."""
    command = command_of(pid)
    if not command:
        return f"pid {pid}"
    try:
        where = f", in {Path(f'/proc/{pid}/cwd').readlink()}"
    except OSError:
        where = ""
    return f"pid {pid} ({command[:100]}{where})"


def is_free(port: int) -> bool:
    """Return whether a server can listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free now. Another process may take it before the caller does.

    It is below the ports of outgoing connections. So a server that restarts gets its port
    again, and a client that tries to reach it does not take the port itself.
    """
    return next(port for port in iter(_random_port, None) if is_free(port))


def _random_port() -> int:
    return random.randrange(10_000, 32_768)  # noqa: S311  no secret


def holder_of(port: int) -> str | None:
    """Describe the process that listens on a local TCP port. Return None if it is hidden."""
    inodes = {
        inode for table in ("tcp", "tcp6") for inode in _listening(Path("/proc/net") / table, port)
    }
    for entry in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            link = re.fullmatch(r"socket:\[(\d+)]", str(entry.readlink()))
        except OSError:
            continue
        if link and link[1] in inodes:
            return describe(int(entry.parts[2]))
    return None


def _listening(table: Path, port: int) -> list[str]:
    """Return the inodes of listening sockets. Columns are 1 address, 3 state, 9 inode."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    return [
        row[9] for row in rows if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port
    ]
