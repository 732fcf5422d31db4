"""``tertulia admin``: all its commands."""

from tertulia.clients.admin.command import admin
from tertulia.clients.admin.commands import act, log, moderate, persons, rooms, show

__all__ = ["act", "admin", "log", "moderate", "persons", "rooms", "show"]
