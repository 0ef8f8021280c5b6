"""Who is known: durable records of enrolled shots, and the search for the identities most like a query."""
