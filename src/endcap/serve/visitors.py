"""Who a request may speak for: a public key for the visitor whose token it brings, a secret one for everybody."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from endcap.serve.access import Caller
from endcap.serve.errors import Refused
from endcap.serve.keys import PublicKey
from endcap.store.records import Visitor

SALT = "endcap visitor"


@dataclass(frozen=True)
class Claim:
    """Who a body says it speaks for."""

    user_id: str | None = None
    session_id: str | None = None
    token: str | None = None  # what `sign` gave
    user_signature: str | None = None


def new_session() -> str:
    """An id that nobody guesses."""
    return secrets.token_hex(16)


def sign(key: PublicKey, session_id: str) -> str:
    """A token with which a page may speak for a session."""
    return str(URLSafeTimedSerializer(key.signing_secret, SALT).dumps(session_id))


def user_signature(signing_secret: str, user_id: str) -> str:
    """HMAC-SHA256 in hex: with it the shop says that a visitor is this user."""
    return hmac.new(signing_secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()


def visitor_of(claim: Claim, caller: Caller, lasts: timedelta) -> Visitor:
    """Who it is; raises Refused (403) where a public key may not speak for them, (422) for a token that is none."""
    if isinstance(caller.key, PublicKey):
        return _public(claim, caller.key, lasts)
    if claim.token is None:
        return Visitor(claim.user_id, claim.session_id)
    return Visitor(claim.user_id, _session(claim.token, caller.signers, lasts))


def _public(claim: Claim, key: PublicKey, lasts: timedelta) -> Visitor:
    if claim.token is None:
        raise Refused(403, "visitor_missing", "a public key needs a visitor token; get one by POST /v1/visitors")
    session_id = _session(claim.token, (key,), lasts)
    if claim.session_id not in (None, session_id):
        raise Refused(403, "visitor_other", "found a session_id that is not the one of the visitor token; leave it out")
    if claim.user_id is not None:
        expected = user_signature(key.signing_secret, claim.user_id)
        if not hmac.compare_digest(expected.encode(), (claim.user_signature or "").encode()):
            raise Refused(403, "user_signature", "a user_id needs the shop's user_signature: hex HMAC-SHA256 of it")
    return Visitor(claim.user_id, session_id)


def _session(token: str, signers: tuple[PublicKey, ...], lasts: timedelta) -> str:
    for key in signers:
        try:
            found = URLSafeTimedSerializer(key.signing_secret, SALT).loads(token, max_age=int(lasts.total_seconds()))
        except SignatureExpired:
            raise Refused(
                403, "visitor_expired", "the visitor token has expired; get one by POST /v1/visitors"
            ) from None
        except BadSignature:
            continue
        if isinstance(found, str):
            return found
    raise Refused(403, "visitor_forged", "the visitor token is not signed by this key; get one by POST /v1/visitors")
