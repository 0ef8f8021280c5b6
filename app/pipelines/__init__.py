"""What each kind of request does, from decoded upload to domain object."""
