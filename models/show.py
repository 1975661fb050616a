"""What `beside models` prints: tables for people, JSON for programs."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from device.errors import BesideError, InputError
from models import signature
from models.bundle import Checked
from models.catalogue import Catalogue, Model, is_here
from models.choose import Proof
from models.fetch import Outcome
from models.manifest import Manifest
from models.recommend import Advice
from models.shelf import Finding

PIPE_COLUMNS = 200  # into a file or a pager a row stays one line


def trouble(error: BesideError, as_json: bool) -> None:
    if as_json:
        _json({"code": error.code, "sentence": error.sentence, "remedy": error.remedy})
    else:
        print(f"beside models: {error.sentence} {error.remedy}".rstrip(), file=sys.stderr)


def _json(what: object) -> None:
    print(json.dumps(what, ensure_ascii=False, indent=2))


def size(count: int) -> str:
    """`63.5 MB`; a dash where it is not known."""
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= worth:
            return f"{count / worth:.1f} {unit}"
    return f"{count} B" if count else "-"


def as_data(model: Model, folder: Path) -> dict[str, Any]:
    return {**model.model_dump(exclude_none=True), "here": is_here(model, folder)}


def many(models: list[Model], folder: Path, as_json: bool) -> None:
    if as_json:
        _json([as_data(m, folder) for m in models])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "name", "kind", "lang", "loads", "memory", "licence", "good for"):
        table.add_column(title, no_wrap=title != "good for", overflow="fold", justify="right" if title in ("loads", "memory") else "left")
    for m in models:
        licence = m.licence.split(",")[0] + (" (!)" if m.cautions else "")
        table.add_row(
            "here" if is_here(m, folder) else "", m.name, m.kind, ",".join(m.languages), size(m.download_bytes),
            f"{m.memory_mb / 1000:.1f} GB", licence, m.good_for,
        )  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False)
    console.print(table)
    console.print("(!) has cautions: beside models list NAME")


def one(model: Model, catalogue: Catalogue, folder: Path, as_json: bool) -> None:
    """Everything about one model, its cautions written out."""
    if as_json:
        _json({**as_data(model, folder), "caution_texts": [catalogue.cautions[c] for c in model.cautions]})
        return
    print(f"{model.name}: {model.good_for}")
    print(f"  {model.kind}, {', '.join(model.languages) or 'any language'}; about {model.memory_mb} MB of memory; licence {model.licence}")
    for caution in model.cautions:
        print(f"  caution: {catalogue.cautions[caution]}")
    if model.single_source:
        print("  caution: its checksum was found in one place only.")
    for f in model.files:
        origin = f"{f.member} in the package {f.wheel} {f.version}" if f.wheel else f.url or "comes with Beside"
        proof = f"sha256 {f.sha256}" if f.sha256 else f"md5 {f.md5} (no sha256 is published)" if f.md5 else "no checksum is published"
        print(f"  {f.placed} ({size(f.bytes or 0)}): {origin}\n    {'' if f.project else proof}".rstrip())
    print("  It is here." if is_here(model, folder) else f"  It is not here. Fetch it: beside models fetch {model.name}")


def outcomes(results: list[Outcome], as_json: bool) -> None:
    if as_json:
        _json([
            {"model": o.model, "file": o.file, "was_here": o.was_here, "ok": o.trouble is None, **_error(o.trouble)} for o in results
        ])  # fmt: skip
        return
    for o in results:
        said = f"{o.trouble.sentence} {o.trouble.remedy}" if o.trouble else "was here" if o.was_here else "fetched and proven"
        print(f"{'FAILED ' if o.trouble else 'ok     '} {o.model}: {o.file}: {said}", file=sys.stderr if o.trouble else sys.stdout)


def _error(error: BesideError | None) -> dict[str, str]:
    return {"code": error.code, "sentence": error.sentence, "remedy": error.remedy} if error else {}


def findings(seen: list[Finding], folder: Path, as_json: bool) -> None:
    broken = [f for f in seen if f.trouble]
    if as_json:
        _json({"folder": str(folder), "files": [{"model": f.model, "file": f.file, "trouble": f.trouble} for f in seen]})
        return
    for f in broken:
        print(f"BROKEN  {f.model}: {f.file}: {f.trouble}")
    if broken:
        names = " ".join(dict.fromkeys(f.model for f in broken))
        print(f"{len(broken)} of {len(seen)} files are not as they should be. To repair: beside models fetch {names}")
    else:
        print(f"All {len(seen)} files are whole.")


def note(text: str) -> None:
    """What goes on while somebody waits; standard output stays for the result."""
    print(text, file=sys.stderr, flush=True)


def chosen(model: Model, proof: Proof, config: Path, as_json: bool) -> None:
    if as_json:
        _json({"model": model.name, "config": str(config), "proof": proof.said, "service": proof.service})
    else:
        print(f"{proof.said}\nBeside uses {model.name} from now on ({config}).")


def advice(given: Advice, folder: Path, as_json: bool) -> None:
    """The profile, the reasons, and the commands that bring it."""
    names = [c.model.name for c in given.choices]
    if as_json:
        models = [{"name": c.model.name, "kind": c.model.kind, "why": c.why, "here": is_here(c.model, folder)} for c in given.choices]
        _json({"memory_mb": given.machine_mb, "profile_gb": given.profile.memory_gb, "needs_mb": given.memory_mb, "models": models})
        return
    print(f"{given.machine_mb / 1000:.1f} GB of memory: the profile for {given.profile.memory_gb or 'less than 8'} GB.\n")
    for c in given.choices:
        print(f"  {c.model.kind}  {c.model.name} ({size(c.model.download_bytes)}, {c.model.licence})\n       {c.why}")
    print(f"\nAll of it, with the system, needs about {given.memory_mb / 1000:.1f} GB of memory.")
    missing = [c.model.name for c in given.choices if not is_here(c.model, folder)]
    if missing:
        print(f"To fetch: beside models fetch {' '.join(missing)}")
    print("To use:   " + " && ".join(f"beside models use {name}" for name in names))


def bundled(out: Path, made: Manifest, as_json: bool) -> None:
    total = sum(f.bytes for f in made.files)
    key = signature.fingerprint(out / "site.pub")
    if as_json:
        _json({"folder": str(out), "files": len(made.files), "bytes": total, "models": made.models, "release": made.release, "key": key})
        return
    print(f"{out}: {len(made.files)} files, {size(total)}, for {made.release} with Python {made.python}.")
    print(f"Signed with this site's key: {key}\nWrite the key down; on the other machine: sh install.sh   (in the folder, on the stick)")


def checked(seen: Checked, as_json: bool) -> None:
    if as_json:
        _json(
            {"troubles": seen.troubles, "key": seen.key, "key_known": seen.trusted, "signed": seen.signed, "models": seen.manifest.models}
        )
        return
    for what in seen.troubles:
        print(f"BROKEN  {what}")
    if seen.troubles:
        print(f"{len(seen.troubles)} things are not as they were made. Do not use this bundle.")
        return
    print(f"All {len(seen.manifest.files)} files are as they were made. Signed: {seen.signed}\nKey: {seen.key}")
    if not seen.trusted:
        print("This key lies on the stick itself, so compare it with the one that was written down when the stick was made.")


def nothing_named(
    sentence: str = "No model was named.", remedy: str = "Say which, or --embedded. All names: beside models list"
) -> InputError:
    return InputError("not-named", sentence, remedy)


def checked_sha256(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise InputError("hash-malformed", "A sha256 has 64 digits from 0 to f.", "Copy it once more from where it was published.")
    return text.lower() if text else None
