"""`python fork_client.py SOCKET … -c CODE` runs code in a copy of the fork server.

The copy has the streams, the environment, and in the end the exit code of this process. It imports
nothing of the project, so that it starts fast.
"""

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence

MESSAGE_SIZE = 2**17


def ask(
    address: str, arguments: Sequence[str], variables: Mapping[str, str], descriptors: Sequence[int]
) -> socket.socket:
    """Ask the server to run `python ARGUMENTS` with these standard streams.

    It answers with the number of the process, and at the end with the exit code.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(address)
    message = json.dumps([[*arguments], {**variables}]).encode()
    socket.send_fds(connection, [message], [*descriptors])
    return connection


def main() -> int:
    connection = ask(sys.argv[1], ["-c", sys.argv[-1]], os.environ, [0, 1, 2])
    connection.recv(MESSAGE_SIZE)
    return int(connection.recv(MESSAGE_SIZE) or 1)  # nothing if the server has ended


if __name__ == "__main__":
    sys.exit(main())
