"""Routes events through event-tracking's RoutingBackend, for RoutingOracleTests.

Reads scenarios as a JSON list from the file named and prints, for each, what its backends were sent: a list of
[backend, event], in order. A scenario is {"router": …, "events": […]}; a router is {"processors": […],
"backends": {name: kind or router}}; what each kind of processor and backend does is below and in the test.
"""
import copy
import json
import logging
import sys

from eventtracking.backends.routing import RoutingBackend
from eventtracking.processors.exceptions import (
    EventEmissionExit, NoBackendEnabled, NoTransformerImplemented)
from eventtracking.processors.regex_filter import RegexFilter
from eventtracking.processors.whitelist import NameWhitelistProcessor


class Recording:
    """Keeps what it is sent, then raises, changes the event or does nothing."""

    def __init__(self, name, kind, deliveries):
        self.name, self.kind, self.deliveries = name, kind, deliveries

    def send(self, event):
        self.deliveries.append([self.name, copy.deepcopy(event)])
        if self.kind == 'fails':
            raise RuntimeError(self.name)
        if self.kind == 'exits':
            raise EventEmissionExit()
        if self.kind == 'disabled':
            raise NoBackendEnabled()
        if self.kind == 'transformer':
            raise NoTransformerImplemented()
        if self.kind == 'changes':
            event['data']['changedBy'] = self.name


def rename(event, option):
    event['name'] = option


def add(event, option):
    event['data'][option] = len(event['data'])


def remove(event, option):
    del event['data'][option]


def half(event, option):
    event['data'][option] = 'half'
    raise ValueError(option)


def fail(event, option):
    raise ValueError(option)


def leave(event, option):
    if option in event['data']:
        raise EventEmissionExit()


def replace(event, option):
    return {'name': option, 'data': {}, 'context': {}}


def enrich(event, option):
    event['context'][option] = 'enriched'
    return event


def processor(kind, option):
    if kind == 'allow':
        return NameWhitelistProcessor(whitelist=option)
    if kind in ('allowlist', 'blocklist'):
        return RegexFilter(filter_type=kind, regular_expressions=option)
    return lambda event: globals()[kind](event, option)


def router(tree, deliveries, path=''):
    backends = {}
    for name, member in tree['backends'].items():
        place = f'{path}/{name}'
        if isinstance(member, dict):
            backends[name] = router(member, deliveries, place)
        else:
            backends[name] = Recording(place, member, deliveries)
    return RoutingBackend(
        backends=backends, processors=[processor(*step) for step in tree['processors']])


def main():
    logging.disable(logging.CRITICAL)
    for scenario in json.load(open(sys.argv[1])):
        deliveries = []
        root = router(scenario['router'], deliveries)
        for event in scenario['events']:
            given = copy.deepcopy(event)
            root.send(event)
            assert given == event
        print(json.dumps(deliveries))


main()
