"""The commands about models: what the hub knows, in words or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rdzip import hub
from rdzip.commands.output import Output, bytes_text, print_json, print_text, rows, table
from rdzip.commands.progress_bar import bar
from rdzip.errors import ModelError, UsageError
from rdzip.hub import ModelRef
from rdzip.system.atomic import shown


def list_models(*, as_json: bool) -> None:
    """Print every known model, those for research last: a table, or one JSON object a line."""
    refs = hub.list_models()
    if as_json:
        for ref in refs:
            print_json(_record(ref))
        return
    header = ["MODEL", "BYTES", "WHERE", "CODECS", "LICENCE", "SHA-256", "MEASURED"]
    body = [
        [ref.id, f"{ref.bytes:,}", ref.source, ", ".join(codecs), ref.licence, ref.sha256[:16], _rates(ref)]
        for ref, codecs in ((ref, ref.codecs) for ref in refs)
    ]
    for_users = sum(not ref.research for ref in refs)
    lines = table(header, body).splitlines()
    if for_users < len(refs):
        lines.insert(1 + for_users, "\nfor research (docs/explanation/reference-systems.md):")
    print_text("\n".join(lines))


def show(name: str, *, as_json: bool) -> None:
    """Print all that is known about one model. Raises ModelError."""
    known = hub.show(name)
    known |= {"path": str(known["path"]), "codecs": known["codecs"]}
    if as_json:
        print_json(known)
        return
    document, tensors = known.pop("document", None), known.pop("tensors", None)
    pairs = [(key, _value(value)) for key, value in known.items() if value is not None and value != {}]
    text = shown(known["id"]) + "\n" + rows(pairs)
    for title, part in (("in the file", document), ("tensors", tensors)):
        if part:
            text += f"\n{title}\n" + rows([(shown(key), _value(value)) for key, value in part.items()])
    print_text(text)


def verify(names: Sequence[str], out: Output) -> None:
    """Check models on this machine; without names, all that are here."""
    here = names or [ref.sha256 for ref in hub.list_models() if ref.source != "hub"]
    if not here:
        raise ModelError("expected a model on this machine, found none; fetch one by `rdzip models pull`")
    for name in here:
        with out.guard(name):
            found = hub.verify(name)
            ref = found.ref
            record = {**_record(ref), "known_answer": found.known_answer, "seconds": round(found.seconds, 3)}
            out.result(record, f"{shown(ref.id)}: good ({shown(ref.path)}, sha-256 {ref.sha256[:16]})")


def pull(names: Sequence[str], out: Output) -> None:
    """Fetch models into the cache, each with a bar on stderr."""
    for name in names:
        with out.guard(name):
            with bar(shown(name), quiet=out.quiet) as progress:
                ref = hub.pull(name, progress)
            out.result(_record(ref), f"{shown(ref.id)}: {shown(ref.path)}, {bytes_text(ref.bytes)}, {ref.source}")


def export(
    run: Path, name: str, folder: Path | None, licence: str | None, measured: Sequence[str], out: Output, *, force: bool
) -> None:
    """Write a run's model, card, licence and metrics into a folder, and print the model file.

    - run: folder of the run, or its model file
    - name: id of the model
    - folder: None for one of that name here
    - licence: SPDX identifier, None for that of the run's file
    - measured: texts NAME=VALUE
    - out: where the line goes
    - force: replace what exists
    """
    from rdzip.hub import publish

    figures: dict[str, float | str] = {}
    for text in measured:
        key, sign, value = text.partition("=")
        if not (key and sign and value):
            raise UsageError(f"--measured takes key=value, found {text!r}")
        try:
            figures[key] = float(value)
        except ValueError:
            figures[key] = value
    model = publish.export(run, name, folder or Path(name), licence=licence, measured=figures, force=force)
    out.note(f"wrote {shown(model.parent)}: model, card, licence and metrics; publish them by rdzip models push")
    print_text(shown(model))


def push(folder: Path, repo: str, out: Output, *, private: bool) -> None:
    """Upload such a folder, and print where the model is."""
    from rdzip.hub import publish

    place = publish.push(folder, repo, private=private)
    out.note(f"anybody can have it now by: rdzip models pull {place}")
    print_text(str(place))


def _rates(ref: ModelRef) -> str:
    return shown(", ".join(f"{key} {value}" for key, value in ref.measured.items()))


def _record(ref: ModelRef) -> dict[str, Any]:
    return {**asdict(ref), "path": str(ref.path), "codecs": ref.codecs}


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(part) for part in value)
    return shown(f"{value:,}" if isinstance(value, int) else str(value))
