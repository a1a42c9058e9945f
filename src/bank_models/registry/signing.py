"""Signatures of ledgers (Ed25519)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bank_models.errors import ConfigError, IntegrityError
from bank_models.files.reading import read_file

SIGNING_KEY = "REGISTRY_SIGNING_KEY"  # environment variables that name files
PUBLIC_KEY = "REGISTRY_PUBLIC_KEY"
LARGEST_KEY = 64 * 2**10  # bytes
PRIVATE_NAME, PUBLIC_NAME = "registry.key", "registry.pub"


@dataclass(frozen=True)
class Keys:
    """What signs, what a signature must fit, and the SHA-256 of the public key; None where nothing is configured."""

    sign: Callable[[bytes], bytes] | None = None
    check: Callable[[bytes, bytes], None] | None = None
    fingerprint: str | None = None

    def signature(self, text: str) -> str | None:
        """Signature of a text in hexadecimal digits, None without a key."""
        return self.sign(text.encode()).hex() if self.sign else None

    def verify(self, text: str, signature: Any, name: str) -> None:
        """Check the signature of a text, if a public key is configured.

        Raises
        ------
        IntegrityError
            If it's absent or doesn't fit.
        """
        if self.check is None:
            return
        from cryptography.exceptions import InvalidSignature

        if not signature:
            raise IntegrityError(f"{name} is not signed, and a public key is configured ({PUBLIC_KEY}).")
        try:
            self.check(bytes.fromhex(signature), text.encode())
        except (InvalidSignature, ValueError, TypeError) as error:
            raise IntegrityError(f"{name} has a signature that does not fit the public key.") from error


def from_environment() -> Keys:
    """Keys of the files that REGISTRY_SIGNING_KEY and REGISTRY_PUBLIC_KEY name; a signing key knows its public one.

    Raises
    ------
    ConfigError
        If a file isn't a key.
    """
    signing, public = os.environ.get(SIGNING_KEY), os.environ.get(PUBLIC_KEY)
    if not signing and not public:
        return Keys()
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, load_pem_public_key

    private_key = _load(signing, SIGNING_KEY, lambda data: load_pem_private_key(data, password=None))
    public_key = _load(public, PUBLIC_KEY, load_pem_public_key) or private_key.public_key()
    fingerprint = hashlib.sha256(public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
    return Keys(private_key and private_key.sign, public_key.verify, fingerprint)


def _load(path: str | None, variable: str, read: Callable):
    if not path:
        return None
    try:
        file = Path(path).resolve()  # mounted secrets are links
        key = read(read_file(file.parent, file.name, LARGEST_KEY))
    except (OSError, ValueError, TypeError, IntegrityError) as error:
        raise ConfigError(f"{variable} names {path}, which holds no key that can be read: make one with "
                          "python -m src.registry keygen") from error  # fmt: skip
    if "Ed25519" not in type(key).__name__:
        raise ConfigError(f"{variable} names {path}, which is not an Ed25519 key: make one with python -m src.registry keygen")
    return key


def make_keys(folder: Path) -> tuple[Path, Path]:
    """Write a new pair of keys; the private one only its owner can read.

    Raises
    ------
    ConfigError
        If there are keys already.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private, public = folder / PRIVATE_NAME, folder / PUBLIC_NAME
    if private.exists() or public.exists():
        raise ConfigError(f"{folder} has a key already, which stays as it is. Choose another folder: keygen --out DIR")
    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(*form))
    return private, public
