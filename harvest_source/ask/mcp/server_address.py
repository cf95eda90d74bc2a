"""
Where the server over HTTP listens, and the address that callers use.

It listens beyond this machine only where connections are encrypted: with a certificate, or behind a
named proxy.
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
class ServerAddress:
    """
    Where the server listens, and the address that callers use.

    Attributes:
        url: The address that callers use, to which tokens are bound.
        certificate: Path of the certificate; empty: the server does not encrypt connections.
        key: Path of the certificate's key.
        proxy: Address of an encrypting proxy, the only one that may connect; empty: any may.
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
        """Whether to accept a connection from *address*. Headers that name one are ignored."""
        return not self.proxy or _parse_address(address) == _parse_address(self.proxy)

    def build_security(self) -> TransportSecuritySettings:
        """Build the check of ``Host`` and ``Origin``: only those of the address are accepted."""
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
            # Without this, OpenSSL would ask for a key's password on the terminal.
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
        Listen on every address that the host name resolves to.

        Raises:
            ConfigError: The server cannot listen on one of them.
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
            msg = (
                f"Cannot listen on {printable(self.host)}:{self.port} ({why}). Choose another "
                "address with --http."
            )
            raise ConfigError(msg) from error
        return opened


def _parse_address(text: str) -> _Address | None:
    """Parse an IP address, so that all spellings compare equal; None: it is not one."""
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
