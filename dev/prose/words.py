"""Words that the project does not use, and what to write instead.

A reader must understand each sentence the first time, and each thing must have one name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

CODE = re.compile(r"``.*?``|`[^`\n]*`|https?://\S+|\S+@\S+")
"""Names of code, addresses, and email addresses are not prose."""


@dataclass(frozen=True)
class Rule:
    """A regular expression of unwanted words, and the advice that a finding shows."""

    pattern: str
    advice: str

    def found_in(self, text: str) -> Iterator[re.Match[str]]:
        """Find the words in prose, but not in a path, an option, or a name of code."""
        words = rf"(?<![\w@./$-])(?:{self.pattern})(?![\w@/]|[.-]\w)"
        found = re.finditer(words, text, re.IGNORECASE)
        return (match for match in found if not match[0].isupper())  # a constant


ONLY = 'only servers and catchers are for "mail"'  # prose: the word itself
PERSON = 'write "the user", "the client", or "the caller"'

RULES = (
    Rule("whoever|whomever|whosoever", PERSON),
    Rule("somebody|nobody|anybody|everybody", PERSON),
    Rule("one's(?:\\s+own)?", 'write "the user\'s" or "their"'),
    Rule("e-mail(?:s|ed|ing)?", 'write "email"'),
    Rule("mails?(?!\\s+(?:server|catcher)s?\\b)|mailed", f'write "email"; {ONLY}'),
    Rule("log-ins?|sign-ins?", 'the noun is "login", the verb "log in"'),
    Rule("(?:a|the|each|every|first|next|no|per|any|further|wrong)\\s+log\\s+in", 'write "login"'),
    Rule("(?:to|can|may|must|cannot|could|will)\\s+login", 'the verb is "log in"'),
    Rule("log-outs?", 'the noun is "logout", the verb "log out"'),
    Rule("look-ups?|time-outs?|start-ups?|set-ups?|back-ends?", "write it as one word"),
    Rule("shall|ought", 'write "must" or "will"'),
    Rule("thus|hence|hereby|herein|lest|nought|wherefore", "write it in plain words"),
    Rule("(?:there|where)(?:by|in|of|upon|with|from|after)", "write it in plain words"),
    Rule("for\\s+ever", 'write "forever"'),
    Rule("whilst|amongst|unto", "write it in American English"),
    Rule("in\\s+order\\s+to", 'write "to"'),
    Rule("(?:stands?|stood)\\s+in\\s+(?:the|its|their|a)", 'write "is in"'),
    Rule("(?:what|who)\\s+(?:comes|goes|waits)", "put a noun first"),
    Rule("raises?\\s+\\w+(?:(?:,|,?\\s+(?:and|or))\\s+\\w+)*\\s+where", 'write "if"'),
    Rule("none\\s+where", 'write "or None if"'),
    Rule("(?:goes|go|went)\\s+on", 'write "continue"'),
    Rule("(?:gives?|gave|given)\\s+back", 'write "release" or "return"'),
    Rule("(?:puts?|putting)\\s+off", 'write "postpone"'),
    Rule("(?:again\\s+and\\s+again|over\\s+and\\s+over)", 'write "repeatedly"'),
    Rule("(?:is|are|was|were)\\s+(?:no\\s+)?news", "say what happens"),
    Rule("by\\s+a\\s+moment", 'write "if two requests race"'),
    Rule("(?<![\"'])cancell(?:ed|ing)(?![\"'])", "American spelling: a single l"),
    Rule(
        "(?:mis)?behaviou?r(?<=our)s?|(?:colou|favou|honou|neighbou|labou)rs?(?:ed|ing|ite|hood)?",
        "spell it the American way: -or",
    ),
    Rule("(?:cent|theat|met)res?|licences?|defences?|offences?|cheques?", "American spelling"),
    Rule("grey|programmes?|catalogues?|judgement|fulfil|enrol|travell\\w+", "American spelling"),
    Rule("(?:label|model|signal|level|channel)l(?:ed|ing)", "American spelling: a single l"),
    Rule("anal[yi]s(?:e|es|ed|ing)(?<!analyses)", "American spelling: analyze"),
    Rule(
        "(?:organ|recogn|initial|serial|normal|optim|author|minim|maxim|summar|real|util|emphas"
        "|synchron|custom|standard|special|general|central|final|categor|prior|sanit|token|anonym)"
        "is(?:e[sdr]?|ing|ations?)",
        "American spelling: -ize",
    ),
)

NAMES = (
    Rule("mails?(?!_(?:from|server|catcher))", f'write "email"; {ONLY}'),
    Rule("(?:behavi|col|fav|hon|lab|neighb)our(?:s|ed|ing|ite|hood)?", "American spelling: -or"),
    Rule("bury|buried", 'write "dead_letter"'),
    Rule("doorbells?", 'write "wakeup"'),
    Rule("sweepers?", 'write "relay"'),
    Rule("second_logins?", 'write "mfa_login"'),
    Rule("login_challenges?", 'write "mfa_challenge"'),
    Rule("proven_identity", 'write "verified_identity"'),
    Rule("key_?rings?", 'write "jwks_cache"'),
    Rule("longest(?=_)", 'write "max"'),
    Rule("shortest(?=_)", 'write "min"'),
    Rule("gives?_back|given_back", 'write "release" or "refund"'),
)
"""Unwanted parts of identifiers in snake case, with the term of this project."""

OPENINGS = re.compile(
    "Tell|Say|Have|Note|Hold|Bury|Be|Become|Lay"
    "|The|An?|Its|Our|This|That|These|Those|Such|Same|None|Only|Each|Every|Also"
    "|On|In|At|By|For|With|Without|If|When|Where|Until|Otherwise"
    "|Wh(?:at|o|om)(?:ever)?|Whether|How|(?:Some|Any|No|Every)body"
)
"""A docstring of a function starts with Return, Raise, Send, Store, Open, and the like."""


def unwanted_words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the offset of each unwanted word, with what to write instead."""
    prose = CODE.sub(lambda match: re.sub(r"\S", "`", match[0]), text)
    for rule in RULES:
        for match in rule.found_in(prose):
            yield match.start(), f'"{match[0]}": {rule.advice}'


def unwanted_opening(docstring: str) -> str | None:
    """Return the problem of the first word of a function's docstring, or None."""
    first = docstring.split(maxsplit=1)[0].rstrip(".,:;") if docstring.strip() else ""
    if OPENINGS.fullmatch(first):
        return f'a docstring does not start with "{first}": start with Return, Raise, Send, …'
    if re.fullmatch(r"[A-Z][a-z]*[a-rt-z]s", first):
        return f'"{first}": start with the imperative ("Return", not "Returns")'
    return None


def unwanted_name(identifier: str) -> str | None:
    """Return the problem of an identifier in snake case or camel case, or None."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", identifier).lower()
    for rule in NAMES:
        if re.search(rf"(?<![a-z])(?:{rule.pattern})(?![a-z])", snake):
            return f'"{identifier}": {rule.advice}'
    return None
