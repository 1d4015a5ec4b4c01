"""How far weights can be trusted: one report, a module for each question (a section).

A new section is a new module with what :class:`~eval.trust.section.Section` asks for, and one more
name in :data:`eval.trust.sections.SECTIONS`.
"""
