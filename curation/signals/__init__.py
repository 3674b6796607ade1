"""Per-frame measurements of the one decoding pass: motion, flow and the camera's path, light, black borders."""
