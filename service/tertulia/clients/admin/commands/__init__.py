"""``tertulia admin``: all its commands."""

from tertulia.clients.admin.command import admin
from tertulia.clients.admin.commands import act, log, persons, show

__all__ = ["act", "admin", "log", "persons", "show"]
