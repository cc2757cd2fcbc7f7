# SPDX-License-Identifier: Apache-2.0
"""How many requests an app answers, and how fast: through Lithouse, by `streamlit run`, and on the listener that we gave it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from load import Generator, Load
from processes import BenchError
from report import Section, ratio, spread
from servers import Address

LITHOUSE, PLAIN, INTERNAL = "Lithouse", "`streamlit run`", "the app's port under Lithouse"
# What is asked for, below the app's path.
_PATHS = {"`_stcore/health`": "_stcore/health", "the page": ""}
_CONNECTIONS = (1, 50)

_EXPLANATION = f"""The same app, in the same environment, asked over and over on kept connections, one request under way on each.
*{LITHOUSE}* is the URL that visitors have; *{PLAIN}* is Streamlit's own listener, which is what a user has without us;
*{INTERNAL}* is the hosted app asked past the proxy, on the listener that Lithouse opened for it: it shows what the
proxy costs. The last two columns compare with {PLAIN}: of the rates, more than 1 is better than it; of the times, less."""


def check(addresses: dict[str, Address]) -> None:
    """Fails unless every one of them answers with what is going to be measured."""
    for name, address in addresses.items():
        if not address.is_healthy():
            raise BenchError(f"{name} does not answer as a healthy app")
        status, body = address.get("")
        if status != 200 or b"<html" not in body:
            raise BenchError(f"{name} answers {status} instead of the page")


def measure(
    generator: Generator, addresses: dict[str, Address], rounds: int, seconds: int, say: Callable[[str], None]
) -> Section:
    """Measures all of them in turn, the first one of a round being another in the next."""
    check(addresses)
    say("requests, to warm up")
    for address in addresses.values():
        generator.measure(address.url(""), 1, 1)
    loads: dict[tuple[str, int, str], list[Load]] = defaultdict(list)
    names = list(addresses)
    cells = [(asked, path, connections) for asked, path in _PATHS.items() for connections in _CONNECTIONS]
    for turn in range(rounds):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        for asked, path, connections in cells:
            say(f"requests, round {turn + 1} of {rounds}: {asked}, {connections} at once")
            for name in order:
                loads[asked, connections, name].append(generator.measure(addresses[name].url(path), connections, seconds))
    head = ["asked for", "connections", "of", "requests/s", "p50, ms", "p99, ms", "ratio of requests/s", "ratio of p99"]
    section = Section("Requests to an app", _EXPLANATION, head)
    for asked, _, connections in cells:
        base = loads[asked, connections, PLAIN]
        for name in names:
            found = loads[asked, connections, name]
            rates, tails = [load.rate for load in found], [load.p99_ms for load in found]
            compared = ["–", "–"]
            if name != PLAIN:
                compared = [ratio(rates, [load.rate for load in base]), ratio(tails, [load.p99_ms for load in base])]
            middles = spread([load.p50_ms for load in found])
            section.rows.append([asked, str(connections), name, spread(rates), middles, spread(tails), *compared])
    failed = {name: sum(load.errors for key, of in loads.items() if key[2] == name for load in of) for name in names}
    if any(failed.values()):
        section.notes.append("Requests that failed: " + ", ".join(f"{count} of {name}" for name, count in failed.items()) + ".")
    else:
        section.notes.append("No request failed.")
    section.notes.append(
        f"Rounds, in which the three take turns: {rounds}, of {seconds} s for each. Asked by {generator.describe()}."
    )
    section.notes.append("The one who asks, Lithouse and the app share the cores of the machine.")
    return section
