"""Clips made from stills, in which the truth is known at every frame; see `eval.clips.run`."""
