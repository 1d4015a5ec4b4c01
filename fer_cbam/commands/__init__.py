"""The sub-commands of ``fer-cbam``: one a file, each with ``add_to`` (its arguments) and ``run``.

What a command needs is imported in its ``run``, so that ``--help`` and wrong arguments stay quick.
"""

from fer_cbam.commands import (
    app,
    batch,
    eval,
    export,
    predict,
    pull,
    push,
    report,
    train,
    video,
    web,
    webcam,
)

#: In the order in which a newcomer may want them.
COMMANDS = (app, webcam, predict, video, batch, report, train, eval, export, push, pull, web)
