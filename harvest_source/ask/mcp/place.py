"""
Where the server over HTTP listens, and under which address it is reached.

Off the own machine it listens only where connections are encrypted: with a certificate, or behind a
proxy that is named.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings

from harvest_source.api.urls import is_loopback
from harvest_source.ask.mcp.address import PORTS, split_address
from harvest_source.errors import ConfigError, describe_os_error, printable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where the server listens, and under which address it is reached.

    Attributes:
        url: What callers use, and what tokens are bound to.
        certificate: File; empty: connections are not encrypted here.
        key: File of the certificate's key.
        proxy: Address from which alone connections are taken: of a proxy that encrypts; empty: any.
    """

    host: str
    port: int
    url: str
    certificate: str = ""
    key: str = ""
    proxy: str = ""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ConfigError(
                "A certificate and its key belong together: --tls-cert and --tls-key."
            )
        parts = split_address(self.url)
        if self.proxy and _parse_address(self.proxy) is None:
            raise ConfigError("--proxy is the address of one machine, such as 192.0.2.7.")
        if is_loopback(self.host):
            return
        if not (self.certificate or self.proxy):
            msg = (
                f"{self.host} is reached by other machines, so connections have to be encrypted: "
                "give --tls-cert and --tls-key, or --proxy with the address of a proxy that does."
            )
            raise ConfigError(msg)
        if parts.scheme != "https":
            raise ConfigError("--url has to begin with https:// where other machines connect.")

    @property
    def origin(self) -> str:
        """The address without its path."""
        return f"{urlsplit(self.url).scheme}://{urlsplit(self.url).netloc}"

    def may_connect(self, address: str) -> bool:
        """Whether a connection from *address* is taken. What a header says of it counts nothing."""
        return not self.proxy or _parse_address(address) == _parse_address(self.proxy)

    def build_security(self) -> TransportSecuritySettings:
        """Which ``Host`` and ``Origin`` are accepted: those of the address, and no other."""
        parts = urlsplit(self.url)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
        usual = PORTS[parts.scheme]
        port = parts.port or usual
        hosts = [f"{name}:{port}", *([name] if port == usual else [])]
        return TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=hosts,
            allowed_origins=[f"{parts.scheme}://{host}" for host in hosts],
        )

    def check_certificate(self) -> None:
        """Raises ConfigError if the certificate and its key cannot be used together."""
        if not self.certificate:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # A key with a password would have OpenSSL ask for it on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: b"")
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            msg = (
                f"The certificate {printable(self.certificate)} cannot be used with the key "
                f"{printable(self.key)} ({printable(why)}). Both are PEM files, the first with the "
                "whole chain, the second without a password."
            )
            raise ConfigError(msg) from error

    def listen(self) -> list[socket.socket]:
        """
        Listen on every address that the host's name stands for.

        Raises:
            ConfigError: One of them cannot be listened on.
        """
        opened: list[socket.socket] = []
        try:
            found = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for family, address in dict.fromkeys((each[0], each[4]) for each in found):
                opened.append(socket.create_server(address, family=family))
        except OSError as error:
            for each in opened:
                each.close()
            why = describe_os_error(error)
            msg = f"{printable(self.host)}:{self.port} cannot be listened on ({why})."
            raise ConfigError(msg) from error
        return opened


def _parse_address(text: str) -> _Address | None:
    """An IP address, the same however it is written; None: it is none."""
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
