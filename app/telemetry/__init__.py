"""What operators see: request ids, logs, metrics, traces. Nothing here names a person, a picture or an address."""
