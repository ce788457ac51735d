"""Model cards, where weights come from, and their conversion to ONNX."""
