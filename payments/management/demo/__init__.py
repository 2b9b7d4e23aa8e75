"""The demonstration: a merchant's whole day through the public API, each step checked."""
