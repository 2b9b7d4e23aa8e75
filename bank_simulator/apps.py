from django.apps import AppConfig


class SimulatorConfig(AppConfig):
    name = "bank_simulator"
    label = "simulator"  # its tables are named by it
