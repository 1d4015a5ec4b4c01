"""From weights to ONNX, and the runtime that needs no torch."""
