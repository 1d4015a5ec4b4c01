"""What is said of a face over time: an average, a filter, or a recurrent network."""

#: Names of smoothers. ``network`` is there for weights that one was trained for, ``filter`` for
#: weights that say how often they met each label. ``none`` answers each frame on its own.
SMOOTHERS = ("network", "filter", "average", "none")
