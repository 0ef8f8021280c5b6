"""The commands of `gaitkeeper`, one file a task."""
