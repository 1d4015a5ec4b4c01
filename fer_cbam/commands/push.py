"""``fer-cbam push``: weights on a hub."""

from __future__ import annotations

import argparse


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its arguments."""
    push = commands.add_parser("push", help="put weights on a hub")
    push.add_argument("source", metavar="DIR", help="a folder of weights, or <arch>.<tag>")
    push.add_argument("repo_id", metavar="USER/NAME")
    push.add_argument("--private", action="store_true", help="readable with a token only")
    push.add_argument("--revision", metavar="TAG", help="a new tag (default: v1, v2, ...)")
    push.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Say where the weights are now, and how to ask for exactly these."""
    from fer_cbam.hub import push

    pushed = push(args.source, args.repo_id, args.private, args.revision)
    print(f"{pushed.url}: {pushed.repo_id}@{pushed.revision}, commit {pushed.commit}")
    return 0
