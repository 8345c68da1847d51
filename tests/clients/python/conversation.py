"""The whole conversation of a client, with a client made from the OpenAPI document.

SERVICE_URL is the API, WORKER_LOG the file that the worker prints SMS to, CLIENT_ID and CLIENT_SECRET are those of a
registered client.
"""

import base64
import os
import pathlib
import re
import time
from http import HTTPStatus

from cheershare_client import AuthenticatedClient, Client
from cheershare_client.api.account import get_me, list_events, update_me
from cheershare_client.api.files import create_file_link, download_file, list_files
from cheershare_client.api.gateways import verify
from cheershare_client.api.programs import get_jwks, introspect_token, revoke_token
from cheershare_client.api.protected import get_protected
from cheershare_client.api.sessions import (
    delete_current_token,
    delete_token,
    delete_tokens,
    issue_jwt,
    list_tokens,
    renew_token,
)
from cheershare_client.api.sign_up import get_delivery, sign_up
from cheershare_client.models import (
    CreateFileLinkResponse404,
    Delivery,
    DownloadFileResponse404,
    EventKind,
    EventList,
    FileList,
    GetMeResponse401,
    GetMeResponse401Code,
    GetProtectedResponse401,
    GetProtectedResponse401Code,
    IntrospectTokenResponse401,
    Introspection,
    Jwks,
    Jwt,
    JwtRequest,
    Keep,
    Me,
    NewLink,
    OtpSent,
    ProfileChange,
    Protected,
    Renewal,
    Session,
    SessionList,
    SignUpRequest,
    SignUpResponse401,
    SignUpResponse401Code,
    SignedIn,
    Status,
    TokenForm,
    UpdateMeResponse409,
    UpdateMeResponse409Code,
)
from cheershare_client.types import UNSET, Unset

NUMBER = "+919876500002"
SERVICE_URL = os.environ["SERVICE_URL"]
WORKER_LOG = pathlib.Path(os.environ["WORKER_LOG"])

STRANGER = Client(base_url=SERVICE_URL)


def registered_client(client_id: str, secret: str) -> AuthenticatedClient:
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return AuthenticatedClient(base_url=SERVICE_URL, token=basic, prefix="Basic")


BACKEND = registered_client(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])


def holder_of(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=SERVICE_URL, token=token)


def codes() -> list[str]:
    """The OTPs that were sent to the number so far."""
    printed = [sms for sms in WORKER_LOG.read_text().split("│ to ") if sms.startswith(NUMBER)]
    return [code for sms in printed for code in re.findall(r"password is (\d+)", sms)]


def ask_for_code() -> str:
    """Asks for an OTP and waits until the worker has sent it."""
    before = len(codes())
    asked = sign_up.sync(client=STRANGER, body=SignUpRequest(phone_number=NUMBER, name="Asha"))
    assert isinstance(asked, OtpSent), asked
    assert asked.success and asked.expires_in > 0
    deadline = time.monotonic() + 20
    while len(codes()) == before:
        assert time.monotonic() < deadline, "no SMS came"
        time.sleep(0.1)
    delivery = get_delivery.sync(asked.delivery_id, client=STRANGER)
    assert isinstance(delivery, Delivery) and delivery.status in (Status.SENDING, Status.SENT), delivery
    return codes()[before]


def sign_in() -> str:
    otp = ask_for_code()
    wrong = "000001" if otp == "000000" else "000000"
    refused = sign_up.sync(client=STRANGER, body=SignUpRequest(phone_number=NUMBER, otp=wrong))
    assert isinstance(refused, SignUpResponse401) and refused.code is SignUpResponse401Code.INVALID_OTP, refused
    signed_in = sign_up.sync(client=STRANGER, body=SignUpRequest(phone_number=NUMBER, otp=otp))
    assert isinstance(signed_in, SignedIn), signed_in
    assert signed_in.data.phone_number == NUMBER
    return signed_in.token


def change_name(client: AuthenticatedClient) -> None:
    me = get_me.sync(client=client)
    assert isinstance(me, Me) and me.data.created_at.tzinfo is not None, me
    change = ProfileChange(name="Asha Rao", version=me.data.version)
    changed = update_me.sync(client=client, body=change)
    assert isinstance(changed, Me), changed
    assert (changed.data.name, changed.data.version) == ("Asha Rao", me.data.version + 1)
    late = update_me.sync(client=client, body=change)
    assert isinstance(late, UpdateMeResponse409) and late.code is UpdateMeResponse409Code.EDIT_CONFLICT, late


