"""Real Redis topologies on loopback. A test that asks for the fixture `topology` runs once on each of them,
unless it is marked `on_valkey`.

Each is started at its first use, once a run, and healed before every test. All roles of `woovi.redis` point to it.
"""
