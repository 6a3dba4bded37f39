"""Where a server is, without telling anybody how to get in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from actors._errors import ManagerError

if TYPE_CHECKING:
    from collections.abc import Collection

HIDDEN = "***"
TELLING = {"sslmode", "ssl", "db", "dbname", "protocol"}
"""Parameters of a URL whose values are no secrets."""


@attrs.frozen
class Address:
    """A URL whose secrets stay out of every text.

    Args:
        url: as the client library wants it; never shown.
        shown: what may stand in logs and errors: no user, no password, no parameters.
    """

    url: str | None = attrs.field(repr=False)
    shown: str
    _secrets: tuple[str, ...] = attrs.field(repr=False, default=())

    @classmethod
    def parse(cls, url: str, schemes: Collection[str]) -> Address:
        """Take a URL apart.

        Raises:
            ValueError: it is of another kind, or no URL. The text does not repeat it, since it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("the URL of a cancellation manager cannot be understood (is its port a number?)") from None
        if parts.scheme not in schemes:
            raise ValueError(
                f"a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)} is needed here"
            )
        user = parts.netloc.rpartition("@")[0]
        hosts = parts.netloc.rpartition("@")[2] or ("" if port is None else f":{port}")
        secrets = {
            user,
            unquote(user),
            *user.split(":"),
            *map(unquote, user.split(":")),
            parts.username,
            parts.password,
        }
        secrets |= {value for name, value in parse_qsl(parts.query) if name not in TELLING}
        secrets |= {parts.query} if "password" in parts.query else set()
        longest_first = sorted((secret for secret in secrets if secret and len(secret) > 2), key=len, reverse=True)  # noqa: PLR2004
        return cls(url, f"{parts.scheme}://{hosts}{parts.path}", tuple(longest_first))

    @classmethod
    def of_a_client(cls, url: str | None, schemes: Collection[str]) -> Address:
        """The address of a client that the application has made; the URL, if given, is for what needs a client of its own."""
        return cls(None, "the application's own client") if url is None else cls.parse(url, schemes)

    def scrub(self, text: str) -> str:
        """A text of others, without our secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def failure(self, who: str, error: BaseException) -> ManagerError:
        """What a client library raised, as an error of ours; chained to it unless it gives a secret away."""
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        said = self.scrub(text)
        failure = ManagerError(f"{who} at {self.shown}: {said} (whether it was done is not known: ask again)")
        if said == text:
            failure.__cause__ = error
        failure.__suppress_context__ = True
        return failure
