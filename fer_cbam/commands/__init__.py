"""The sub-commands of ``fer-cbam``: one a file, each with ``add_to`` (its arguments) and ``run``.

What a command needs is imported in its ``run``, so that ``--help`` and wrong arguments stay quick.
"""

from fer_cbam.commands import batch, export, predict, pull, push, report, web

COMMANDS = (predict, batch, report, export, push, pull, web)
