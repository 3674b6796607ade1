"""Measures of what models make: each with its number of clips, its interval and the hash of the weights it came from."""
