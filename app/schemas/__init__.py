"""Request and response bodies, and how they are made from domain objects."""
