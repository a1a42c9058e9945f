"""Secrets: addresses of databases stand in environment variables, so that no password is saved or shown."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from bank_models.errors import ConfigError

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://([^\s/:@]*:\S*@|\S*[?&](ssl)?password=)", re.IGNORECASE)
HOST = r"(\[[0-9a-f:.]+\]|[^\s:/?#@,\[\]]*)(:\d*)?"
AFTER_SCHEME = re.compile(rf"([^\s:/?#@\[\]]*(:[^\s:/?#@\[\]]*)?@)?{HOST}(,{HOST})*([/?][^\s@#]*)?", re.IGNORECASE)
NAME_IT = (
    "{0} is saved as typed, so no address with a password may stand there. Put it into an environment variable:\n"
    "export DATABASE_URL='postgresql://user:password@host/database'\nThen name the variable: {0}=DATABASE_URL"
)
LOCAL_MLFLOW = "sqlite:///mlflow.db"  # as MLflow itself has it
EXAMPLE = "postgresql://user:password@host/database"


def is_variable(text: str) -> bool:
    """Whether a text can be the name of an environment variable."""
    return VARIABLE.fullmatch(text) is not None


def holds_password(text: str) -> bool:
    """Whether an address with a password stands in a text."""
    return WITH_PASSWORD.search(text) is not None


def would_be_saved(key: str, value: object) -> bool:
    """Whether a setting holds what only an environment variable may hold: a password, or where a name belongs no name."""
    if not isinstance(value, str):
        return False
    is_name = key.rpartition(".")[2] not in ("url_env", "uri_env") or re.fullmatch(r"\w[\w,]*|", value)
    return holds_password(value) or not is_name


def read(setting: str, variable: str) -> str:
    """Take an address from the environment.

    Parameters
    ----------
    setting : str
        Where the variable was named, for messages.
    variable : str

    Raises
    ------
    ConfigError
        If there is no such variable, or what it holds is not an address. The message does not show it.
    """
    address = os.environ.get(variable, "").strip()
    if not address:
        raise ConfigError(
            f"{setting}={variable}, but that environment variable is not set.\n"
            f"Type: export {variable}='{EXAMPLE}' (or 'sqlite:///folder/file.db')"
        )
    scheme, separator, rest = address.partition("://")
    if not separator:
        raise ConfigError(f"{variable} does not hold an address.\nOne looks like {EXAMPLE} or sqlite:///folder/file.db.")
    if not scheme.startswith("sqlite") and not AFTER_SCHEME.fullmatch(rest):
        raise ConfigError(
            f"The address in {variable} cannot be read: its user or password has a sign that means something else there.\n"
            "Write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25."
        )
    return f"postgresql://{rest}" if scheme == "postgres" else address


def of_mlflow(setting: str, variable: str) -> str:
    """Take the address of an MLflow server, or of its database in a file, from the environment; without one MLflow's own."""
    address = os.environ.get(variable, "").strip() or LOCAL_MLFLOW
    if address.startswith("sqlite:///") and "?" not in address:
        return address
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise ConfigError(
            f"{setting}={variable}, but that environment variable does not hold the address of a server.\n"
            f"One looks like http://localhost:5000. Without the variable, runs go to {LOCAL_MLFLOW}."
        )
    return address


def without_secrets(text: str, address: str) -> str:
    """A text, such as a driver's message, without an address and the passwords in it."""
    parts = urlsplit(address)
    passwords = [value for key, value in parse_qsl(parts.query) if key.lower() in ("password", "sslpassword")]
    passwords += [parts.password, unquote(parts.password)] if parts.password else []
    for secret in (address, *sorted(passwords, key=len, reverse=True)):
        text = text.replace(secret, "***")
    return text
