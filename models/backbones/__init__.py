"""One file a published system; each readable beside its paper."""
