"""What answers: the live model, what stands beside it, and the catalogue as its encoders see it."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from endcap.data.errors import InputError
from endcap.data.schema import KINDS
from endcap.engine.version import Version
from endcap.experiment import trained_until
from endcap.serve.console.artifacts import choices, chosen, home_of, made, name_of, report_of
from endcap.serve.console.form import Change
from endcap.serve.console.odd import FieldError, Wrong, call_right, correct, section
from endcap.serve.console.page import Page, Reading
from endcap.serve.console.planning import plan_of, share_of
from endcap.serve.console.worth import doubtful, figure, told, worth_of
from endcap.serve.errors import Refused

router = APIRouter()

PLACE = "/console/models"
REPORT = {
    # Its styles stand in the page itself, and that is all that it may do: no script, no address.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


@router.get(PLACE)
def show(page: Reading) -> Response:
    """The live model first."""
    return _page(page)


def _page(page: Page, wrong: Wrong | None = None) -> Response:
    desk = page.desk
    engine, versions = desk.engine, desk.versions
    kept, live = desk.store.models(engine.name), worth_of(desk.engine.live.artifact)
    return page(
        "models.html",
        active="models",
        status=200 if wrong is None else 422,
        about=engine.about,
        versions={role: _about(version) for role, version in versions.items()},
        previous=name_of(desk, kept.get("previous", {}).get("path")),
        choices=[
            (choice, told(choice.worth, None if choice.role == "live" else live, page.words))
            for choice in choices(desk, kept)
        ],
        told={
            role: told(worth_of(version.artifact), None if role == "live" else live, page.words)
            for role, version in versions.items()
        },
        report=report_of(desk) is not None,
        changes=[change for change in desk.store.changes(50) if change["what"] == "model"][:12],
        odd=section(page, wrong),
    )


@router.get("/console/report")
def report(page: Reading) -> Response:
    """What `endcap compare` left beside the artifact."""
    path = report_of(page.desk)
    if path is None:
        raise Refused(404, "not_found", "there is no report.html beside the artifact; `endcap compare` writes one")
    return Response(path.read_bytes(), media_type="text/html; charset=utf-8", headers=REPORT)


@router.post(f"{PLACE}/promote")
def promote(page: Reading, form: Change) -> Response:
    """Makes an artifact live, the one before stays for a roll back; one that may be worse is asked for twice."""
    desk, choice = page.desk, chosen(page.desk, form["path"])
    live = worth_of(desk.engine.live.artifact)
    if doubtful(choice.worth, live) and form["sure"] != "yes":
        return page(
            "models_sure.html",
            active="models",
            choice=choice,
            figures=(figure(choice.worth, live, page.words), figure(live, live, page.words)),
        )
    desk.engine.promote(home_of(desk) / choice.path, by=page.session.name)
    return page.to(PLACE, done="promoted")


@router.post(f"{PLACE}/roll-back")
def roll_back(page: Reading, form: Change) -> Response:
    """Makes the one before live."""
    page.desk.engine.roll_back(by=page.session.name)
    return page.to(PLACE, done="rolled_back")


@router.post(f"{PLACE}/beside")
def beside(page: Reading, form: Change) -> Response:
    """Puts an artifact beside the live one, unheard or for a share of the visitors; without a path that ends."""
    path = home_of(page.desk) / chosen(page.desk, form["path"]).path if form["path"] else None
    engine, by = page.desk.engine, page.session.name
    match form["role"]:
        case "candidate":
            share, plan = (share_of(form["share"]), plan_of(form)) if path else (0.0, None)
            engine.set_role("candidate", path, share=share, by=by, plan=plan)
        case "shadow" | "again" | "new" as role:
            engine.set_role(role, path, share=0.0, by=by)
        case other:
            raise InputError(f"found role {other!r}; expected shadow, candidate, again or new")
    return page.to(PLACE, done="beside" if path else "ended")


@router.post(f"{PLACE}/odd/correct")
def odd_correct(page: Reading, form: Change) -> Response:
    """Writes what is right into the catalogue; the next answer knows it."""
    try:
        correct(page.desk.engine, form, page.words)
    except FieldError as error:
        return _page(page, Wrong((form["item_id"], form["column"]), str(error), form))
    return page.to(PLACE, "odd", done="corrected")


@router.post(f"{PLACE}/odd/right")
def odd_right(page: Reading, form: Change) -> Response:
    """The row is as it should be, and not shown again."""
    call_right(page.desk.engine, form, page.words, by=page.session.name)
    return page.to(PLACE, "odd", done="right")


def _about(version: Version) -> dict[str, Any]:
    """What an artifact says of itself."""
    artifact = version.artifact
    return {
        "name": version.name,
        "products": artifact.traits.n_items,
        "kinds": [KINDS[kind - 1] for kind in artifact.traits.kinds],
        "goal": KINDS[version.goal - 1],
        "until": trained_until(artifact),
        "repeat": version.repeat,
        "features": list(artifact.config.features.use),
        "figures": worth_of(artifact).figures,
        "model": artifact.config.model.name,
        "made": made(version.path),
        "arrived": len(version.shelf.arrived),
    }
