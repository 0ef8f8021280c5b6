"""Who may do what: API keys, their scopes and galleries, and how much each may use."""
