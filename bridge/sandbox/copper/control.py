"""The control interface: everything a `CopperDouble` can do, over HTTP on the same port, below `/_control`.

For tests and demos that run elsewhere. JSON in, JSON out; there is no authentication, so a double listens on loopback
unless told otherwise. `a` is an account's name, `e` an entity in the singular.

    GET    /_control                              accounts, clock, knobs, faults
    GET    /_control/knobs                        as they stand
    PATCH  /_control/knobs                        {"index_lag": 8, ...}: turn knobs while it runs
    POST   /_control/clock                        {"shift": 60}: move the double's clock
    GET    /_control/faults                       faults still up
    POST   /_control/faults                       a `Fault`, or a list of them
    DELETE /_control/faults                       all goes well again
    POST   /_control/accounts                     {"name", "api_key", "user_email"}: one more account
    GET    /_control/accounts/a/records/e         the truth, whatever search says
    POST   /_control/accounts/a/records/e         someone creates a record
    PUT    /_control/accounts/a/records/e/7       someone edits it
    DELETE /_control/accounts/a/records/e/7       someone deletes it
    POST   /_control/accounts/a/load/e            [{...}, ...]: records that always were there
    POST   /_control/accounts/a/hide/e            {"ids": [7, 8]}: the API's user may not see them any more
    DELETE /_control/accounts/a/hide              and sees everything again
    POST   /_control/accounts/a/user              {"id": 7}: the credentials belong to that user from now on
    POST   /_control/accounts/a/merge/e           {"winner": 7, "losers": [8, 9]}
    GET    /_control/accounts/a/effects?since=n   everything that became true after effect n
    GET    /_control/accounts/a/calls?since=n     calls after call n, and the most in any minute
    GET    /_control/accounts/a/deliveries        notifications and what became of them
    POST   /_control/accounts/a/deliveries        {"repeat": 0}: send that one again
    POST   /_control/accounts/a/people            {"every": 0.5}: people begin to work
    DELETE /_control/accounts/a/people            and rest
    POST   /_control/accounts/a/keys              {"api_key": "..."}: another key, as good as those there are
    DELETE /_control/accounts/a/tokens            401 for every Bearer token handed out so far
    POST   /_control/accounts/a/revoke            401 for every credential
    POST   /_control/accounts/a/restore           {"api_key": "..."}: taken again; of the keys only that one, if given
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from bridge.sandbox.copper.account import Account
from bridge.sandbox.copper.answers import Refusal
from bridge.sandbox.copper.faults import Fault
from bridge.sandbox.copper.knobs import DoubleAccount

if TYPE_CHECKING:
    from bridge.sandbox.copper.double import CopperDouble

ROOT = "/_control"
Work = Callable[["CopperDouble", "Order"], Any]


class Order:
    """What a control request asks."""

    def __init__(self, copper: "CopperDouble", request: web.Request, body: Any) -> None:
        self.params = request.match_info
        self.query: Mapping[str, str] = request.query
        self.body = body
        self._copper = copper

    @property
    def account(self) -> Account:
        """The account of the path."""
        return self._copper.account(self.params["a"])

    @property
    def entity(self) -> str:
        """The entity of the path."""
        return self.params["e"]

    @property
    def id(self) -> int:
        """The record id of the path."""
        return int(self.params["id"])

    @property
    def since(self) -> int:
        """What the caller has seen already."""
        return int(self.query.get("since", 0))


def add_routes(app: web.Application, copper: "CopperDouble") -> None:
    """Put the control interface into the application."""
    for method, path, work in ORDERS:
        app.router.add_route(method, ROOT + path, _handler(copper, work))


def _handler(copper: "CopperDouble", work: Work) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read() or b"{}")
            found = work(copper, Order(copper, request, body))
        except Refusal as refusal:
            return web.Response(status=refusal.answer.status, body=refusal.answer.body, content_type="application/json")
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    return handle


def _state(copper: "CopperDouble", _: Order) -> Any:
    faults = [asdict(fault) for fault in copper.faults.up]
    return {"accounts": [*copper.accounts], "clock": copper.clock(), "knobs": asdict(copper.knobs), "faults": faults}


def _add_faults(copper: "CopperDouble", order: Order) -> Any:
    rows = order.body if isinstance(order.body, list) else [order.body]
    copper.fault(*(Fault(**row) for row in rows))
    return [asdict(fault) for fault in copper.faults.up]


def _clear_faults(copper: "CopperDouble", _: Order) -> Any:
    copper.clear_faults()
    return []


def _add_account(copper: "CopperDouble", order: Order) -> Any:
    return {"name": copper.add_account(DoubleAccount(**order.body)).name}


def _delete(_: "CopperDouble", order: Order) -> Any:
    order.account.delete(order.entity, order.id)
    return {"id": order.id, "is_deleted": True}


def _hide(_: "CopperDouble", order: Order) -> Any:
    order.account.hide(order.entity, *order.body["ids"])
    return {"hidden": len(order.body["ids"])}


def _show(_: "CopperDouble", order: Order) -> Any:
    order.account.show()
    return {"hidden": 0}


def _user(_: "CopperDouble", order: Order) -> Any:
    order.account.sign_in_as(int(order.body["id"]))
    return {"id": order.body["id"]}


def _effects(_: "CopperDouble", order: Order) -> Any:
    return [asdict(effect) for effect in order.account.effects[order.since :]]


def _calls(copper: "CopperDouble", order: Order) -> Any:
    name = order.account.name
    calls = [call for call in copper.calls[order.since :] if call.account == name]
    return {"calls": [asdict(call) for call in calls], "most_in_any_minute": copper.max_calls_in_any_minute(name)}


def _deliveries(_: "CopperDouble", order: Order) -> Any:
    return [
        {
            "body": row.body(),
            "target": row.subscription.target,
            "fate": row.fate,
            "attempts": row.attempts,
            "status": row.status,
        }
        for row in order.account.webhooks.deliveries
    ]


def _repeat(copper: "CopperDouble", order: Order) -> Any:
    order.account.webhooks.repeat(int(order.body["repeat"]))
    return _deliveries(copper, order)


def _people(copper: "CopperDouble", order: Order) -> Any:
    copper.people(order.account.name, every=float(order.body.get("every", 1.0)))
    return {"working": True}


def _rest(copper: "CopperDouble", order: Order) -> Any:
    copper.rest(order.account.name)
    return {"working": False}


def _add_key(_: "CopperDouble", order: Order) -> Any:
    order.account.add_key(str(order.body["api_key"]))
    return {"added": True}


def _revoke_tokens(_: "CopperDouble", order: Order) -> Any:
    order.account.revoke_tokens()
    return {"revoked": True}


def _revoke(_: "CopperDouble", order: Order) -> Any:
    order.account.revoke()
    return {"revoked": True}


def _restore(_: "CopperDouble", order: Order) -> Any:
    order.account.restore(order.body.get("api_key"))
    return {"revoked": False}


ORDERS: tuple[tuple[str, str, Work], ...] = (
    ("GET", "", _state),
    ("GET", "/knobs", lambda copper, _: copper.set_knobs()),
    ("PATCH", "/knobs", lambda copper, order: copper.set_knobs(**order.body)),
    ("POST", "/clock", lambda copper, order: {"clock": copper.shift_clock(float(order.body["shift"]))}),
    ("GET", "/faults", lambda copper, _: [asdict(fault) for fault in copper.faults.up]),
    ("POST", "/faults", _add_faults),
    ("DELETE", "/faults", _clear_faults),
    ("POST", "/accounts", _add_account),
    ("GET", "/accounts/{a}/records/{e}", lambda _, order: order.account.records(order.entity)),
    ("POST", "/accounts/{a}/records/{e}", lambda _, order: order.account.create(order.entity, order.body)),
    ("PUT", "/accounts/{a}/records/{e}/{id}", lambda _, order: order.account.edit(order.entity, order.id, order.body)),
    ("DELETE", "/accounts/{a}/records/{e}/{id}", _delete),
    ("POST", "/accounts/{a}/load/{e}", lambda _, order: {"ids": order.account.load(order.entity, order.body)}),
    (
        "POST",
        "/accounts/{a}/merge/{e}",
        lambda _, order: order.account.merge(order.entity, order.body["winner"], *order.body["losers"]),
    ),
    ("POST", "/accounts/{a}/hide/{e}", _hide),
    ("DELETE", "/accounts/{a}/hide", _show),
    ("POST", "/accounts/{a}/user", _user),
    ("GET", "/accounts/{a}/effects", _effects),
    ("GET", "/accounts/{a}/calls", _calls),
    ("GET", "/accounts/{a}/deliveries", _deliveries),
    ("POST", "/accounts/{a}/deliveries", _repeat),
    ("POST", "/accounts/{a}/people", _people),
    ("DELETE", "/accounts/{a}/people", _rest),
    ("POST", "/accounts/{a}/keys", _add_key),
    ("DELETE", "/accounts/{a}/tokens", _revoke_tokens),
    ("POST", "/accounts/{a}/revoke", _revoke),
    ("POST", "/accounts/{a}/restore", _restore),
)
