"""A Django application that knows who asks: ``python main.py``, then http://127.0.0.1:8001.

Gatepost runs at GATEPOST_URL, by default http://127.0.0.1:8000.
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from gatepost_client.django import session_required

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "gatepost_client.django.GatepostMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY", "for development"),
    GATEPOST_URL=os.environ.get("GATEPOST_URL", "http://127.0.0.1:8000"),
)

notes: dict[str, list[str]] = {}


def home(request: HttpRequest) -> HttpResponse:
    session = request.gatepost.session()  # type: ignore[attr-defined]
    who = session.user.email if session else "nobody"
    return HttpResponse(f"Signed in: {who}\n", content_type="text/plain")


@session_required
def own_notes(request: HttpRequest) -> JsonResponse:
    """GET: the notes of whoever asks. POST: one more."""
    user = request.gatepost.session().user  # type: ignore[attr-defined]
    mine = notes.setdefault(user.id, [])
    if request.method == "POST":
        mine.append(request.body.decode())
    return JsonResponse({"notes": mine})


@session_required(fresh=True)
async def delete_notes(request: HttpRequest) -> JsonResponse:
    session = await request.gatepost.asession()  # type: ignore[attr-defined]
    if request.method == "POST":
        notes.pop(session.user.id, None)
    return JsonResponse({"notes": notes.get(session.user.id, [])})


urlpatterns = [
    path("", home),
    path("notes", own_notes),
    path("notes/delete", delete_notes),
]

if __name__ == "__main__":
    port = os.environ.get("PORT", "8001")
    execute_from_command_line([sys.argv[0], "runserver", "--noreload", f"127.0.0.1:{port}"])
