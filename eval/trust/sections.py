"""The sections of the report, in their order."""

from __future__ import annotations

from eval.trust import confidence, fairness, faithfulness, regions, robustness, sanity
from eval.trust.section import Section

#: Modules, see :class:`~eval.trust.section.Section`.
SECTIONS: tuple[Section, ...] = (
    faithfulness,
    sanity,
    regions,
    confidence,
    robustness,
    fairness,
)
