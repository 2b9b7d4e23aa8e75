"""For mypy only, which reads one settings module: the platform's and the simulator's in one."""

from bank_simulator.settings import *
from bank_simulator.settings import INSTALLED_APPS as SIMULATOR
from woovi.settings import *
from woovi.settings import INSTALLED_APPS as PLATFORM

INSTALLED_APPS = PLATFORM + SIMULATOR
