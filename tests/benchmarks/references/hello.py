"""The smallest program on the same command line library; it imports nothing else."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def hello() -> None:
    """Say hello."""
    typer.echo("hello")


if __name__ == "__main__":
    app()
