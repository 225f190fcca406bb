"""Who is at the console: a secret key opens a session, a signed cookie keeps it, a token in each form proves it.

The cookie says which key it was and holds a proof of it, so that a session ends when its key is taken out of the file
or changed. It is signed with what every server of the database knows, so that any replica takes it.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import Response

from endcap.serve.errors import Refused
from endcap.serve.keys import Keys, SecretKey

COOKIE = "endcap_console"
LASTS = timedelta(hours=12)
PATH = "/console"

Role = Literal["read", "write"]


@dataclass(frozen=True)
class Session:
    """Someone with a browser; without a role they may do no more than log in."""

    nonce: str  # nobody else knows it: forms are bound to it
    name: str = ""  # of the key
    role: Role | None = None
    proof: str = ""  # of the key
    new: bool = field(default=False, compare=False)  # no cookie says it yet

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.role == "write"


class Sessions:
    """Opens, reads and ends them. Without keys everyone who reaches the server may do everything: this machine."""

    def __init__(self, keys: Keys | None, secret: bytes) -> None:
        self._keys, self._secret = keys, secret
        self._cookies = URLSafeTimedSerializer(secret, "endcap console")

    @property
    def open(self) -> bool:
        """Whether nobody needs to log in."""
        return self._keys is None

    def read(self, cookie: str | None) -> Session:
        """The session of a cookie; a new one where it is none of ours, too old, or its key is gone."""
        fresh = self._fresh()
        try:
            nonce, name, proof = self._cookies.loads(cookie or "", max_age=int(LASTS.total_seconds()))
        except (BadSignature, ValueError, TypeError):
            return fresh
        if self._keys is None or not name:
            return Session(nonce, fresh.name, fresh.role)
        key = next((key for _, key in self._keys.secret if key.name == name), None)
        known = key is not None and hmac.compare_digest(proof, self._proof(key))
        return Session(nonce, name, key.role, proof) if key is not None and known else fresh

    def log_in(self, secret: str) -> Session:
        """A session of a secret key, with a nonce of its own; raises Refused (401)."""
        key = self._keys.find_secret(secret) if self._keys is not None else None
        if key is None:
            raise Refused(401, "unauthorized", "found a key that is none of this server's; expected a secret key")
        return Session(secrets.token_hex(16), key.name, key.role, self._proof(key))

    def keep(self, response: Response, session: Session, *, secure: bool) -> None:
        """Puts the cookie into a response."""
        value = self._cookies.dumps([session.nonce, "" if self.open else session.name, session.proof])
        response.set_cookie(
            COOKIE,
            str(value),
            max_age=int(LASTS.total_seconds()),
            path=PATH,
            secure=secure,
            httponly=True,
            samesite="strict",
        )

    def token(self, session: Session) -> str:
        """What a form of this session carries."""
        return hmac.new(self._secret, f"form {session.nonce}".encode(), "sha256").hexdigest()

    def check(self, session: Session, token: str) -> None:
        """Raises Refused (403) where a form is not one that this session was shown."""
        if not hmac.compare_digest(token.encode(), self.token(session).encode()):
            raise Refused(403, "form", "this form is too old, or of another page; load the page again")

    def _fresh(self) -> Session:
        nonce = secrets.token_hex(16)
        return Session(nonce, "local", "write", new=True) if self.open else Session(nonce, new=True)

    def _proof(self, key: SecretKey) -> str:
        return hmac.new(self._secret, b"key " + key.digest, "sha256").hexdigest()[:32]
