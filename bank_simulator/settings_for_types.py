"""For mypy only, which reads one settings module: both projects' settings together."""

from bank_simulator.settings import *
from bank_simulator.settings import INSTALLED_APPS as SIMULATOR
from woovi.settings import *
from woovi.settings import INSTALLED_APPS as PLATFORM

INSTALLED_APPS = PLATFORM + SIMULATOR
