import asyncio
from importlib import import_module


async def load_verification() -> None:
    """Import the library in a thread, because an import on the event loop would delay requests.

    Afterwards, the import of `verification` in a function is fast.
    """
    await asyncio.to_thread(import_module, "app.core.security.passkeys.verification")
