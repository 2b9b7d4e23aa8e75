"""HTTP both ways: calls to addresses that strangers gave us; limits and sockets of what comes in."""
