"""Encrypts what threads remember: AES-256 in GCM mode, with a key that the user gives and that is written nowhere."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from langgraph.checkpoint.serde.base import CipherProtocol, SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from agent.errors import StateKeyError
from overread.settings import Settings

CIPHER = "aes256gcm"
SHORTEST_SECRET = 16
"""Fewest bytes of a secret that is taken."""

_NONCE = 12


class AesGcm(CipherProtocol):
    """AES-256-GCM (NIST SP 800-38D): a new random nonce for each value, and a tag that shows any change of it."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._aead = AESGCM(key)

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """The cipher's name, and nonce, ciphertext and tag."""
        nonce = secrets.token_bytes(_NONCE)
        return CIPHER, nonce + self._aead.encrypt(nonce, plaintext, None)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """The text. Raises ``StateKeyError`` for another key, or a value that was changed."""
        from cryptography.exceptions import InvalidTag

        if ciphername != CIPHER:
            raise StateKeyError("the thread is encrypted in a way this version does not know; begin another thread")
        try:
            return self._aead.decrypt(ciphertext[:_NONCE], ciphertext[_NONCE:], None)
        except (InvalidTag, ValueError):
            raise StateKeyError(
                "the thread was encrypted with another key, or was changed; set the key it was written with"
            ) from None


class Sealed(SerializerProtocol):
    """A serializer that writes encrypted values and reads no others.

    It holds LangGraph's and is none of its kind: LangGraph makes a copy of one of its own, which would read plain ones.
    """

    def __init__(self, key: bytes, serde: SerializerProtocol) -> None:
        self._serde = EncryptedSerializer(AesGcm(key), serde)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Type and encrypted bytes of a value."""
        return self._serde.dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value. Raises ``StateKeyError`` when it is not encrypted, or not with this key."""
        if "+" not in data[0]:
            raise StateKeyError("the thread was written without a key; begin another, or unset OVERREAD_STATE_KEY")
        return self._serde.loads_typed(data)


class Unsealed(SerializerProtocol):
    """A serializer for plain values, which tells what an encrypted one is."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self._serde = serde

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Type and bytes of a value."""
        return self._serde.dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value. Raises ``StateKeyError`` when it is encrypted."""
        if "+" in data[0]:
            raise StateKeyError("the thread is encrypted; set OVERREAD_STATE_KEY to the key it was written with")
        return self._serde.loads_typed(data)


def serializer(settings: Settings, plain: SerializerProtocol) -> SerializerProtocol:
    """What values are written with: encrypted where a key is given. Raises ``StateKeyError`` for one that is no key."""
    secret = _secret(settings)
    if secret is None:
        return Unsealed(plain)
    # A passphrase is stretched, so that it cannot be tried quickly (RFC 7914).
    key = hashlib.scrypt(secret, salt=_salt(settings.state), n=2**14, r=8, p=1, dklen=32)
    return Sealed(key, plain)


def _secret(settings: Settings) -> bytes | None:
    given = settings.state_key.get_secret_value().encode() if settings.state_key is not None else None
    if settings.state_key_file is not None:
        if given is not None:
            raise StateKeyError("both a key and a key file are given; give one of them")
        try:
            given = settings.state_key_file.read_bytes().strip()
        except OSError as error:
            raise StateKeyError(f"the key file cannot be read ({type(error).__name__})") from None
    if given is not None and len(given) < SHORTEST_SECRET:
        raise StateKeyError(f"the key for threads is too short; give at least {SHORTEST_SECRET} characters")
    return given


def _salt(state: Path) -> bytes:
    """Random bytes that belong to this folder's threads; not secret."""
    path = state / "threads.salt"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        salt = path.read_bytes()
        if len(salt) != 16:
            raise StateKeyError("the file threads.salt is not as it was written; put it back") from None
        return salt
    salt = secrets.token_bytes(16)
    with os.fdopen(file, "wb") as out:
        out.write(salt)
    return salt
