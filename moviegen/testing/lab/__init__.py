"""The laboratory: the toy world for every product, and for each an oracle that measures what came out by itself.

Our decision throughout; the paper has no such world. What the oracles say is read from frames and samples alone, nothing is learned.
"""
