"""What is said of a face over time: an average, a filter, or a recurrent network."""

#: Names of smoothers, by default the first that weights have. ``filter`` is there for weights that
#: say how often they met each label, ``network`` for those that one was trained for: it is better
#: than the filter on faces like those it learnt, and worse on others, so it has to be asked for.
#: ``none`` answers each frame on its own.
SMOOTHERS = ("filter", "network", "average", "none")
