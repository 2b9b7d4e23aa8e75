from django.apps import AppConfig


class WooviConfig(AppConfig):
    name = "woovi"

    def ready(self) -> None:
        from woovi.redis import checks  # noqa: F401 (registers them)
