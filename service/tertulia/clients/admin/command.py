"""``tertulia admin``: all its commands."""

from tertulia.clients.admin import acting, looking, persons, reading
from tertulia.clients.admin.asking import admin

__all__ = ["acting", "admin", "looking", "persons", "reading"]
