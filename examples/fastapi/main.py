"""A FastAPI application with a page: ``uvicorn main:app --port 8001``, then http://127.0.0.1:8001.

The page signs people up and in with Better Auth's official client, by password or with the
providers in PROVIDERS; this application only asks who they are. Gatepost runs at GATEPOST_URL, by
default http://127.0.0.1:8000, and trusts this origin:
GATEPOST_TRUSTED_ORIGINS=http://127.0.0.1:8001.
"""

import os
from pathlib import Path
from typing import Annotated

from fastapi import Body, FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from gatepost_client.fastapi import CurrentUser, OptionalUser, lifespan

GATEPOST = os.environ.get("GATEPOST_URL", "http://127.0.0.1:8000")
PROVIDERS = os.environ.get("PROVIDERS", "local")  # ids, as in GATEPOST_PROVIDERS, by commas
HERE = Path(__file__).parent

app = FastAPI(lifespan=lifespan(GATEPOST))
notes: dict[str, list[str]] = {}


@app.get("/")
async def page() -> HTMLResponse:
    """The page, which is told where Gatepost is, and what one can sign in with."""
    text = (HERE / "index.html").read_text()
    return HTMLResponse(text.replace("GATEPOST_URL", GATEPOST).replace("PROVIDERS", PROVIDERS))


@app.get("/client.js")
async def script() -> FileResponse:
    """Made by ``npm run build``."""
    return FileResponse(HERE / "static" / "client.js")


@app.get("/notes")
async def read(user: CurrentUser) -> list[str]:
    return notes.get(user.id, [])


@app.post("/notes")
async def write(user: CurrentUser, text: Annotated[str, Body(embed=True)]) -> list[str]:
    notes.setdefault(user.id, []).append(text)
    return notes[user.id]


@app.get("/greeting")
async def greet(user: OptionalUser) -> dict[str, str]:
    return {"text": f"Hello {user.name}" if user else "Hello, whoever you are"}
