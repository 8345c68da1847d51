"""An app by Flask and Authlib."""

import os

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for

app = Flask(__name__)
app.secret_key = "of the tests"
oauth = OAuth(app)
oauth.register(
    "cheershare",
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    client_kwargs={"scope": "openid profile phone", "code_challenge_method": "S256"},
)


@app.get("/login")
def login():
    return oauth.cheershare.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    token = oauth.cheershare.authorize_access_token()
    claims = oauth.cheershare.userinfo(token=token)
    if claims["sub"] != token["userinfo"]["sub"]:
        raise ValueError("of another user")
    session["claims"] = {name: claims[name] for name in ("sub", "name", "phone_number")}
    session["hint"] = token["id_token"]
    return redirect("/")


@app.get("/me")
def me():
    return session["claims"] if "claims" in session else ("", 401)


@app.get("/logout")
def logout():
    hint = session["hint"]
    session.clear()
    there = url_for("bye", _external=True)
    return oauth.cheershare.logout_redirect(there, id_token_hint=hint, state="signed out")


@app.get("/bye")
def bye():
    oauth.cheershare.validate_logout_response()
    return "Signed out"


@app.get("/")
def welcome():
    return "Welcome"
