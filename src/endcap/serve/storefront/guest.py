"""Who looks at a page: a signed cookie holds the session, and in a demonstration the user who was stepped into."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from endcap.serve.errors import Refused
from endcap.serve.keys import LOCAL_KEY, PublicKey
from endcap.serve.serving import caller_of, serving_of
from endcap.serve.visitors import new_session, sign, user_signature
from endcap.store.records import Visitor

COOKIE = "endcap_visitor"
SALT = "endcap storefront"
FORM = "endcap storefront form"


@dataclass(frozen=True)
class Guest:
    """A browser."""

    key: PublicKey  # signs for this shop's pages
    session_id: str
    user_id: str | None = None
    is_new: bool = False  # the browser does not have its cookie yet
    aside: str | None = None  # the session of before they became a user, to which they come back

    @property
    def visitor(self) -> Visitor:
        """As the store knows them."""
        return Visitor(self.user_id, self.session_id)

    @property
    def token(self) -> str:
        """With which the page's scripts speak for this session."""
        return sign(self.key, self.session_id)

    @property
    def user_signature(self) -> str | None:
        """With which they speak for the user."""
        return None if self.user_id is None else user_signature(self.key.signing_secret, self.user_id)

    @property
    def form(self) -> str:
        """What a form of ours carries and one of another site cannot know."""
        return Signer(self.key.signing_secret, FORM).get_signature(self.session_id).decode()

    def check_form(self, given: str) -> None:
        """Raises Refused (403) where a form is not one that this browser was shown."""
        if not compare_digest(self.form.encode(), given.encode()):
            raise Refused(403, "form", "this form is not from this shop, or the visit has ended; go back and try again")

    def become(self, user_id: str) -> "Guest":
        """The same browser as a user, in a new session; that of before is kept aside."""
        return Guest(self.key, new_session(), user_id, is_new=True, aside=self.aside or self.session_id)

    def back(self) -> "Guest":
        """The same browser as who it was before it became a user."""
        return self if self.user_id is None else Guest(self.key, self.aside or new_session(), is_new=True)

    def anew(self) -> "Guest":
        """The same browser in a new session: nothing leads back to the one before."""
        return Guest(self.key, new_session(), is_new=True)


def guest_of(request: Request) -> Guest:
    """By the cookie; a new session where there is none, or one that is not ours."""
    key = _key(caller_of(request).signers, request)
    days = serving_of(request).config.visitor_days
    try:
        session_id, user_id, *aside = _cookies(key).loads(  # a cookie of before has two parts
            request.cookies.get(COOKIE, ""), max_age=int(timedelta(days=days).total_seconds())
        )
    except (BadSignature, ValueError, TypeError):
        return Guest(key, new_session(), is_new=True)
    return Guest(key, session_id, user_id, aside=aside[0] if aside else None)


def remember(response: Response, guest: Guest, request: Request) -> None:
    """Gives the browser its cookie."""
    set_cookie(
        response, request, COOKIE, str(_cookies(guest.key).dumps([guest.session_id, guest.user_id, guest.aside])),
        days=serving_of(request).config.visitor_days,
    )  # fmt: skip


def set_cookie(response: Response, request: Request, name: str, value: str, *, days: int) -> None:
    """One that scripts cannot read and other sites cannot send along with a form."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=days * 86_400, httponly=True, samesite="lax", secure=secure)


def _cookies(key: PublicKey) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key.signing_secret, SALT)


def _key(signers: Sequence[PublicKey], request: Request) -> PublicKey:
    """The public key of this shop's own pages."""
    if signers == (LOCAL_KEY,):
        return LOCAL_KEY
    origin = f"{request.url.scheme}://{request.url.netloc}"
    for key in signers:
        if origin in key.origins:
            return key
    raise Refused(409, "no_key", f"the shop's pages need a public key with the origin {origin} in the file of keys")
