"""FER-CBAM: facial emotion recognition that shows why."""

__version__ = "0.1.0"

from fer_cbam import models as models
