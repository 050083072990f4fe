"""Creates SCRAM verifiers, the form in which PostgreSQL stores passwords (RFC 5802).

A statement that sets a password contains only the verifier, so logs do not show the password.
"""

import hashlib
import hmac
import os
import unicodedata
from base64 import b64encode

ITERATIONS = 4096
"""The default of PostgreSQL. A generated password needs no slow hash."""


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return a verifier, which `ALTER ROLE … PASSWORD` stores unchanged."""
    salt = salt or os.urandom(16)
    prepared = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    keys = f"{_base64(stored_key)}:{_base64(server_key)}"
    return f"SCRAM-SHA-256${ITERATIONS}:{_base64(salt)}${keys}"


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
