"""What schemathesis has to be told in Python: how to sign in, and how many requests there were.

SIGN_IN_NUMBER and SIGN_IN_CODE, where they are set, sign every request in; so does ADMIN_KEY, whose id is ADMIN_KEY_ID.
COUNT_FILE gets the number of requests.
"""

import atexit
import os
import pathlib

import requests
import schemathesis

NUMBER, CODE = os.environ.get("SIGN_IN_NUMBER"), os.environ.get("SIGN_IN_CODE")
COUNT_FILE = pathlib.Path(os.environ["COUNT_FILE"])

ADMIN_KEY, ADMIN_KEY_ID = os.environ.get("ADMIN_KEY"), os.environ.get("ADMIN_KEY_ID")
# Pieces of uploads by tus, and lines of JSON, are bytes as they are.
for kind in ["application/offset+octet-stream", "application/x-ndjson"]:
    schemathesis.serializer.alias(kind, "application/octet-stream")

count = 0


@schemathesis.hook
def after_call(context, case, response):
    global count
    count += 1


@atexit.register
def write_count():
    COUNT_FILE.write_text(str(count))


def post(url, body):
    answer = requests.post(url, json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


if NUMBER and CODE:

    # A token of its own for every request: some of them end theirs.
    @schemathesis.auth(refresh_interval=None)
    class SignedIn:
        def get(self, case, context):
            url = f"{context.operation.schema.get_base_url()}/signup"
            post(url, {"phone_number": NUMBER, "name": "Asha"})
            return post(url, {"phone_number": NUMBER, "otp": CODE})["token"]

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Bearer {data}"


if ADMIN_KEY:

    @schemathesis.auth(refresh_interval=None)
    class WithKey:
        def get(self, case, context):
            return ADMIN_KEY

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Bearer {data}"

    @schemathesis.hook
    def before_call(context, case, kwargs):
        # It would remove its own key.
        if str((case.path_parameters or {}).get("key_id")) == ADMIN_KEY_ID:
            case.path_parameters["key_id"] = 999999
