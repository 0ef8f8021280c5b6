"""Finding persons in pictures: one Protocol, several sources of boxes."""
