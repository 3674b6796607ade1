"""Many ranks as one: the mesh, how networks are divided over it, Lightning's strategy, checkpoints that fit any mesh."""
