"""An SMTP server whose replies a test chooses."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

GREETING = "connect"
CONTENT = "content"
"""The reply after the message itself. `DATA` is the reply before it."""

HANG_UP, SILENCE = "hang up", "silence"
"""Things that a server may do instead of a reply."""

RECIPIENT = re.compile(r"RCPT TO:<(.+?)>", re.IGNORECASE)

REPLIES = {
    GREETING: "220 ready",
    "EHLO": "250-here\r\n250 AUTH PLAIN",
    "AUTH": "235 welcome",
    "MAIL": "250 sender fine",
    "RCPT": "250 recipient fine",
    "DATA": "354 go ahead",
    CONTENT: "250 queued",
    "RSET": "250 forgotten",
    "QUIT": "221 bye",
}


class SmtpServer:
    """A server that records the lines of clients and the recipients of accepted messages."""

    def __init__(self, replies: Mapping[str, str]) -> None:
        self._replies = {**REPLIES, **replies}
        self._conversations: set[asyncio.Task[None]] = set()
        self.port = 0
        self.lines: list[str] = []
        self.recipients: list[str] = []
        self.refusals = 0

    def behave(self, **replies: str) -> None:
        """Use the default replies from now on, except for these."""
        self._replies = {**REPLIES, **replies}

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._conversations.add(asyncio.create_task(self._converse(reader, writer)))

    async def drain(self) -> None:
        """Wait until every client is gone."""
        await asyncio.gather(*self._conversations)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient = ""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self._reply(writer, GREETING)
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                self.lines.append(line)
                command = line.split(maxsplit=1)[0].upper()
                if found := RECIPIENT.match(line):
                    recipient = found[1]
                self._reply(writer, command)
                if command == "DATA" and self._replies["DATA"].startswith("354"):
                    self.lines += (await reader.readuntil(b"\r\n.\r\n")).decode().splitlines()
                    if self._replies[CONTENT] == REPLIES[CONTENT]:
                        self.recipients.append(recipient)
                    self._reply(writer, CONTENT)
                if command == "QUIT":
                    break
            writer.close()
            await writer.wait_closed()

    def _reply(self, writer: asyncio.StreamWriter, step: str) -> None:
        reply = self._replies.get(step, "502 unknown command")
        self.refusals += reply != REPLIES.get(step)
        if reply == HANG_UP:
            writer.transport.abort()
        elif reply != SILENCE:
            writer.write(reply.encode() + b"\r\n")


@asynccontextmanager
async def smtp_server(**replies: str) -> AsyncIterator[SmtpServer]:
    """Run a server with some other replies than the default, such as `RCPT="550 unknown"`."""
    smtp = SmtpServer(replies)
    server = await asyncio.start_server(smtp.accept, "127.0.0.1", 0)
    async with server:
        smtp.port = server.sockets[0].getsockname()[1]
        yield smtp
        await smtp.drain()
