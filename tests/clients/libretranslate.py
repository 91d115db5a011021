"""Every call of the PyPI package libretranslatepy, to a server that is open and to one that wants the key `open-sesame`."""

import sys
from urllib.error import HTTPError

from libretranslatepy import LibreTranslateAPI

DUTCH = "De gemeente bouwt volgend jaar een nieuwe brug over het kanaal."


def main(open_server, locked_server):
    for client in LibreTranslateAPI(open_server), LibreTranslateAPI(locked_server + "/", "open-sesame"):
        show(client.url, "languages()", languages := client.languages())
        assert {"nl", "en"} == {language["code"] for language in languages}
        show(client.url, f"detect({DUTCH!r})", detected := client.detect(DUTCH))
        assert detected[0]["language"] == "nl" and 50 < detected[0]["confidence"] <= 100
        for source in "nl", "auto":
            show(client.url, f"translate({DUTCH!r}, {source!r}, 'en')", english := client.translate(DUTCH, source, "en"))
            assert "bridge" in english
    refused(LibreTranslateAPI(locked_server), 403)
    refused(LibreTranslateAPI(locked_server, "open-sesam"), 403)
    refused(LibreTranslateAPI(open_server), 400, "nl", "fr")


def refused(client, status, source="nl", target="en"):
    try:
        client.translate(DUTCH, source, target)
    except HTTPError as error:
        show(client.url, f"translate({DUTCH!r}, {source!r}, {target!r})", f"{error.code} {error.read().decode()}")
        assert error.code == status
    else:
        raise AssertionError(f"{status} was expected")


def show(url, call, answer):
    print(f"{url} {call}\n    {answer}")


if __name__ == "__main__":
    main(*sys.argv[1:])
