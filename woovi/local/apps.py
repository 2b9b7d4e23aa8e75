from django.apps import AppConfig


class LocalConfig(AppConfig):
    name = "woovi.local"
    label = "woovi_local"
