"""Start the whole service, and stop it again."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from app.core.config import load_settings
from dev.application import Application
from dev.caught_email import CaughtEmail
from dev.console import Console
from dev.folder import Folder, FolderInUseError, write_private
from dev.processes import describe, is_free
from dev.server import PortTakenError, StartError
from dev.servers import OwnServers

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def up(
    root: Path, console: Console, *, fresh: bool, port: int, observe: bool = False
) -> None:
    """Run the service in the checkout `root` until one of SIGNALS arrives. Raise StartError."""
    stop = asyncio.Event()
    for signum in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    with ExitStack() as held:
        data = held.enter_context(own_data(root))
        listener = held.enter_context(listen(port))
        settings = load_settings()

        def report(email: CaughtEmail) -> None:
            console.line("email", f"{email.subject} → {', '.join(email.to)}")

        servers = OwnServers(held, data, inbox_port=port + 1, on_email=report)
        if fresh:
            servers.forget_everything()
        console.say("Starting the servers.")
        provided = await asyncio.to_thread(servers.start, settings)
        variables: dict[str, str] = {}
        if "public_url" not in settings.model_fields_set:
            variables["PUBLIC_URL"] = f"http://localhost:{port}"
        for each in provided:
            variables |= each.variables
        if observe:
            variables |= held.enter_context(_observed(console))
        held.enter_context(told_to_others(data / "env", variables))
        application = Application(root, listener, variables, provided, console)
        await until(stop, application.run(), lambda: console.say("Stopping."))


@contextmanager
def _observed(console: Console) -> Iterator[dict[str, str]]:
    """Show traces, and yield the settings with which the service sends them."""
    from dev.observe import observing  # noqa: PLC0415  slow to import, and rarely used

    with observing(console.say) as variables:
        metrics = f"http://localhost:{variables['METRICS_PORT']}/metrics"
        console.say(f"Traces appear here. Metrics: {metrics} and the next ports.")
        yield variables


@contextmanager
def own_data(root: Path) -> Iterator[Path]:
    """Lock `.dev/`, which contains all data. Raise StartError if another bin/dev uses it."""
    folder = Folder(root / ".dev")
    with ExitStack() as held:
        try:
            held.enter_context(folder.held())
        except FolderInUseError as error:
            holder = describe(error.holder)
            raise StartError(f"bin/dev already runs in this checkout: {holder}.") from None
        # A killed predecessor leaves this file, whose addresses are no longer valid.
        (folder.path / "env").unlink(missing_ok=True)
        yield folder.path


@contextmanager
def listen(port: int) -> Iterator[socket.socket]:
    """Yield the API's listening socket. Raise PortTakenError."""
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise StartError(f"Cannot listen on port {port}: {error.strerror}.") from None
        other = next(candidate for candidate in range(port + 1, 65_536) if is_free(candidate))
        raise PortTakenError(port, f"Choose another: PORT={other} bin/dev") from None
    with listener:
        yield listener


@contextmanager
def told_to_others(path: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Write the variables to a file that Settings reads, for commands in other terminals."""
    write_private(path, "".join(f"{name}={value}\n" for name, value in variables.items()))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


async def until(
    stop: asyncio.Event, work: Coroutine[None, None, None], announce: Callable[[], None]
) -> None:
    """Do the work until it is done or stopped. Raise its exceptions."""
    working = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        announce()
    for task in (working, stopped):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await working
