"""How pages show times: with seconds, so that a payment can be matched to a log line."""
