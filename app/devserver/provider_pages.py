"""The pages of the local provider: plain HTML, without scripts."""

from html import escape
from http import HTTPStatus

from starlette.responses import HTMLResponse, Response


def form(action: str, email: str, name: str = "", error: str = "") -> Response:
    message = f'<p class="message failed" role="alert">{escape(error)}</p>' if error else ""
    return page(
        "Sign in with the local provider",
        f"""\
<p>It is part of the development server and believes whatever you type. The same address is the same
account.</p>
{message}
<form method="post" action="{escape(action)}">
<div><label for="name">Name</label>
<input id="name" name="name" autocomplete="name" maxlength="200" value="{escape(name)}"></div>
<div><label for="email">Email address</label>
<input id="email" name="email" type="email" autocomplete="email" required autofocus
  value="{escape(email)}"></div>
<label class="check"><input type="checkbox" name="verified" checked> The provider says that this
address is verified</label>
<div class="row"><button class="primary">Continue</button>
<button name="cancel" value="yes" formnovalidate>Cancel</button></div>
</form>""",
        HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK,
    )


def page(title: str, content: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return HTMLResponse(
        f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="/dev/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/dev/base.css">
<link rel="stylesheet" href="/dev/page.css">
<main class="narrow"><div class="card"><h1>{title}</h1>
{content}
</div></main>
</html>
""",
        status,
    )
