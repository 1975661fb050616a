"""Who made this stick: a minisign signature over its manifest, with a key of the site that is made on first use.

Debian's `minisign` does the cryptography (Ed25519 over BLAKE2b): a small audited tool that anyone can check a stick with,
and no Python package has to be carried along for it. The secret key has no passphrase, because bundles are made by scripts
too; the file is readable by its owner alone.
"""

import os
import shutil
import subprocess
from pathlib import Path

from device.errors import EngineError, InputError
from models.manifest import MANIFEST, SIGNATURE

TIMEOUT_S = 60


def key_folder() -> Path:
    """Where the site's key lies: site.key (secret) and site.pub."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "beside"


def site_key() -> Path:
    """The secret key, made now if there is none."""
    folder = key_folder()
    secret, public = folder / "site.key", folder / "site.pub"
    if not secret.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _minisign("-G", "-W", "-f", "-p", str(public), "-s", str(secret))
        secret.chmod(0o600)
    return secret


def sign(folder: Path, comment: str) -> None:
    """Write the signature beside the manifest, and the public key as site.pub."""
    secret = site_key()
    _minisign("-S", "-s", str(secret), "-m", str(folder / MANIFEST), "-x", str(folder / SIGNATURE), "-t", comment)


def verify(folder: Path, public: Path) -> str:
    """The signature's comment; InputError if the key did not sign this manifest."""
    try:
        return _minisign("-V", "-Q", "-p", str(public), "-m", str(folder / MANIFEST), "-x", str(folder / SIGNATURE)).strip()
    except EngineError as error:
        if error.code == "minisign-missing":
            raise
        raise InputError(
            "bundle-not-signed", "The bundle's signature is not that of this key.", "Do not use it unless you know why."
        ) from error


def fingerprint(public: Path) -> str:
    """The key itself, one short line that can be compared on paper or by telephone."""
    try:
        return public.read_text(encoding="ascii").splitlines()[1].strip()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise InputError("key-unreadable", f"{public} is no minisign key.", "Name another: --key FILE") from error


def _minisign(*args: str) -> str:
    if shutil.which("minisign") is None:
        raise EngineError("minisign-missing", "The tool that signs and checks bundles is not installed.", "sudo apt-get install minisign")
    done = subprocess.run(["minisign", *args], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        why = (done.stderr or done.stdout).strip().splitlines() or ["it did not say why"]
        raise EngineError("minisign-failed", f"The bundle could not be signed or checked: {why[-1]}.", "See the key's folder.")
    return done.stdout
