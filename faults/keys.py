"""Keys and signatures: broken keys, and signed registries that somebody moved, mixed or set back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from faults import command, prepared
from faults.case import Attempt, Group, expect

GROUP = Group("keys")
KEY, OTHER = "credit_scoring", "churn_prediction"
MODELS = Path("models")


def _pem(make: Callable[[], object], password: bytes | None = None) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    hidden = form.BestAvailableEncryption(password) if password else form.NoEncryption()
    return make().private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, hidden)


def _rsa():
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048)


def _ed25519():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


FILES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path.write_bytes(b""),
    "random bytes": lambda path: path.write_bytes(os.urandom(300)),
    "half a key": lambda path: path.write_bytes(_pem(_ed25519)[:70]),
    "an RSA key": lambda path: path.write_bytes(_pem(_rsa)),
    "a key with a password": lambda path: path.write_bytes(_pem(_ed25519, b"secret")),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "no file": lambda path: None,
    "text in UTF-16": lambda path: path.write_text("-----BEGIN PRIVATE KEY-----", encoding="utf-16"),
}
VARIABLES = ("REGISTRY_SIGNING_KEY", "REGISTRY_PUBLIC_KEY")


@GROUP.promise(
    "a file that is no key",
    "It is refused in a sentence with exit code 2, whichever variable names it, and nothing of it is shown.",
    cases=tuple(f"{variable}: {name}" for name in FILES for variable in VARIABLES),
    share=1,
)
def no_key(attempt: Attempt) -> None:
    variable, _, name = attempt.case.partition(": ")
    prepared.registry_with(1, MODELS)
    FILES[name](Path("key").absolute())
    env = {variable: str(Path("key").absolute())}
    command.run("src.registry", "verify", env=env, limit_s=15).check_is_a_sentence(2)


@GROUP.promise(
    "a private key",
    "Only its owner may read it, keys that are there stay as they are, and it reaches no file of a registry and no message.",
    share=0.3,
)
def private(attempt: Attempt) -> None:
    os.umask(attempt.draw.choice([0o000, 0o022, 0o077, 0o777]))
    command.run("src.registry", "keygen", "--out", "keys").check_is_good()
    key = Path("keys/registry.key")
    expect(key.stat().st_mode & 0o077 == 0, f"others may read the private key: {oct(key.stat().st_mode)}")
    os.umask(0o022)
    secret = key.read_bytes().splitlines()[1]
    again = command.run("src.registry", "keygen", "--out", "keys")
    again.check_is_a_sentence(2)
    expect(key.read_bytes().splitlines()[1] == secret, "a key was replaced")
    env = {VARIABLES[0]: str(key.absolute())}
    answer = command.run("src.registry", "register", prepared.run_folder("credit"), env=env)
    answer.check_is_good()
    texts = [path.read_bytes() for path in MODELS.rglob("*") if path.is_file()]
    expect(not any(secret in text for text in [*texts, (answer.out + answer.err).encode()]), "the key was written down")


def _other_signature(use: Callable[[Path], None]) -> Callable[[Path], None]:
    """Sign with a key of somebody else."""

    def make(root: Path) -> None:
        mine = {name: os.environ.pop(name) for name in VARIABLES}
        prepared.sign(Path("others"))
        del os.environ[VARIABLES[1]]
        use(root)
        os.environ.pop(VARIABLES[0])
        os.environ.update(mine)

    return make


def _anew(root: Path) -> None:
    from bank_models.registry.store import open_registry

    shutil.rmtree(root)
    registry = open_registry(root)
    registry.register(prepared.run_folder("credit"))
    registry.promote(registry.versions(KEY)[0], None, "forger", "forged", [], False)


def _without_signatures(root: Path) -> None:
    """A registry that was computed anew without a key."""
    mine = {name: os.environ.pop(name) for name in VARIABLES}
    _anew(root)
    os.environ.update(mine)


def _moved(root: Path) -> None:
    shutil.copytree(root / KEY, root / OTHER)


def _head_stripped(root: Path) -> None:
    prepared.edit_json(root / KEY / "registry.head.json", lambda head: head.pop("signature"))


def _lines_stripped(root: Path) -> None:
    path = root / KEY / "registry.jsonl"
    lines = [
        {key: value for key, value in json.loads(line).items() if key != "signature"} for line in path.read_text().splitlines()
    ]
    path.write_text(
        "".join(json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
    )


def _set_back(root: Path) -> None:
    """Put an older signed state back, versions included."""
    older = root.with_name("older")
    shutil.rmtree(root / KEY)
    shutil.copytree(older / KEY, root / KEY)


FORGERIES: dict[str, Callable[[Path], None]] = {
    "signed with another key": _other_signature(_anew),
    "computed anew without a key": _without_signatures,
    "copied to another use case": _moved,
    "a head without its signature": _head_stripped,
    "lines without their signatures": _lines_stripped,
    "an older signed state put back": _set_back,
    "no ledger": lambda root: [(root / KEY / name).unlink() for name in ("registry.jsonl", "registry.head.json")] and None,
    "nothing at all": lambda root: shutil.rmtree(root / KEY),
}
SEEN_BY_WITNESS = ("an older signed state put back", "no ledger", "nothing at all")


@GROUP.promise(
    "a signed registry that was forged",
    "Where a public key is configured, what was not signed for this use case, or is older than what was seen, is exit code 4.",
    cases=tuple(FORGERIES),
    share=1,
)
def forged(attempt: Attempt) -> None:
    from bank_models.registry.store import open_registry

    prepared.sign(Path("keys").absolute())
    os.environ["REGISTRY_WITNESS"] = str(Path("witness.jsonl").absolute())
    prepared_root = open_registry(MODELS)
    prepared_root.register(prepared.run_folder("credit"))
    shutil.copytree(MODELS, "older")
    again = prepared_root.register(prepared.run_folder("credit"))
    prepared_root.promote(again, None, "faults", "first", [], False)
    command.run("src.registry", "verify").check_is_good()
    signing = os.environ.pop(VARIABLES[0])
    command.run("src.registry", "verify").check_is_good()
    os.environ[VARIABLES[0]] = signing
    FORGERIES[attempt.case](MODELS)
    os.environ.pop(VARIABLES[0])
    if attempt.case not in SEEN_BY_WITNESS:  # the signature alone must tell, on a machine that has seen nothing yet
        Path(os.environ["REGISTRY_WITNESS"]).unlink()
    answer = command.run("src.registry", "verify")
    expect(answer.code == 4, f"verify says {answer.code}: {(answer.out + answer.err)[-200:]}")
    answer.check_is_a_sentence(4)
    other = OTHER if attempt.case == "copied to another use case" else KEY
    Path("rows.csv").write_text(prepared.german_credit().drop(columns="bad").head(5).to_csv(index=False), encoding="utf-8")
    answer = command.run("src.predict", f"use_case={other}", "input=rows.csv", "output=scores.csv")
    expect(answer.code in (2, 4), f"scoring with a forged registry: exit code {answer.code}")
