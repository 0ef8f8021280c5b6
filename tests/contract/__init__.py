"""The service against its own OpenAPI document: `python -m tests.contract --seconds 600`."""
