"""Tables of README, docs and model cards, made from the committed reports.

``python -m eval.docs`` fills every block of README.md, model_card.md and docs/*.md:

    <!-- numbers:NAME -->
    a table that is replaced
    <!-- /numbers -->

and writes the card of each set of embedded weights. ``--check`` writes nothing and fails if
anything differs. Names are the keys of ``BLOCKS`` in :mod:`eval.docs.results` (``weights`` for
README, ``cards``, ``ckplus48``, ``ferplus``, ``cross-dataset``, ``speed``, ...) and in
:mod:`eval.docs.findings` (``findings-*``) and :mod:`eval.docs.trust`. Prose holds no numbers of
its own: it points to a table.
"""
