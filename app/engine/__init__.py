"""When and where networks run."""
