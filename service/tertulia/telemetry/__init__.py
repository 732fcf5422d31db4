"""What a node tells of itself: metrics, logs, spans."""
