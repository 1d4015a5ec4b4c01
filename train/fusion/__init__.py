"""Fusion of modalities: fitting it, and the two data sets that show what it is worth."""
