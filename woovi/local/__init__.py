"""Development only: engines from wheels, and every process of the platform on one terminal."""
