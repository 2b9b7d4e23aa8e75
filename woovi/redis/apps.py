from django.apps import AppConfig


class RedisConfig(AppConfig):
    name = "woovi.redis"
    label = "woovi_redis"

    def ready(self) -> None:
        from woovi.redis import checks  # noqa: F401 (registers them)
