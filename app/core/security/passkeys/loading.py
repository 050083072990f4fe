import asyncio
from importlib import import_module


async def load_verification() -> None:
    """Import the library in a thread: on the event loop, it would delay other requests.

    Afterwards, a function imports `verification` at no cost.
    """
    await asyncio.to_thread(import_module, "app.core.security.passkeys.verification")
