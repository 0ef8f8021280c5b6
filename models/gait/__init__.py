"""From silhouettes of a walking person to a gait energy image."""
