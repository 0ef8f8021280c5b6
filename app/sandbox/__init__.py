"""Decoding of untrusted files in a child process that can be limited and killed."""
