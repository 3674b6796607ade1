"""Our own finder of transitions between shots: pure functions over tiny pictures, and a thin shell that is fed frame by frame."""