def sessions(client: AuthenticatedClient) -> list[Session]:
    """All sessions, a page at a time."""
    found: list[Session] = []
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        page = list_tokens.sync(client=client, limit=1, cursor=cursor)
        assert isinstance(page, SessionList) and len(page.data) <= 1, page
        found += page.data
        cursor = page.next_cursor
    return found


def ask(token: str) -> None:
    """A backend asks about a token, and ends its session."""
    form = TokenForm(token=token)
    told = introspect_token.sync(client=BACKEND, body=form)
    assert isinstance(told, Introspection) and told.active and told.phone_number == NUMBER, told
    refused = introspect_token.sync(client=registered_client("nobody", "nothing"), body=form)
    assert isinstance(refused, IntrospectTokenResponse401), refused
    jwt = issue_jwt.sync(client=holder_of(token), body=JwtRequest(audience="orders"))
    assert isinstance(jwt, Jwt) and jwt.token.count(".") == 2, jwt
    jwks = get_jwks.sync(client=STRANGER)
    assert isinstance(jwks, Jwks) and [key.alg for key in jwks.keys] == ["ES256"], jwks
    assert revoke_token.sync_detailed(client=BACKEND, body=form).status_code == HTTPStatus.OK
    told = introspect_token.sync(client=BACKEND, body=form)
    assert isinstance(told, Introspection) and told.to_dict() == {"active": False}, told


def is_refused(client: AuthenticatedClient) -> None:
    refused = get_me.sync(client=client)
    assert isinstance(refused, GetMeResponse401), refused
    assert refused.code is GetMeResponse401Code.INVALID_AUTHORIZATION_HEADER, refused


def read_files(client: AuthenticatedClient) -> None:
    """Files and links of somebody who has none."""
    files = list_files.sync(client=client)
    assert isinstance(files, FileList) and files.data == [] and files.next_cursor is None, files
    nowhere = "m4q7n2w5zc6x3v2b7t6h4y5xke"
    none = download_file.sync(nowhere, client=client)
    assert isinstance(none, DownloadFileResponse404), none
    link = create_file_link.sync(nowhere, client=client, body=NewLink(expires_in=3600, max_downloads=1))
    assert isinstance(link, CreateFileLinkResponse404), link


def converse() -> None:
    unsigned = get_protected.sync(client=AuthenticatedClient(base_url=SERVICE_URL, token="A" * 26))
    assert isinstance(unsigned, GetProtectedResponse401), unsigned
    assert unsigned.code is GetProtectedResponse401Code.INVALID_AUTHORIZATION_HEADER
    first, second = holder_of(sign_in()), holder_of(sign_in())
    opened = get_protected.sync(client=first)
    assert isinstance(opened, Protected) and opened.data == "Protected", opened
    change_name(first)
    verified = verify.sync_detailed(client=first)
    assert (verified.status_code, verified.headers["x-user-name"]) == (HTTPStatus.OK, "Asha%20Rao"), verified

    listed = sessions(first)
    assert [session.current for session in listed] == [False, True], listed
    assert delete_token.sync_detailed(listed[0].id, client=first).status_code == HTTPStatus.NO_CONTENT
    is_refused(second)

    renewal = renew_token.sync(client=first)
    assert isinstance(renewal, Renewal), renewal
    is_refused(first)
    client = holder_of(renewal.token)
    events = list_events.sync(client=client, limit=100)
    assert isinstance(events, EventList), events
    kinds = [event.kind for event in events.data]
    expected = [
        EventKind.RENEWED,
        EventKind.SIGNED_OUT,
        EventKind.NAME_CHANGED,
        EventKind.SIGNED_IN,
        EventKind.SIGNED_UP,
    ]
    assert kinds == expected, kinds
    read_files(client)
    ask(sign_in())
    assert delete_tokens.sync_detailed(client=client, keep=Keep.CURRENT).status_code == HTTPStatus.NO_CONTENT
    assert delete_current_token.sync_detailed(client=client).status_code == HTTPStatus.NO_CONTENT
    is_refused(client)


converse()
print("   Python: signed in, renewed, signed out")
