"""Four recorded attacks on a web process of its own, over real sockets: flood, stuffing, brute force, scraping."""
