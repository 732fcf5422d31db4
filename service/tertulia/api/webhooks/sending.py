"""Requests to receivers: bounded in time and size, followed nowhere, and not to where they may not go."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
import time
from importlib.metadata import version
from typing import Final

import httpx

from tertulia.api.webhooks.deliveries import HookDelivery, signature
from tertulia.api.webhooks.hooks import Signed
from tertulia.api.webhooks.trying import ReceiverAnswer, retry_after

MOST_ANSWER_BYTES: Final = 65_536
"""Bytes of an answer that are read: nobody looks at them, but the connection can be used again."""
MOST_AT_ONCE: Final = 8
"""Requests of one webhook, in different rooms."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA: Final = (
    # Where clouds tell any program of a machine its credentials. Link-local ones are refused anyway.
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("192.0.0.192/32"),
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_KEPT_OPEN: Final = 60.0


class HookSender:
    """Sends one webhook's deliveries. To be closed."""

    def __init__(self, signed: Signed, seconds: float, proxy: str | None = None) -> None:
        """``seconds``: within which a request has to be answered. ``proxy``: the URL of one to go by.

        Raises OSError where the receiver's certificates can't be read.
        """
        for library in ("httpx", "httpcore"):  # they log URLs and headers, where secrets are
            logging.getLogger(library).setLevel(logging.WARNING)
        self._hook = signed.hook
        self._key = signed.key
        self._seconds = seconds
        self._is_direct = proxy is None
        ca_file = signed.hook.ca_file
        tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._client = httpx.AsyncClient(
            verify=tls,
            proxy=proxy,
            trust_env=False,
            follow_redirects=False,
            timeout=seconds,
            limits=httpx.Limits(
                max_connections=MOST_AT_ONCE,
                max_keepalive_connections=MOST_AT_ONCE,
                keepalive_expiry=_KEPT_OPEN,
            ),
            headers={
                "User-Agent": f"Tertulia/{version('tertulia')}",
                "Content-Type": "application/json",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Tertulia-Hook": signed.hook.name,
            },
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def send(self, delivery: HookDelivery) -> ReceiverAnswer:
        """Try a delivery; say what came of it. It never raises, but where it is cancelled."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(delivery)
        except (TimeoutError, httpx.TimeoutException):
            return ReceiverAnswer(why=f"it did not answer within {self._seconds:g} s")
        except _Refused as error:
            return ReceiverAnswer(why=str(error))
        except (httpx.HTTPError, OSError, ValueError) as error:
            # Not its text: a URL may be in it.
            return ReceiverAnswer(why=f"no connection, or a broken one ({type(error).__name__})")

    async def _post(self, delivery: HookDelivery) -> ReceiverAnswer:
        url = httpx.URL(self._hook.url)
        now = time.time()
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Tertulia-Delivery": delivery.id,
            "Tertulia-Signature": signature(
                self._key.get_secret_value(), delivery.body, int(now)
            ),
        }  # fmt: skip
        if not self._is_direct:
            return await self._request(url, delivery.body, headers, now)
        # By the addresses that were looked at: a name may lead elsewhere a moment later.
        *first, last = await self._addresses(url)
        for address in first:
            with contextlib.suppress(httpx.ConnectError):
                there = url.copy_with(host=str(address))
                return await self._request(there, delivery.body, headers, now, url.host)
        there = url.copy_with(host=str(last))
        return await self._request(there, delivery.body, headers, now, url.host)

    async def _request(
        self, url: httpx.URL, body: bytes, headers: dict[str, str], now: float, name: str = ""
    ) -> ReceiverAnswer:
        extensions = {"sni_hostname": name} if name else {}
        request = self._client.build_request(
            "POST", url, content=body, headers=headers, extensions=extensions
        )
        answer = await self._client.send(request, stream=True)
        try:
            asked = retry_after(answer.headers.get("Retry-After", ""), now)
            told = ReceiverAnswer(answer.status_code, retry_after=asked)
            with contextlib.suppress(httpx.HTTPError):  # its answer is known
                size = 0
                async for piece in answer.aiter_raw():
                    size += len(piece)
                    if size > MOST_ANSWER_BYTES:
                        break
            return told
        finally:
            await answer.aclose()
            self._client.cookies.clear()

    async def _addresses(self, url: httpx.URL) -> list[Address]:
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(it[4][0]) for it in found]
        for address in addresses:
            if is_refused(address):
                raise _Refused(
                    f"{address} is link-local, or a cloud's metadata: no webhook goes there"
                )
        return addresses


class _Refused(Exception):
    """The receiver is where no webhook may go."""


def is_refused(address: Address) -> bool:
    """Say whether no webhook may go to an address: link-local, metadata services of clouds, nobody's."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_refused(inner)
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or any(address in it for it in _METADATA if it.version == address.version)
    )
