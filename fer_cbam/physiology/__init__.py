"""Body signals: heart rate variability, skin conductance, and a pulse read from the face itself.

Features, no feeling: no labelled recording could be had, so there is no model of arousal here.
"""

from fer_cbam.physiology.features import HeartRate, SkinConductance, heart_rate, skin_conductance
from fer_cbam.physiology.pulse import Pulse, pulse_of, skin_colour
from fer_cbam.physiology.series import UNITS, Series, read_series

__all__ = [
    "HeartRate", "Pulse", "Series", "SkinConductance", "UNITS", "heart_rate", "pulse_of",
    "read_series", "skin_colour", "skin_conductance",
]  # fmt: skip
