"""A job for the night, without a browser: who has more live sessions than they should?

    GATEPOST_KEY=… python main.py --most 5          # say it
    GATEPOST_KEY=… python main.py --most 5 --end    # and end all of theirs

Gatepost runs at GATEPOST_URL, by default http://127.0.0.1:8000. The key is a service key with the
scope read, and write to end sessions. Exit code 1: somebody was found; 2: Gatepost refused or did
not answer.
"""

import argparse
import os
import sys

from gatepost_client import GatepostError
from gatepost_client.admin import AdminClient


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=5, help="live sessions that are fine")
    parser.add_argument("--end", action="store_true", help="end the sessions of whoever has more")
    options = parser.parse_args()
    found = 0
    try:
        url = os.environ.get("GATEPOST_URL", "http://127.0.0.1:8000")
        with AdminClient(url, os.environ["GATEPOST_KEY"]) as admin:
            for user in admin.users():
                live = sum(session.is_live for session in admin.sessions(user.id))
                if live <= options.most:
                    continue
                found += 1
                ended = f", {admin.revoke_sessions(user.id)} ended" if options.end else ""
                print(f"{user.email}: {live} live sessions{ended}")
        if not found:
            print(f"nobody has more than {options.most} live sessions")
    except KeyError:
        print("GATEPOST_KEY is not set: a service key", file=sys.stderr)
        return 2
    except GatepostError as error:
        print(f"Gatepost: {error}", file=sys.stderr)
        return 2
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
