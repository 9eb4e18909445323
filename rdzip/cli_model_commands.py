"""The commands `rdzip models ...` and their options; rdzip.commands.models does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rdzip.commands.options import HELP, Force, Json, Model, Quiet, finish
from rdzip.commands.output import Output

models = typer.Typer(
    help="The models that rdzip knows.", no_args_is_help=True, rich_markup_mode=None, context_settings=HELP
)


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List the known models, and where they are."""
    from rdzip.commands import models as cli_models

    cli_models.list_models(as_json=as_json)


@models.command()
def show(model: Model, as_json: Json = False) -> None:
    """Tell what is known about a model."""
    from rdzip.commands import models as cli_models

    cli_models.show(model, as_json=as_json)


@models.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Ids, hashes or files; without any, all that are here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check models: their hash and their known answer.

    The hash is that of the file on this machine; the known answer says whether this device computes as it must.
    """
    from rdzip.commands import models as cli_models

    say = Output(as_json)
    cli_models.verify(names or [], say)
    finish(say)


@models.command()
def pull(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL", help="Ids, hashes, files, or ORG/NAME@COMMIT/FILE.safetensors.", show_default=False
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch models, to have them later without a network."""
    from rdzip.commands import models as cli_models

    say = Output(as_json, quiet)
    cli_models.pull(names, say)
    finish(say)


@models.command()
def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a finished run, or its model file.", show_default=False)
    ],
    name: Annotated[str, typer.Option("--id", metavar="NAME", help="What the model is called.", show_default=False)],
    output_dir: Annotated[Path | None, typer.Option("-O", "--output-dir", metavar="DIR", help="Folder. [NAME]")] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", metavar="L", help="SPDX identifier, such as MIT. [the run's]")
    ] = None,
    measured: Annotated[
        list[str] | None, typer.Option("--measured", metavar="KEY=VALUE", help="A figure for card and list.")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write a run's model to be published: file, card, licence and metrics in one folder."""
    from rdzip.commands import models as cli_models

    cli_models.export(run, name, output_dir, licence, measured or [], Output(quiet=quiet), force=force)


@models.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of `export`.", show_default=False)],
    repo: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repository; made if need be.", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    quiet: Quiet = False,
) -> None:
    """Upload an exported model to the Hugging Face hub."""
    from rdzip.commands import models as cli_models

    cli_models.push(folder, repo, Output(quiet=quiet), private=private)
