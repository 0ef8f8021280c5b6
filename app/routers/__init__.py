"""Routes: they translate between HTTP and pipelines, and do nothing else."""
