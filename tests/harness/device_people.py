"""Several people at terminals, who sign up with the service and chat with one another."""

from pathlib import Path

from harness.device_nodes import DeviceNodes
from harness.device_person import Person

PASSWORD = "s3cret"


class People:
    """Persons at terminals, on the service's nodes in turn."""

    def __init__(self, folder: Path, service: DeviceNodes) -> None:
        self._folder = folder
        self._service = service
        self.hosts: dict[str, str] = {}
        """Names to addresses to listen on, for those who are on a host of their own."""
        self._everybody: list[Person] = []

    def sits_down(self, name: str) -> Person:
        """Start a program for somebody who has not said who it is."""
        addresses = self._service.addresses
        address = addresses[len(self._everybody) % len(addresses)]
        person = Person(self._folder / name, address, host=self.hosts.get(name))
        self._everybody.append(person)
        person.asked("> ")
        return person

    def signs_up(self, *names: str) -> list[Person]:
        """Start a program each, and sign up."""
        persons = []
        for name in names:
            person = self.sits_down(name)
            person.types(f"signup {name} {PASSWORD}")
            person.expects(f"-- You are {name}")
            person.asked(f"{name}> ")
            persons.append(person)
        return persons

    def end(self) -> None:
        """End all programs."""
        for person in self._everybody:
            person.end()


def are_live(first: Person, first_name: str, second: Person, second_name: str) -> None:
    """Put two into a live chat: the first waits, the second comes."""
    first.types(f"chat {second_name}")
    first.expects(f"-- {second_name} is not in this chat")
    second.types(f"chat {first_name}")
    second.expects(f"-- {first_name} is here")
    first.expects(f"-- {second_name} is here")
    first.asked(f"[{second_name}] ")
    second.asked(f"[{first_name}] ")
