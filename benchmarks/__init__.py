"""One file a room, each against its floor and its peers in one run on the same servers."""
