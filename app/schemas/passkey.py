"""Passkeys, and the messages of WebAuthn in the JSON format of browsers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from app.schemas.common import Line

PasskeyName = Annotated[Line, StringConstraints(min_length=1, max_length=64)]
CeremonyState = Annotated[str, Field(max_length=2_048)]
Transport = Annotated[str, Field(max_length=32, pattern=r"^[a-z-]+$")]


def _base64url(max_length: int) -> StringConstraints:
    return StringConstraints(pattern=r"^[A-Za-z0-9_-]*={0,2}$", max_length=max_length)


CredentialId = Annotated[str, _base64url(1_368)]  # 1,023 bytes
ClientData = Annotated[str, _base64url(8_192)]


class PasskeyOptions(BaseModel):
    """The browser's options, and a `state` to send back with the response within five minutes.

    `public_key` is for `PublicKeyCredential.parseCreationOptionsFromJSON`, or
    `parseRequestOptionsFromJSON`, and then for `navigator.credentials`.
    """

    state: str
    public_key: dict[str, JsonValue]


class AttestationResponse(BaseModel):
    client_data_json: ClientData = Field(alias="clientDataJSON")
    attestation_object: Annotated[str, _base64url(16_384)] = Field(alias="attestationObject")
    transports: Annotated[list[Transport], Field(max_length=10)] = []


class Attestation(BaseModel):
    """A new passkey, as `toJSON()` returns it in the browser."""

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Literal["public-key"]
    response: AttestationResponse


class AssertionResponse(BaseModel):
    client_data_json: ClientData = Field(alias="clientDataJSON")
    authenticator_data: Annotated[str, _base64url(4_096)] = Field(alias="authenticatorData")
    signature: Annotated[str, _base64url(2_048)]
    user_handle: Annotated[str, _base64url(88)] | None = Field(None, alias="userHandle")


class Assertion(BaseModel):
    """A signature of a passkey, as `toJSON()` returns it in the browser."""

    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Literal["public-key"]
    response: AssertionResponse


class PasskeyRegistration(BaseModel):
    state: CeremonyState
    credential: Attestation
    name: PasskeyName = "Passkey"


class PasskeyProof(BaseModel):
    state: CeremonyState
    credential: Assertion


class PasskeyUpdate(BaseModel):
    name: PasskeyName


class PasskeyPublic(BaseModel):
    """A passkey. If it `is_backed_up`, the vendor has a copy. Otherwise, it is on one device."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    transports: list[str]
    is_backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


class PasskeyCreated(PasskeyPublic):
    """A new passkey. `recovery_codes` are shown once, with the user's first second factor."""

    recovery_codes: list[str] | None = None
