"""Publication of models: a finished run as a folder to publish, and that folder on the Hugging Face hub."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rdzip import hub, models
from rdzip.errors import InputError, ModelError
from rdzip.hub import origin
from rdzip.hub.download import DEFAULT_ENDPOINT
from rdzip.hub.origin import Origin
from rdzip.models import model_file
from rdzip.models.model_file import SUFFIX
from rdzip.system import atomic

CARD, METRICS, LICENCE = "README.md", "metrics.json", "LICENSE"
LICENCES = {
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0.txt",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/legalcode.txt",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/legalcode.txt",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/legalcode.txt",
    "MIT": "https://spdx.org/licenses/MIT.txt",
}
"""Licences by SPDX identifier, and where their texts are."""


def export(
    run: Path,
    name: str,
    out: Path,
    *,
    licence: str | None = None,
    measured: Mapping[str, float | str] | None = None,
    force: bool = False,
) -> Path:
    """Write a finished run's model under an id of its own, with card, licence and metrics, into a folder.

    - run: folder of the run, or its model file
    - name: the id
    - out: the folder
    - licence: SPDX identifier, None for that of the run's file
    - measured: figures, such as of files that were compressed with it
    - force: replace files that exist

    Every check of the model is made, and its known answer computed anew. Returns the model file. Raises InputError,
    ModelError.
    """
    if not model_file.is_id(name):
        raise InputError(f"`name`: expected 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit, found {name!r}")
    tensors, document = model_file.read(_model_of(run))
    document = {**document, "id": name, "licence": licence or document["licence"]}
    if measured:
        document["measured"] = dict(measured)
    document["known_answer"] = models.build(tensors, document).known_answer()
    data = model_file.to_bytes(tensors, document)
    parameters = sum(tensor.size for tensor in tensors.values())
    target = out / (name + SUFFIX)
    atomic.write(target, data, force=force)
    terms = LICENCES.get(document["licence"])
    texts = {
        CARD: card(document, model_file.sha256(data), len(data), parameters),
        METRICS: json.dumps({"rates": _rates(document), "measured": dict(document.get("measured", {}))}, indent=2)
        + "\n",
        LICENCE: f"The model {name} is licensed under {document['licence']}{f': {terms}' if terms else ''}\n",
    }
    for file, text in texts.items():
        atomic.write(out / file, text.encode(), force=force)
    return target


def _model_of(run: Path) -> Path:
    if run.is_file():
        return run
    found = sorted(run.glob(f"*{SUFFIX}"))
    if len(found) == 1:
        return found[0]
    if not found and (run / "checkpoint.pt").exists():
        raise InputError(f"{run}: the run has no model file yet; let it end: train with `out={run}` and `resume`")
    what = f"{len(found)} of them; name the file itself" if found else "none"
    raise InputError(f"{run}: expected a finished run with one model file (*{SUFFIX}), found {what}")


def _rates(document: Mapping[str, Any]) -> dict[str, Any]:
    training = document.get("training")
    return dict(training.get("rates", {})) if isinstance(training, dict) else {}


def card(document: Mapping[str, Any], sha256: str, size: int, parameters: int) -> str:
    """The model card in Markdown, with the head that the Hugging Face hub reads."""
    name, licence = document["id"], document["licence"]
    known, codecs = licence if licence in LICENCES else None, models.codecs_of(document)
    head = ["---", f"license: {known.lower() if known else 'other'}"]
    if known is None:
        head.append(f"license_name: {json.dumps(licence)}")
    head += [
        "library_name: rdzip",
        "tags:",
        *(f"- {tag}" for tag in ("compression", "rdzip", *codecs)),
        "---",
    ]
    training = document.get("training", {})
    facts = [(key, value) for key, value in training.items() if not isinstance(value, dict | list)]
    tables = [("Training", facts), ("Held-out figures of the training (estimates)", list(_rates(document).items())),
              ("Measured on files", list(document.get("measured", {}).items()))]  # fmt: skip
    body = [
        f"# {name}",
        "",
        f"A model for rdzip: architecture `{document['architecture']}`, codecs "
        f"{', '.join(codecs)}. It holds integers only, so files decode to the same everywhere.",
        "",
        f"- {parameters:,} parameters, {size:,} bytes",
        f"- SHA-256 `{sha256}`",
        f"- known answer `{document['known_answer']}`",
        f"- licence {licence}",
        "",
        f"    rdzip compress picture.png -m {name}{SUFFIX}",
    ]
    for title, rows in tables:
        if rows:
            body += ["", f"## {title}", "", "| | |", "| --- | --- |"]
            body += [f"| {key} | {_cell(value)} |" for key, value in rows]
    return "\n".join([*head, *body]) + "\n"


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split()).replace("|", "\\|")


def push(folder: Path, repo: str, *, private: bool = False) -> Origin:
    """Upload a folder that `export` wrote to a repository of the hub, made if need be, as one commit.

    The model goes into the cache too, so that files made with it from now on name the repository. Returns where it is.
    Raises InputError for a folder that is not one, ModelError where the upload fails.
    """
    if hub.is_offline():
        raise ModelError("uploading is switched off (HF_HUB_OFFLINE): unset it")
    if not origin.REPO.fullmatch(repo):
        raise InputError(f"expected a repository ORG/NAME, found {repo!r}")
    model = _model_of(folder)
    missing = [name for name in (CARD, METRICS, LICENCE) if not (folder / name).is_file()]
    if missing or not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of rdzip models export, found no {', '.join(missing)}")
    hub.verify(model)
    from huggingface_hub import CommitOperationAdd, HfApi

    endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    names = (model.name, CARD, METRICS, LICENCE)
    try:
        api = HfApi(endpoint=endpoint, library_name="rdzip")
        api.create_repo(repo, private=private, exist_ok=True)
        made = api.create_commit(
            repo,
            [CommitOperationAdd(name, (folder / name).read_bytes()) for name in names],
            commit_message=f"Add {model.stem}",
        )
    except Exception as error:  # huggingface_hub lets through errors of whichever HTTP library it is built on
        cause = " ".join(str(error).split())[:200]
        raise ModelError(
            f"uploading to {endpoint}/{repo} failed ({type(error).__name__}: {cause}); check the network, log in by "
            "`hf auth login`, or name a repository that is yours"
        ) from error
    place = Origin(repo, made.oid, model.name, model_file.sha256(model), model.stat().st_size)
    origin.remember(hub.pull(model).path, place)
    return place
